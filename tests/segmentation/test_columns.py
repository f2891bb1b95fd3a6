"""Columns are read one after the other, tables row by row, as their white space says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.columns import find_lines_in_columns
from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import find_lines
from lettermill.segmentation.page import segment
from tests.segmentation.drawn import Draw, Page, shape_of

LETTER = 40
TEXT = ("MEND THE ROADS", "BEFORE WINTER", "AND COUNT THE", "BRIDGES TWICE", "IN ALL SEASONS")
OTHER = ("PAY THE SMITH", "HIS SEVEN COINS", "THEN SEND HIM", "HOME BY THE OLD", "MILL ROAD")


def beside(*pages: Page, gap: float = 2.5, drops: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Page:
    """Pages side by side, each lowered by some letter heights."""
    tall = max(page.shape[0] for page in pages) + round(max(drops) * LETTER)
    parts = []
    for page, drop in zip(pages, drops, strict=False):
        columns = np.flatnonzero((page < 150).any(axis=0))
        page = page[:, columns[0] : columns[-1] + 1]
        top = round(drop * LETTER)
        sides = round(gap * LETTER / 2)
        below = tall - page.shape[0] - top
        parts.append(np.pad(page, ((top, below), (sides, sides)), constant_values=215))
    return np.pad(np.hstack(parts), LETTER, constant_values=215)


def test_two_columns_of_running_text_are_read_one_after_the_other(draw: Draw) -> None:
    one, two = draw(*TEXT), draw(*OTHER)
    assert shape_of(segment(beside(one.page, two.page))) == one.shape + two.shape


@pytest.mark.parametrize("drop", [0.7, 1.1, 1.5])
def test_blocks_whose_lines_do_not_line_up_are_columns(draw: Draw, drop: float) -> None:
    one, two = draw("MILL ROAD", "YORK", "NORTH"), draw("SMITH", "SEVEN OAK", "WINTER")
    found = shape_of(segment(beside(one.page, two.page, drops=(0.0, drop))))
    assert found == one.shape + two.shape


def test_a_title_over_two_columns_comes_first(draw: Draw) -> None:
    one, two, title = draw(*TEXT), draw(*OTHER), draw("THE BOOK OF ALL THE ROADS AND MILLS IN YORK")
    text = beside(one.page, two.page)
    width = max(text.shape[1], title.page.shape[1])
    page = np.vstack(
        [
            np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=215)
            for part in (title.page, text)
        ]
    )
    assert shape_of(segment(page)) == title.shape + one.shape + two.shape


def test_the_rows_of_a_table_are_read_across(draw: Draw) -> None:
    names, towns, years = (
        draw("ABBOT", "CROW", "DUKE", "HAZEL"),
        draw("YORK", "DOVER", "EXETER", "POOL"),
        None,
    )
    years = draw("1912", "1873", "1904", "1899")
    found = shape_of(segment(beside(names.page, towns.page, years.page)))
    assert found == [a + b + c for a, b, c in zip(names.shape, towns.shape, years.shape, strict=True)]


def test_numbers_before_lines_are_no_column(draw: Draw) -> None:
    numbers, text = draw("1", "2", "3", "4", "5"), draw(*TEXT)
    found = shape_of(segment(beside(numbers.page, text.page, gap=2.0)))
    assert found == [a + b for a, b in zip(numbers.shape, text.shape, strict=True)]


@pytest.mark.parametrize("uneven", [0.0, 0.25])
def test_a_grid_is_read_row_by_row(uneven: float) -> None:
    random = np.random.default_rng(2)
    components = [
        square(200 * column + shift[0], 160 * row + shift[1])
        for row in range(5)
        for column in range(4)
        for shift in [random.integers(-10, 11, 2) * uneven * 4]
    ]
    found = find_lines_in_columns(components, LETTER)
    assert [len(line) for line in found] == [4] * 5


def square(left: float, top: float, width: int = 30, height: int = LETTER) -> Component:
    left, top = round(left), round(top)
    return Component(left, top, left + width, top + height, width * height / 4, 2 * (width + height), ())


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=0, max_size=80, unique=True)
)
def test_every_letter_is_in_one_line_and_lines_run_to_the_right(places: list[tuple[int, int]]) -> None:
    components = [square(35 * x, 25 * y) for x, y in places]
    lines = find_lines_in_columns(components, LETTER)
    assert sorted((p.left, p.top) for line in lines for p in line) == sorted(
        (p.left, p.top) for p in components
    )
    for line in lines:
        middles = [component.left + component.right for component in line]
        assert middles == sorted(middles)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(4, 14), min_size=4, max_size=8), drop=st.integers(16, 60))
def test_letters_of_two_columns_are_never_in_one_line(lengths: list[int], drop: int) -> None:
    left = [square(40 * x, 90 * row) for row, length in enumerate(lengths) for x in range(length)]
    right = [
        square(800 + 40 * x, 90 * row + drop) for row, length in enumerate(lengths) for x in range(length)
    ]
    lines = find_lines_in_columns([*left, *right], LETTER)
    assert lines == find_lines(left, LETTER) + find_lines(right, LETTER)
