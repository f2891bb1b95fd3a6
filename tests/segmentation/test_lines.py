"""Baselines on lines that rise, fall and bend; rows put into one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import baseline_of, merge_into_one_line

LETTER = 40


def letter(middle, foot, height=LETTER):
    left, bottom = round(middle) - 14, round(foot)
    return Component(left, bottom - height, left + 28, bottom, 300.0, 200.0, ())


@pytest.mark.parametrize("slope", [-0.08, 0.0, 0.05])
@pytest.mark.parametrize("sag", [0.0, 1.0])
def test_the_baseline_follows_a_line_under_its_tails(slope, sag):
    x = 60 + 38.0 * np.arange(24)
    level = 300 + slope * x + sag * LETTER * np.sin(np.pi * x / x[-1])
    feet = level.copy()
    feet[[5, 16]] += 0.45 * LETTER  # Tails of Q and J.
    feet[11] -= 0.3 * LETTER
    found = baseline_of([letter(*place) for place in zip(x, feet, strict=True)])
    assert np.abs(found - level).max() < 0.12 * LETTER


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(100, 140)), min_size=1, max_size=30))
def test_the_baseline_lies_at_letters_of_any_line(places):
    line = [letter(x, foot) for x, foot in sorted(places)]
    found = baseline_of(line)
    assert found.shape == (len(line),)
    assert np.isfinite(found).all()
    if len({foot for _, foot in places}) == 1:
        assert (found == places[0][1]).all()


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
