"""Words: gaps between them, per page and per line."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.lines import line_height
from lettermill.segmentation.word_gaps import gaps_of, split_words, word_gap
from tests.segmentation.drawn import component


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
    found = [len(word) for word in split_words(line, gap)]
    assert sum(found) == sum(words)
    most_are_within_words = sum(words) - len(words) > len(words) - 1
    if most_are_within_words and 0.3 * 20 <= (inner + wide) / 2 <= 1.6 * 20:
        assert found == words


def test_evenly_spaced_letters_are_one_word() -> None:
    line = [component(32 * index, 0) for index in range(9)]
    assert len(split_words(line, word_gap([line]))) == 1


def test_a_word_of_few_uneven_gaps_is_one_word() -> None:
    line = [component(left, 0) for left in (0, 24, 46, 66, 84)]
    assert len(split_words(line, word_gap([line]))) == 1


def test_one_letter_has_one_word() -> None:
    assert split_words([component(0, 0)], word_gap([[component(0, 0)]])) == [[component(0, 0)]]


def test_gaps_are_in_heights_of_the_lines_letters_and_negative_where_boxes_overlap() -> None:
    line = [component(0, 0), component(24, 0), component(33, 0)]
    assert gaps_of(line).tolist() == [0.5, -0.25]
    assert line_height([component(0, 0, 9, 10), *line]) == 20
