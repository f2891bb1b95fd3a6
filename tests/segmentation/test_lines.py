"""Rows merged into one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import merge_into_one_line

LETTER = 40


def letter(middle, foot, height=LETTER):
    left, bottom = round(middle) - 14, round(foot)
    return Component(left, bottom - height, left + 28, bottom, 300.0, 200.0, ())


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(-10, 10),
)
def test_rows_over_each_other_are_read_one_after_the_other(above, below, aside):
    upper = [letter(60 + 40 * number, 100) for number in range(above)]
    lower = [letter(60 + aside + 40 * number, 160) for number in range(below)]
    assert merge_into_one_line([upper, lower]) == [upper + lower]


@given(st.lists(st.integers(60, 140), min_size=1, max_size=12), st.integers(0, 12))
def test_letters_of_an_uneven_line_are_read_from_left_to_right(feet, number):
    line = [letter(60 + 40 * index, foot) for index, foot in enumerate(feet)]
    rows = [row for row in (line[::2], line[1::2]) if row]
    assert merge_into_one_line(rows) == merge_into_one_line(rows[::-1]) == [line]
    assert merge_into_one_line([line[:number], line[number:]] if 0 < number < len(line) else [line]) == [line]


def test_no_rows_are_no_line():
    assert merge_into_one_line([]) == []
