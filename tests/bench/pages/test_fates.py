"""The judge of readings, on boxes set by hand."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bench.pages.fates import judge


class Box(NamedTuple):
    character: str
    x: int
    width: int = 20
    y: int = 0
    height: int = 40


A, B, C = Box("A", 0), Box("B", 30), Box("C", 60)
BOTH = Box("H", 0, 50)  # over A and B


def fates(read: list[Box], truth: tuple[Box, ...] = (A, B, C)) -> tuple[tuple[str, ...], int]:
    judged = judge(truth, read)
    return judged.letters, judged.invented


def test_all_right() -> None:
    assert fates([A, B, C]) == (("right",) * 3, 0)


def test_misread() -> None:
    assert fates([A, Box("8", 30), C]) == (("right", "misread", "right"), 0)


def test_missed() -> None:
    assert fates([A, C]) == (("right", "missed", "right"), 0)
    assert fates([]) == (("missed",) * 3, 0)


def test_invented() -> None:
    assert fates([A, B, C, Box("I", 100)]) == (("right",) * 3, 1)
    assert fates([Box("I", 100)], ()) == ((), 1)
    speck = Box("I", 35, 4, 10, 4)
    assert fates([A, B, speck, C]) == (("right",) * 3, 1)


def test_split() -> None:
    halves = [Box("I", 30, 9), Box("J", 41, 9)]
    assert fates([A, *halves, C]) == (("right", "split", "right"), 0)
    large_and_small = [Box("I", 30, 14), Box("J", 45, 5)]
    assert fates([A, *large_and_small, C]) == (("right", "split", "right"), 0)


def test_merged() -> None:
    assert fates([BOTH, C]) == (("merged", "merged", "right"), 0)
    # The box is nearly A's own, but B went into it.
    assert fates([Box("A", 0, 30), C], (A, Box("I", 22, 6), C)) == (("merged", "merged", "right"), 0)


def test_merged_with_a_rule() -> None:
    ruled = Box("L", 28, 60)
    assert fates([A, ruled], (A, B)) == (("right", "merged"), 0)
    assert fates([A, ruled._replace(character="B")], (A, B)) == (("right", "right"), 0)


def test_out_of_order() -> None:
    assert fates([B, C, A])[0].count("out of order") == 1
    assert fates([B, C, A]) == (("out of order", "right", "right"), 0)


def test_overlapping_letters_keep_their_own() -> None:
    leaning = (Box("L", 0, 30), Box("T", 12, 30))
    assert fates(list(leaning), leaning) == (("right", "right"), 0)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 90), st.integers(1, 60)), max_size=6))
def test_every_letter_has_one_fate_and_no_more_are_invented_than_read(
    drawn: list[tuple[str, int, int]],
) -> None:
    read = [Box(*each) for each in drawn]
    judged = judge((A, B, C), read)
    assert len(judged.letters) == 3
    assert 0 <= judged.invented <= len(read)
    assert judged.counts == Counter(judged.letters) + Counter(invented=judged.invented)
