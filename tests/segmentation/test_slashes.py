"""Slashes told from 1 and I by height and lean."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.segmentation.components import Component, find_components
from lettermill.segmentation.slashes import (
    CERTAIN_PROBABILITY,
    MOST_DOUBT_PROBABILITY,
    slash_probabilities,
)

LETTER = 40


def line(*bars: tuple[float, float], slant: float = 0.0, gap: int = 16) -> list[Component]:
    """A line of round letters with a bar after each but the last.

    Args:
        bars: the height in letter heights, and the lean in columns for each row, of each bar.
        slant: by how much all of it leans.
        gap: pixels between neighbours.
    """
    ink = np.zeros((4 * LETTER, 200 + 140 * len(bars)), np.uint8)
    x = 60
    for number in range(len(bars) + 1):
        cv2.ellipse(ink, (x + 13, 2 * LETTER), (13, LETTER // 2 - 2), 0, 0, 360, 255, 4)
        x += 26 + gap
        if number < len(bars):
            height, lean = bars[number][0] * LETTER, bars[number][1]
            across = round(abs(lean) * height)
            foot = x if lean > 0 else x + across
            top, bottom = round(2 * LETTER - height / 2), round(2 * LETTER + height / 2)
            cv2.line(ink, (foot + round(lean * height), top), (foot, bottom), 255, 4)
            x += across + gap
    if slant:
        shear = np.array([[1, -slant, 2 * LETTER * slant], [0, 1, 0]])
        ink = np.asarray(cv2.warpAffine(ink, shear, ink.shape[::-1]), np.uint8)
    return sorted(find_components(ink), key=lambda one: one.left)


@pytest.mark.parametrize("bar", [(1.5, 0.4), (1.4, 0.5), (1.9, 0.0), (1.6, -0.5)])
def test_tall_or_leaning_bars_between_letters_are_slashes(bar: tuple[float, float]) -> None:
    probabilities = slash_probabilities(line(bar, bar), LETTER)
    assert [one >= CERTAIN_PROBABILITY for one in probabilities] == [False, True, False, True, False]


@pytest.mark.parametrize("bar", [(1.0, 0.0), (1.0, 0.1), (0.95, 0.15), (1.05, -0.1)])
def test_bars_like_the_letters_are_letters(bar: tuple[float, float]) -> None:
    assert max(slash_probabilities(line(bar), LETTER)) < 0.1


@pytest.mark.parametrize("bar", [(1.2, 0.35), (0.9, 0.6)])
def test_a_bar_that_may_be_either_is_doubtful_and_never_left_out(bar: tuple[float, float]) -> None:
    probability = slash_probabilities(line(bar), LETTER)[1]
    assert 0.1 < probability <= MOST_DOUBT_PROBABILITY


def test_a_bar_that_leans_like_its_line_is_a_letter() -> None:
    slanted = line((1.0, 0.0), slant=0.35)
    assert max(slash_probabilities(slanted, LETTER)) < 0.1


@pytest.mark.parametrize("kept", [slice(1, None), slice(0, 2)])
def test_a_bar_at_an_end_is_a_letter(kept: slice) -> None:
    assert slash_probabilities(line((1.5, 0.4))[kept], LETTER) == [0.0, 0.0]


def test_a_bar_far_from_the_letters_is_a_letter() -> None:
    assert slash_probabilities(line((1.5, 0.4), gap=60), LETTER) == [0.0, 0.0, 0.0]


def test_hyphens_and_curves_are_no_bars() -> None:
    ink = np.zeros((160, 300), np.uint8)
    for x in (40, 240):
        cv2.circle(ink, (x, 80), 18, 255, 4)
    cv2.line(ink, (90, 84), (130, 78), 255, 5)
    cv2.ellipse(ink, (200, 80), (16, 34), 0, 100, 260, 255, 4)
    components = sorted(find_components(ink), key=lambda one: one.left)
    assert len(components) == 4
    assert slash_probabilities(components, LETTER) == [0.0] * 4
