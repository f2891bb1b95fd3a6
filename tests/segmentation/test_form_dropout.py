"""The form goes, the writing stays, also where it lies over the form."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.segmentation.form_dropout import drop_form, written_share

INSIDE = (30, 30, 390, 120)


@pytest.fixture
def blank() -> NDArray[np.uint8]:
    """A comb of five cells with a caption."""
    page = np.full((150, 420), 255, np.uint8)
    cv2.rectangle(page, INSIDE[:2], INSIDE[2:], 0, 3)
    for x in range(102, 390, 72):
        cv2.line(page, (x, 30), (x, 120), 0, 2)
    cv2.putText(page, "NAME", (30, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 2)
    return page


def shaded(page: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """As a camera sees it: half the contrast, darker to the right, grain."""
    light = np.linspace(1, 0.6, page.shape[1])
    grain = np.random.default_rng(seed).normal(0, 2, page.shape)
    return ((page * 0.6 + 80) * light + grain).clip(0, 255).astype(np.uint8)


def test_nothing_is_left_of_an_empty_field(blank: NDArray[np.uint8]) -> None:
    scan = shaded(blank)
    left = drop_form(scan, blank, INSIDE)
    paper = cv2.GaussianBlur(left, (0, 0), 15)
    assert cv2.absdiff(left, paper).max() < 20
    assert cv2.absdiff(scan, cv2.GaussianBlur(scan, (0, 0), 15)).max() > 60


@pytest.mark.parametrize("shift", [0, 1])
def test_strokes_over_walls_and_rules_stay(blank: NDArray[np.uint8], shift: int) -> None:
    writing = np.full_like(blank, 255)
    cv2.line(writing, (60, 50), (160, 100), 0, 6)  # Over a wall.
    cv2.line(writing, (250, 60), (262, 138), 0, 6)  # Over the rule below.
    scan = np.minimum(np.roll(blank, shift, axis=(0, 1)), writing)
    left = drop_form(shaded(scan), blank, INSIDE)
    ink = left < 0.75 * cv2.dilate(left, np.ones((31, 31), np.uint8))
    strokes = writing < 128
    assert ink[strokes].mean() > 0.88
    near = cv2.dilate(strokes.astype(np.uint8), np.ones((13, 13), np.uint8)) != 0
    assert ink[~near].sum() == 0


def test_what_reaches_in_from_another_field_goes(blank: NDArray[np.uint8]) -> None:
    scan = blank.copy()
    cv2.line(scan, (200, 132), (240, 149), 0, 6)
    left = drop_form(shaded(scan), blank, INSIDE)
    assert cv2.absdiff(left, cv2.GaussianBlur(left, (0, 0), 15)).max() < 25


def test_a_field_on_which_nothing_is_printed() -> None:
    blank = np.random.default_rng(2).integers(250, 256, (150, 420), np.uint8)
    writing = np.full_like(blank, 230)
    cv2.line(writing, (60, 50), (160, 100), 40, 6)
    np.testing.assert_array_equal(drop_form(writing, blank, INSIDE), writing)


def test_how_full_a_tick_box_is() -> None:
    blank = np.full((80, 80), 255, np.uint8)
    cv2.rectangle(blank, (17, 17), (62, 62), 0, 3)
    cv2.putText(blank, "Y", (32, 48), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1)
    inside = (20, 20, 60, 60)
    assert written_share(shaded(blank), blank, inside) == 0
    ticked = blank.copy()
    cv2.line(ticked, (22, 30), (35, 55), 40, 4)
    cv2.line(ticked, (35, 55), (70, 5), 40, 4)  # Its middle is near the edge of the box.
    assert 0.08 < written_share(shaded(ticked), blank, inside) < 0.25
