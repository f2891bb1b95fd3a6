"""Broken strokes are mended, whole letters are not joined."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from lettermill.segmentation.components import Sizes, draw_component, find_components
from lettermill.segmentation.stroke_breaks import mend_breaks
from lettermill.segmentation.values import Ink

Stroke = tuple[tuple[int, int], tuple[int, int]]


def mended(*lines: Stroke, width: int) -> tuple[int, int, Ink, Ink]:
    """How many components strokes make on an ink frame before and after mending, and the ink of each."""
    mask = np.zeros((160, 200), np.uint8)
    for start, end in lines:
        cv2.line(mask, start, end, 255, width)
    ink = Ink(mask, 0.0, np.eye(2, 3))
    components = find_components(mask)
    left, after = mend_breaks(components, Sizes(letter=60.0, stroke=float(width)), ink)
    return len(components), len(left), ink, after


@pytest.mark.parametrize("width", [4, 5, 6, 8])
def test_strokes_broken_anywhere_are_mostly_one_again(width: int) -> None:
    random = np.random.default_rng(width)
    whole = 0
    for _ in range(100):
        angle = random.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        start, end = np.array([100, 80]) - 28 * along, np.array([100, 80]) + 28 * along
        # Ends are round: half a pen of ink goes beyond each point.
        half = (width + random.uniform(3, 7)) / 2 * along
        middle = start + random.uniform(0.35, 0.65) * (end - start)
        points = [np.rint(point).astype(int).tolist() for point in (start, middle - half, middle + half, end)]
        before, after, _, ink = mended(points[:2], points[2:], width=width)
        assert before == 2
        whole += after == 1 and len(find_components(ink.mask)) == 1
    assert whole >= 90


@pytest.mark.parametrize(
    "other",
    [
        ((100, 90), (100, 130)),  # beside it
        ((90, 40), (90, 130)),  # across its end, as the stem of the next letter
        ((110, 80), (150, 80)),  # too far on
    ],
)
def test_what_does_not_go_on_stays_apart(other: Stroke) -> None:
    before, after, ink, same = mended(((40, 80), (76, 80)), other, width=5)
    assert before == after == 2
    assert same is ink


def test_two_whole_letters_are_not_bridged() -> None:
    before, after, ink, same = mended(
        ((20, 50), (90, 50)), ((55, 50), (55, 110)), ((102, 50), (170, 50)), ((140, 50), (140, 110)), width=5
    )
    assert before == after == 2
    assert same is ink


def test_no_ink_is_lost_where_the_letter_would_be_too_high() -> None:
    # Two breaks that are mended one by one, and a third that would make one letter of both.
    steps = [(100, 10), (100, 34), (100, 44), (100, 66), (100, 76), (100, 98), (100, 108), (100, 140)]
    pairs = list(zip(steps[::2], steps[1::2], strict=True))
    mask = np.zeros((160, 200), np.uint8)
    for start, end in pairs:
        cv2.line(mask, start, end, 255, 5)
    components = find_components(mask)
    for order in itertools.permutations(components):
        left, _ = mend_breaks(order, Sizes(letter=60.0, stroke=5.0), Ink(mask, 0.0, np.eye(2, 3)))
        kept = np.zeros_like(mask)
        for component in left:
            kept |= draw_component(component, 0, 0, 200, 160)
        assert not ((mask >= 128) & (kept == 0)).any()
