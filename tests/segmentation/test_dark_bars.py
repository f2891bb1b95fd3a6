"""Dark bars with light writing: they become dark writing on light paper."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.segmentation.dark_bars import invert_bars
from lettermill.segmentation.page import segment
from lettermill.segmentation.tints import measure_darkness
from tests.segmentation.drawn import INK, PAPER, Draw, Drawn, Page, shape_of, skewed


def inverted(page: Page) -> Page:
    return invert_bars(page, measure_darkness(page))


def with_bar(draw: Draw, text: str, dark: int = 30, light: int = 245) -> tuple[Page, Page]:
    """Lines below a bar with light writing; and the same with dark writing instead."""
    heading = draw(text, letter=51, stroke=5).page[40:-40]
    below = draw("TWELVE CHAIRS", "OAK TABLE", letter=51, stroke=5).page
    width = max(heading.shape[1], below.shape[1])
    share = (PAPER - heading.astype(float)) / (PAPER - INK)
    bar = np.clip(dark + (light - dark) * share, 0, 255).astype(np.uint8)
    parts = [
        np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=fill)
        for part, fill in ((bar, dark), (below, int(below[0, 0])), (heading, int(heading[0, 0])))
    ]
    return np.vstack((parts[0], parts[1])), np.vstack((parts[2], parts[1]))


@pytest.mark.parametrize("dark", [20, 90, 140])
@pytest.mark.parametrize("text", ["DELIVERY NOTE", "TO", "QTY"])
def test_light_writing_on_a_bar_is_found(dark: int, text: str, draw: Draw) -> None:
    page, plain = with_bar(draw, text, dark)
    assert inverted(page) is not page
    assert shape_of(segment(page)) == shape_of(segment(plain))


def test_grey_writing_on_a_bar_is_found(draw: Draw) -> None:
    page, plain = with_bar(draw, "DELIVERY NOTE", 25, 150)
    assert shape_of(segment(page)) == shape_of(segment(plain))


@pytest.mark.parametrize("degrees", [-2.0, 2.0])
def test_bar_of_a_skewed_page(degrees: float, draw: Draw) -> None:
    page, _ = with_bar(draw, "DELIVERY NOTE")
    assert shape_of(segment(skewed(page, degrees)))[0] == [8, 4]


def test_dark_letters_on_a_grey_bar_stay_dark(draw: Draw) -> None:
    page, _ = with_bar(draw, "DELIVERY NOTE", 130)
    cv2.putText(page, "X", (page.shape[1] - 60, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 10, 5, cv2.LINE_AA)
    assert inverted(page)[20:70, page.shape[1] - 60 : page.shape[1] - 20].min() < 160


@pytest.mark.parametrize("stroke", [5, 14, 20])
def test_heavy_writing_is_no_bar(stroke: int, draw: Draw) -> None:
    page = draw("BOBBED ROAD", letter=60, stroke=stroke).page
    assert inverted(page) is page


def test_a_blackened_line_is_left_alone(draw: Draw) -> None:
    page = draw("TWELVE CHAIRS", "OAK TABLE", letter=51, stroke=5).page
    page[:60] = 20
    assert inverted(page) is page


def test_ruled_table_is_no_bar(draw: Draw) -> None:
    page = np.full((400, 700), 245, np.uint8)
    for left in range(40, 600, 200):
        for top in (40, 180):
            cv2.rectangle(page, (left, top), (left + 200, top + 140), 30, 8)
            cv2.putText(page, "AX", (left + 40, top + 100), cv2.FONT_HERSHEY_SIMPLEX, 2, 30, 7, cv2.LINE_AA)
    assert inverted(page) is page


def test_a_page_that_is_dark_all_over_is_left_to_the_binarisation(text_page: Drawn) -> None:
    page = 255 - text_page.page
    assert inverted(page) is page
    assert shape_of(segment(page)) == text_page.shape
