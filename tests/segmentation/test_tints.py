"""Forms with white boxes on a tint: only the writing is left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.segmentation.tints import fit_rectangle, measure_darkness, remove_tint
from tests.segmentation.drawn import PAPER, Draw, Page, skewed

WHITE, BOX, WALL, PEN = 252, 60, 5, 60


def form(tint: int, pen: int = PEN, rows: int = 2, cells: int = 6, wall: int = WALL) -> Page:
    """Rows of white boxes on a tint, with a cross in each second box."""
    page = np.full((rows * 140 + 60, cells * (BOX + wall) + 120), tint, np.uint8)
    for top in range(60, rows * 140, 140):
        for cell in range(cells):
            left = 60 + cell * (BOX + wall)
            page[top : top + 80, left : left + BOX] = WHITE
            if cell % 2 == 0:
                cv2.line(page, (left + 12, top + 15), (left + 45, top + 65), pen, 6, cv2.LINE_AA)
                cv2.line(page, (left + 45, top + 15), (left + 12, top + 65), pen, 6, cv2.LINE_AA)
    return page


def without_tint(page: Page) -> NDArray[np.uint8]:
    return remove_tint(page, measure_darkness(page))


@pytest.mark.parametrize("tint", [170, 200, 230])
@pytest.mark.parametrize("pen", [40, 130])
@pytest.mark.parametrize("wall", [2, 5, 10])
def test_boxes_and_walls_become_paper_and_ink_stays(tint: int, pen: int, wall: int) -> None:
    page = form(tint, pen, wall=wall)
    ink = page <= pen + 5
    white = without_tint(page)
    assert white[~cv2.dilate(ink.astype(np.uint8), np.ones((7, 7))).astype(bool)].min() > 235
    assert white[ink].max() < pen + 15


@pytest.mark.parametrize("degrees", [-3.0, -1.2, 1.2, 3.0])
def test_walls_are_removed_from_a_skewed_form(degrees: float) -> None:
    page = skewed(form(200), degrees)
    empty = skewed(form(200, pen=WHITE), degrees)
    is_pen = cv2.dilate((cv2.absdiff(page, empty) > 5).astype(np.uint8), np.ones((5, 5))) != 0
    inner = np.s_[40:-40, 40:-40]
    assert without_tint(page)[inner][~is_pen[inner]].min() > 225


def test_boxes_with_a_printed_outline_become_paper() -> None:
    page = form(220)
    for top in (60, 200):
        for left in range(60, 60 + 6 * (BOX + WALL), BOX + WALL):
            cv2.rectangle(page, (left, top), (left + BOX - 1, top + 79), 150, 2)
    white = without_tint(page)
    assert white[100, 60 + BOX - 3 : 60 + BOX + WALL + 3].min() > 235


def test_one_wide_box_is_a_form(draw: Draw) -> None:
    line = draw("RIVER ROAD", letter=51, stroke=5).page[50:-50]
    page = np.full((line.shape[0] + 160, line.shape[1] + 160), 190, np.uint8)
    page[80:-80, 80:-80] = line
    white = without_tint(page)
    assert white[10, 10] > 235
    np.testing.assert_array_equal(white[80:-80, 80:-80] < 128 + 255 - PAPER, line < 128)


def test_a_page_without_a_tint_is_returned_itself(text_page, draw: Draw) -> None:  # type: ignore[no-untyped-def]
    for page in (
        text_page.page,
        255 - text_page.page,
        draw("BOBBED ROAD", "DOOR GOOD", letter=60, stroke=14).page,
        np.full((300, 400), 200, np.uint8),
        np.full((10, 400), 200, np.uint8),
    ):
        assert without_tint(page) is page


def test_drawn_boxes_on_white_paper_are_left_to_form_lines() -> None:
    page = np.full((260, 520), 245, np.uint8)
    for left in range(60, 420, 60):
        cv2.rectangle(page, (left, 60), (left + 60, 140), 60, 3)
        cv2.line(page, (left + 15, 75), (left + 45, 125), 40, 6, cv2.LINE_AA)
    assert without_tint(page) is page


def test_shadow_of_a_fold_is_no_tint() -> None:
    page = np.full((400, 600), 245, np.uint8)
    for left in range(60, 480, 120):
        for top in (60, 180):
            cv2.rectangle(page, (left, top), (left + 120, top + 120), 60, 3)
            cv2.line(page, (left + 30, top + 30), (left + 90, top + 90), 40, 8, cv2.LINE_AA)
    shade = np.interp(np.arange(600), [0, 300, 320, 420, 600], [1, 1, 0.7, 0.8, 1])
    page = (page * shade).astype(np.uint8)
    assert without_tint(page) is page


def test_rectangle_of_an_outline() -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[20:50, 40:160] = 1
    (outline,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rectangle = fit_rectangle(outline)
    assert (rectangle.height, rectangle.ratio) == pytest.approx((30, 4))
    assert (rectangle.fill, rectangle.convex) == pytest.approx((1, 1), abs=0.02)
