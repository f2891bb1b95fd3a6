"""Words that are struck through, told from words on rules and in boxes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lettermill.segmentation.page import segment
from tests.segmentation.drawn import INK, Drawn, Page, draw


def shape_of(page: Page) -> list[list[int]]:
    """Letters in each word of each line that was found."""
    return [[len(word.candidates) for word in line.words] for line in segment(page).lines]


def columns_of(drawn: Drawn, line: int) -> tuple[int, int, int, int]:
    """Left and right end, head and foot of a drawn line's ink."""
    rows = drawn.page.shape[0] // len(drawn.lines)
    ink = drawn.page[line * rows : (line + 1) * rows] < 128
    places, heights = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    return int(places[0]), int(places[-1]), line * rows + int(heights[0]), line * rows + int(heights[-1])


def strike(drawn: Drawn, line: int, fall: int = 0, thickness: int = 4, beyond: int = 10) -> Page:
    """Draw a line through the middle of all letters of a line."""
    left, right, head, foot = columns_of(drawn, line)
    page, middle = drawn.page.copy(), (head + foot) // 2
    ends = (left - beyond, middle - fall), (right + beyond, middle + fall)
    cv2.line(page, *ends, INK, thickness, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("fall", [0, 4, -5])
def test_a_struck_line_is_left_out(fall: int) -> None:
    drawn = draw("PACK MY BOX", "CONSUL", "WITH JUGS")
    assert shape_of(strike(drawn, 1, fall)) == [[4, 2, 3], [4, 4]]


def test_letters_under_a_line_thinner_than_the_pen_are_kept_and_doubted() -> None:
    drawn = draw("PACK MY BOX", "CONSUL", "WITH JUGS", stroke=6)
    found = segment(strike(drawn, 1, thickness=2))
    assert [len(line.words[0].candidates) for line in found.lines][1:2] == [6]
    assert len(found.struck) == 6


def below(page: Page, left: int, right: int, head: int, foot: int) -> None:
    cv2.line(page, (left, foot + 8), (right, foot + 8), INK, 3)


def box(page: Page, left: int, right: int, head: int, foot: int) -> None:
    cv2.rectangle(page, (left - 30, head - 25), (right + 30, foot + 25), INK, 2)


def table(page: Page, left: int, right: int, head: int, foot: int) -> None:
    for y in (head - 20, foot + 20):
        cv2.line(page, (0, y), (page.shape[1], y), INK, 2)


@pytest.mark.parametrize("furnish", [below, box, table])
def test_an_underlined_or_framed_word_stays(furnish: Callable[[Page, int, int, int, int], None]) -> None:
    drawn = draw("PACK MY BOX", "CONSUL", "WITH JUGS", pitch=3.0)
    page = drawn.page.copy()
    furnish(page, *columns_of(drawn, 1))
    found = segment(page)
    assert [[len(word.candidates) for word in line.words] for line in found.lines] == drawn.shape
    assert not found.struck


@pytest.mark.parametrize("word", ["HEATHER", "FEEHAH", "HHHH", "EEFF"])
def test_bars_of_letters_side_by_side_are_no_strike(word: str) -> None:
    drawn = draw("PACK MY BOX", word, "WITH JUGS")
    found = segment(drawn.page)
    assert [[len(each.candidates) for each in line.words] for line in found.lines] == drawn.shape
    assert not found.struck
