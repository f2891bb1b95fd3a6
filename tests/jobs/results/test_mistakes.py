"""What went wrong in a reading, on letters set by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from lettermill.jobs.records.readings import Box, Letter
from lettermill.jobs.results.mistakes import Kind, ReadLetter, find_mistakes


def placed(text: str, widths: dict[int, int] | None = None, gap: int = 8, line: int = 0) -> list[ReadLetter]:
    """Letters 20 pixels wide, some of another width, with gaps between."""
    read, x = [], 0
    for index, char in enumerate(text):
        width = (widths or {}).get(index, 20)
        read.append(ReadLetter(line, Letter(Box(x, 0, width, 30), 1, ((char, 0.9),), False)))
        x += width + gap
    return read


def kinds(truth: str, read: list[ReadLetter]) -> list[tuple[Kind, str, str]]:
    return [(each.kind, each.written, each.read) for each in find_mistakes(truth, read)]


def test_one_letter_for_another_is_confused() -> None:
    assert kinds("ABCDE", placed("ABXDE")) == [(Kind.CONFUSED, "C", "X")]
    assert kinds("ABCDE", placed("AXYDE")) == [(Kind.CONFUSED, "B", "X"), (Kind.CONFUSED, "C", "Y")]


def test_two_for_one_is_split_and_one_for_two_merged() -> None:
    assert kinds("ABWDE", placed("ABVVDE")) == [(Kind.SPLIT, "W", "VV")]
    assert kinds("ABLIDE", placed("ABUDE")) == [(Kind.MERGED, "LI", "U")]


def test_a_missing_letter_is_merged_where_its_neighbour_is_too_wide() -> None:
    assert kinds("ABCDE", placed("ABDE")) == [(Kind.MISSED, "C", "")]
    assert kinds("ABCDE", placed("ABDE", {1: 45})) == [(Kind.MERGED, "C", "")]
    assert kinds("ABCDE", placed("ABDE", {2: 45})) == [(Kind.MERGED, "C", "")]
    assert kinds("ABCDE", placed("ABDE", {3: 45})) == [(Kind.MISSED, "C", "")]


def test_a_letter_too_many_is_split_off_where_it_fits_into_its_neighbour() -> None:
    assert kinds("ABCDE", placed("ABICDE", {2: 5})) == [(Kind.INVENTED, "", "I")]
    assert kinds("ABCDE", placed("ABICDE", {2: 5, 3: 14}, gap=3)) == [(Kind.SPLIT, "", "I")]


def test_letters_far_too_many_were_invented_beside_a_confused_one() -> None:
    # The D of DUPONT is an O, and a caption was read before it.
    assert [kind for kind, *_ in kinds("DUPONT", placed("NAMEOUPONT"))].count(Kind.CONFUSED) == 1
    assert [kind for kind, *_ in kinds("DUPONT", placed("NAMEOUPONT"))].count(Kind.INVENTED) == 4


def test_nothing_read_and_nothing_written() -> None:
    assert kinds("AB", []) == [(Kind.MISSED, "A", ""), (Kind.MISSED, "B", "")]
    assert kinds("", placed("AB")) == [(Kind.INVENTED, "", "A"), (Kind.INVENTED, "", "B")]
    assert kinds("", []) == []


def test_parts_of_a_letter_stand_on_one_line() -> None:
    above = placed("ABCI", {3: 5})  # The I begins at 84, two gaps from where the next line's D ends.
    for line, kind in ((0, Kind.SPLIT), (1, Kind.INVENTED)):
        below = [ReadLetter(line, Letter(Box(90, 0, 13, 30), 1, (("D", 0.9),), False))]
        assert [mistake.kind for mistake in find_mistakes("ABCD", above + below)] == [kind]


@given(st.text("ABCI", max_size=9), st.text("ABCI", max_size=9), st.lists(st.integers(2, 50), max_size=9))
def test_edits_are_the_distance_and_every_mistake_is_where_it_says(
    truth: str, text: str, widths: list[int]
) -> None:
    mistakes = find_mistakes(truth, placed(text, dict(enumerate(widths))))
    assert sum(mistake.edits for mistake in mistakes) == Levenshtein.distance(truth, text)
    mended, at = "", 0
    for mistake in mistakes:
        assert truth[mistake.start :].startswith(mistake.written)
        assert text[mistake.first :].startswith(mistake.read)
        mended += text[at : mistake.first] + mistake.written
        at = mistake.first + len(mistake.read)
    assert mended + text[at:] == truth
