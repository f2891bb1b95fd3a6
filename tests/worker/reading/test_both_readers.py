"""One reading of two readers: which view decides, who is doubted, and which marks are read."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.inputs.ngram import make_ngram
from lettermill.worker.reading.both_readers import (
    LEAST_MARK_SHARE,
    ReadLetter,
    experts_of,
    read_both,
    with_ink,
)
from lettermill.worker.reading.context import Context
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.line_evidence import Steps
from tests.worker.reading.test_line_evidence import steps_of

PARTS = np.array([[0.0, 8.0], [12.0, 20.0]])


def lattice(one: tuple[float, float, float], other: tuple[float, float, float]) -> WordLattice:
    """Two parts, each a candidate: scores as A, as B, and of passing over it."""
    return WordLattice(2, np.array([0, 1]), np.array([1, 2]), np.array([one, other]))


def read(scores: WordLattice, *views: Steps, between: str = "") -> list[ReadLetter]:
    return read_both(experts_of(scores, None, PARTS, views, 1), "AB", "-", between)


def text(letters: list[ReadLetter]) -> str:
    return "".join(letter.ranking[0][0] for letter in letters)


SURE = lattice((6, -6, -6), (-6, 6, -6))


def test_both_agree() -> None:
    letters = read(SURE, steps_of(" A    B   "))
    assert text(letters) == "AB"
    assert [letter.candidate for letter in letters] == [0, 1]
    assert all(letter.ranking[0][1] > 0.9 for letter in letters)
    assert not any(letter.disputed for letter in letters)
    assert letters[0].left == 0
    assert letters[1].right == 20


def test_a_dispute_lowers_the_confidence() -> None:
    agreed = read(SURE, steps_of(" A    B   "))
    disputed = read(SURE, steps_of(" B    B   "))
    assert disputed[0].ranking[0][1] < agreed[0].ranking[0][1]
    assert dict(disputed[0].ranking).keys() == {"A", "B"}
    assert [letter.disputed for letter in disputed] == [True, False]


def test_a_letter_that_a_reading_leaves_out_or_doubles_is_disputed() -> None:
    for said in (" A        ", " A   BAB  "):
        assert [letter.disputed for letter in read(SURE, steps_of(said))] == [False, True]


def test_a_mark_is_passed_over() -> None:
    letters = read(lattice((6, -6, -6), (-9, -9, -6)), steps_of(" A    -   "))
    assert text(letters) == "A"


def test_a_mark_between_letters_is_read_and_changes_none() -> None:
    view = steps_of(" A  -  B   ", sure=0.999)
    without = read(lattice((6, -6, -6), (-6, 6, -6)), view)
    letters = read(lattice((6, -6, -6), (-6, 6, -6)), view, between="-")
    assert (text(without), text(letters)) == ("AB", "A-B")
    assert [letters[0], letters[2]] == without
    mark = letters[1]
    assert mark.candidate is None
    assert letters[0].left < mark.left < mark.right <= letters[2].right
    assert LEAST_MARK_SHARE < mark.ranking[0][1] <= 1
    assert len(mark.ranking) == 1


def test_a_mark_that_is_a_candidate_has_its_place() -> None:
    parts = np.array([[0.0, 8.0], [12.0, 14.0], [18.0, 26.0]])
    three = WordLattice(
        3, np.arange(3), np.arange(1, 4), np.array([[6.0, -6, -6], [-9, -9, -4], [-6, 6, -6]])
    )
    experts = experts_of(three, None, parts, [steps_of(" A    -   B   ", sure=0.999)], 1)
    letters = read_both(experts, "AB", "-", "-")
    assert text(letters) == "A-B"
    assert [letter.candidate for letter in letters] == [0, 1, 2]
    assert [letter.part for letter in letters] == [0, 1, 2]


@pytest.mark.parametrize("said", [" -  A     B   ", " A    B    - ", " A    B     ", " -           "])
def test_no_mark_stands_before_the_first_letter_or_behind_the_last(said: str) -> None:
    assert "-" not in text(read(SURE, steps_of(said, sure=0.999), between="-"))


def test_a_mark_that_few_readings_have_is_left_out() -> None:
    view, blank = steps_of(" A  -  B   ", sure=0.999), steps_of(" A     B   ", sure=0.999)
    assert text(read(SURE, view, view, between="-")) == "A-B"
    assert text(read(SURE, view, blank, blank, blank, between="-")) == "AB"


def test_the_surer_view_decides() -> None:
    lost = Steps(np.full((10, 4), 0.25), 0.0, 2.0)
    unsure = lattice((0, 0, 0), (0, 0, 0))
    for views in ((lost, steps_of(" A    B   ")), (steps_of(" A    B   "), lost)):
        assert text(read(unsure, *views)) == "AB"


def test_a_letter_that_is_not_in_the_reading_lowers_its_neighbours() -> None:
    alone = lattice((6, -6, -6), (-20, -1, 0))
    without = read(alone, steps_of(" A        "))
    half = steps_of(" A    B   ")
    half.probabilities[6] = [0.01, 0.42, 0.01, 0.56]
    beside = read(alone, half)
    assert text(without) == text(beside) == "A"
    assert beside[0].ranking[0][1] < without[0].ranking[0][1] - 0.05


def test_nothing_to_read() -> None:
    assert read(lattice((-20, -20, 0), (-20, -20, 0)), steps_of("          ")) == []


@pytest.mark.parametrize("said", [" A    B   ", "AAABBB----", " AB AB AB "])
def test_confidences_are_shares(said: str) -> None:
    for letter in read(lattice((1, 0, -1), (0, 1, -1)), steps_of(said)):
        shares = [confidence for _, confidence in letter.ranking]
        assert shares == sorted(shares, reverse=True) or shares[0] > 0
        assert 0 <= sum(shares) <= 1 + 1e-5


ONLY_AA = Context(make_ngram({"AA": 9}), "AB")


def test_a_context_decides_where_the_ink_leaves_a_choice() -> None:
    doubtful = lattice((6, -6, -6), (0, 0.5, -6))
    view = steps_of(" A        ")
    view.probabilities[5:8, :2] = 0.35, 0.4
    view.probabilities[5:8, 2:] = view.probabilities[5:8, 2:] * 0.25
    experts = experts_of(doubtful, None, PARTS, [view], 1)

    by_ink = read_both(experts, "AB", "-")
    read = read_both(experts, "AB", "-", context=ONLY_AA, word_of_part=[0, 0])

    assert text(by_ink) == "AB"
    assert text(read) == "AA"
    assert [letter.by_ink for letter in by_ink] == [None, None]
    assert [letter.by_ink for letter in read] == [None, "B"]
    assert [(one.left, one.right) for one in read] == [(one.left, one.right) for one in by_ink]
    assert read[1].disputed


def test_a_context_leaves_sure_ink_alone() -> None:
    experts = experts_of(SURE, None, PARTS, [steps_of(" A    B   ")], 1)

    read = read_both(experts, "AB", "-", context=ONLY_AA, word_of_part=[0, 0])

    assert text(read) == "AB"
    assert [letter.by_ink for letter in read] == [None, None]


@pytest.mark.parametrize(
    ("by_ink", "read", "noted"),
    [
        ("HARIE", "MARIE", ["H", None, None, None, None]),
        ("MARE", "MARIE", [None, None, None, "", None]),
        ("MARIIE", "MARIE", [None, None, None, "II", None]),
        ("XMARIE", "MARIE", ["XM", None, None, None, None]),
        ("MARIE", "MARIE", [None] * 5),
    ],
)
def test_what_the_ink_alone_gives_is_noted(by_ink: str, read: str, noted: list[str | None]) -> None:
    letters = [ReadLetter(None, 0, 0.0, 1.0, ((one, 1.0),), False) for one in read]

    assert [one.by_ink for one in with_ink(letters, by_ink)] == noted
