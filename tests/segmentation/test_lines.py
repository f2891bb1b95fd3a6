"""Letters put into lines, and rows merged into one line."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import find_lines, merge_into_one_line, offset, share_covered
from tests.segmentation.drawn import component

LETTER = 40


def letter(middle: float, foot: float, height: int = LETTER) -> Component:
    left, bottom = round(middle) - 14, round(foot)
    return Component(left, bottom - height, left + 28, bottom, 300.0, 200.0, ())


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(-10, 10),
)
def test_rows_over_each_other_are_read_one_after_the_other(above: int, below: int, aside: int) -> None:
    upper = [letter(60 + 40 * number, 100) for number in range(above)]
    lower = [letter(60 + aside + 40 * number, 160) for number in range(below)]
    assert merge_into_one_line([upper, lower]) == [upper + lower]


@given(st.lists(st.integers(60, 140), min_size=1, max_size=12), st.integers(0, 12))
def test_letters_of_an_uneven_line_are_read_from_left_to_right(feet: list[int], number: int) -> None:
    line = [letter(60 + 40 * index, foot) for index, foot in enumerate(feet)]
    rows = [row for row in (line[::2], line[1::2]) if row]
    assert merge_into_one_line(rows) == merge_into_one_line(rows[::-1]) == [line]
    assert merge_into_one_line([line[:number], line[number:]] if 0 < number < len(line) else [line]) == [line]


def test_no_rows_are_no_line() -> None:
    assert merge_into_one_line([]) == []


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    sag=st.floats(-0.6, 0.6),
    order=st.randoms(use_true_random=False),
)
def test_lines_come_from_top_to_bottom_and_left_to_right(
    counts: list[int], sag: float, order: random.Random
) -> None:
    lines = [
        [component(30 * index, round(45 * row + sag * 20 * np.sin(index / 4))) for index in range(count)]
        for row, count in enumerate(counts)
    ]
    shuffled = [letter for line in lines for letter in line]
    order.shuffle(shuffled)
    found = find_lines(shuffled, 20.0)
    assert [[(p.left, p.top) for p in line] for line in found] == [
        [(p.left, p.top) for p in line] for line in lines
    ]


def test_a_row_is_covered_by_what_stands_over_it() -> None:
    row = [component(30 * index, 100) for index in range(4)]
    assert share_covered(row, [component(0, 60), component(31, 60)]) == 0.5
    assert share_covered(row, [component(400, 60)]) == 0


def test_the_offset_of_a_line_is_in_letter_heights_and_infinite_where_letters_collide() -> None:
    line = [component(30 * index, 100) for index in range(6)]
    assert offset([component(200, 110)], line, 20.0) == 0.5
    assert offset([component(62, 110)], line, 20.0) == np.inf


def test_letters_that_fell_out_of_their_line_come_back_to_it() -> None:
    line = [component(30 * index, 100) for index in range(9) if index != 4]
    low = component(120, 111, height=8)
    assert find_lines([*line, low], 20.0) == [[*line[:4], low, *line[4:]]]
