"""Words: gaps between them, per page and per line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import line_height
from lettermill.segmentation.word_gaps import gaps_of, split_words, word_gap
from tests.segmentation.drawn import component


def split(line: list[Component], gap: float) -> list[list[Component]]:
    """The words of a line that is in no cells."""
    return split_words(line, gap, [None] * (len(line) - 1))


@settings(deadline=None)
@given(
    words=st.lists(st.integers(1, 7), min_size=2, max_size=8),
    inner=st.integers(1, 10),
    extra=st.integers(6, 20),
)
def test_words_are_split_at_the_wide_gaps(words: list[int], inner: int, extra: int) -> None:
    line, x, wide = [], 0, 2 * inner + extra
    for count in words:
        for _ in range(count):
            line.append(component(x, 0))
            x += 14 + inner
        x += wide - inner
    gap = word_gap([line])
    found = [len(word) for word in split(line, gap)]
    assert sum(found) == sum(words)
    most_are_within_words = sum(words) - len(words) > len(words) - 1
    if most_are_within_words and 0.3 * 20 <= (inner + wide) / 2 <= 1.6 * 20:
        assert found == words


def test_evenly_spaced_letters_are_one_word() -> None:
    line = [component(32 * index, 0) for index in range(9)]
    assert len(split(line, word_gap([line]))) == 1


def test_a_word_of_few_uneven_gaps_is_one_word() -> None:
    line = [component(left, 0) for left in (0, 24, 46, 66, 84)]
    assert len(split(line, word_gap([line]))) == 1


def test_one_letter_has_one_word() -> None:
    assert split([component(0, 0)], word_gap([[component(0, 0)]])) == [[component(0, 0)]]


def test_gaps_are_in_heights_of_the_lines_letters_and_negative_where_boxes_overlap() -> None:
    line = [component(0, 0), component(24, 0), component(33, 0)]
    assert gaps_of(line).tolist() == [0.5, -0.25]
    assert line_height([component(0, 0, 9, 10), *line]) == 20


def spaced(*words: int, inner: int = 5, between: int = 12, far: int = 0) -> list[Component]:
    """A line of letters 14 wide and 20 high, `far` pixels before a last letter if not 0."""
    line, x = [], 0
    for count in words:
        for _ in range(count):
            line.append(component(x, 0))
            x += 14 + inner
        x += between - inner
    return [*line, component(x - between + far, 0)] if far else line


def sizes(line: list[Component], gap: float) -> list[int]:
    """How many letters each word of a line has."""
    return [len(word) for word in split(line, gap)]


@pytest.mark.parametrize("far", [40, 70, 300])
@pytest.mark.parametrize("rows_with_one", [1, 4, 8])
def test_letters_far_to_the_right_do_not_glue_the_words(far: int, rows_with_one: int) -> None:
    rows = [spaced(4, 4, far=far if number < rows_with_one else 0) for number in range(8)]
    gap = word_gap(rows)
    assert sizes(rows[0], gap) == [4, 4, 1]
    assert sizes(spaced(4, 4), gap) == [4, 4]


def test_columns_closer_than_the_widest_gap_between_words_do_not_glue_the_words() -> None:
    rows = [spaced(4, 4, far=28) for _ in range(6)]
    assert sizes(rows[0], word_gap(rows)) == [4, 4, 1]


def test_letters_of_one_word_stay_together_beside_a_far_one() -> None:
    rows = [spaced(6, far=200), spaced(5, inner=6, far=210), spaced(7, inner=4, far=190)]
    assert [sizes(row, word_gap(rows)) for row in rows] == [[6, 1], [5, 1], [7, 1]]


def test_letters_of_a_comb_stay_together_beside_a_far_one() -> None:
    rows = [spaced(6, inner=16, far=300) for _ in range(4)]
    assert sizes(rows[0], word_gap(rows)) == [6, 1]


def test_in_cells_an_empty_one_ends_a_word_and_paper_does_not() -> None:
    line = spaced(4, inner=40)
    words = split_words(line, 0.5, [1, 2, 1])
    assert [len(word) for word in words] == [2, 2]
