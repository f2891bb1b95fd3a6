"""What can be accepted unseen."""

from __future__ import annotations

import pytest

from bench.acceptance import ReadImage, Unflagged, count_unflagged, share_accepted


def one(truth: str, read: str, confidence: float = 0.9, flagged: str = "") -> ReadImage:
    """An image whose letters have one confidence; `flagged` has an x for each flagged letter."""
    marks = tuple(mark == "x" for mark in flagged.ljust(len(read)))
    return ReadImage(truth, read, (confidence,) * len(read), marks)


def test_images_are_accepted_down_to_the_last_place_where_the_rate_holds() -> None:
    images = [
        one("A", "A", 0.9),
        one("A", "B", 0.8),
        one("A", "A", 0.7),
        one("A", "A", 0.6),
        one("A", "B", 0.5),
    ]
    assert share_accepted(images, 1.0) == pytest.approx(1 / 5)
    assert share_accepted(images, 0.75) == pytest.approx(4 / 5)
    assert share_accepted(images, 0.6) == 1.0


def test_the_least_confidence_ranks_an_image() -> None:
    sure_but_for_one = ReadImage("AB", "AC", (0.99, 0.1), (False, False))
    assert share_accepted([sure_but_for_one, one("A", "A", 0.5)], 1.0) == 0.5


def test_images_of_one_confidence_are_accepted_together() -> None:
    assert share_accepted([one("A", "A"), one("A", "B")], 0.99) == 0.0
    assert share_accepted([one("A", "B"), one("A", "A")], 0.5) == 1.0


def test_images_without_letters_are_never_accepted() -> None:
    assert share_accepted([one("", ""), one("A", "A")], 0.5) == 0.5
    assert share_accepted([], 0.5) == 0.0


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (one("ANNA", "ANNA"), Unflagged(4, 4, 4, 0)),
        (one("ANNA", "ANMA"), Unflagged(4, 4, 3, 0)),
        (one("ANNA", "ANMA", flagged="  x "), Unflagged(4, 3, 3, 0)),
        (one("AB", "AXB"), Unflagged(3, 3, 2, 0)),
        (one("AXB", "AB"), Unflagged(2, 2, 2, 1)),
        (one("AXB", "AB", flagged="x "), Unflagged(2, 1, 1, 0)),
        (one("AXB", "AB", flagged=" x"), Unflagged(2, 1, 1, 0)),
        (one("AXBC", "ABC", flagged="  x"), Unflagged(3, 2, 2, 1)),
        (one("XYA", "A"), Unflagged(1, 1, 1, 2)),
        (one("AXY", "A", flagged="x"), Unflagged(1, 0, 0, 0)),
        (one("AB", ""), Unflagged(0, 0, 0, 2)),
        (one("", "A"), Unflagged(1, 1, 0, 0)),
    ],
)
def test_unflagged_letters_are_counted(image: ReadImage, expected: Unflagged) -> None:
    assert count_unflagged([image]) == expected


def test_missed_letters_count_as_wrong() -> None:
    counted = count_unflagged([one("AXB", "AB"), one("AB", "AC")])
    assert counted == Unflagged(4, 4, 3, 1)
    assert counted.accuracy == pytest.approx(3 / 5)
    assert count_unflagged([]).accuracy == 0.0
