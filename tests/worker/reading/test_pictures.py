"""Rows that are pieces of a picture are dropped, rows of writing stay, and clean pages are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.segmentation.page import segment
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.values import Box, Candidate, Flaw, Ink, Line, Quality, Segmentation, Word
from lettermill.worker.reading.classifier import Classification
from lettermill.worker.reading.pictures import LEAST_PIECES, drop_pictures
from tests.cases.makers.pictures import gravel, screened

SURE, DOUBTFUL, NO_LETTER = (0.95, 0.05), (0.6, 0.4), (0.5, 0.9)
"""Probability of the likeliest character, and of the reject class."""


def page_of(rows):
    """A page whose rows have pieces with these probabilities."""
    lines = []
    for number, row in enumerate(rows):
        box = Box(0, 40 * number, 20 * len(row), 30)
        blank = np.zeros((30, 20), np.uint8)
        pieces = [
            Candidate(Box(20 * at, 40 * number, 18, 30), blank, blank, 20 * at, 40 * number, at, at + 1)
            for at in range(len(row))
        ]
        lines.append(Line(box, (Word(tuple(pieces), ()),), 30.0))
    certain = np.array([piece for row in rows for piece in row], np.float32).reshape(-1, 2)
    probabilities = np.stack((certain[:, 0], 1 - certain[:, 0]), axis=1)
    ink = Ink(np.zeros((10, 10), np.uint8), 0.0, np.eye(2, 3))
    found = Segmentation(tuple(lines), 0.0, Quality(30.0, 4.0, 90.0, 0.01, 0.9), 0, ink)
    return found, Classification(probabilities, certain[:, 1], 0 * certain[:, 1])


def test_a_picture_has_no_lines_and_says_that_its_ink_is_not_read() -> None:
    found, kept = drop_pictures(*page_of([[NO_LETTER] * 12] * 20))
    assert found.lines == ()
    assert found.ink is None
    assert len(kept.probabilities) == len(kept.reject) == 0
    assert find_flaws(found) == (Flaw.MUCH_INK_UNREAD,)


def test_writing_on_a_picture_stays() -> None:
    before, components = page_of([[NO_LETTER] * 12] * 20 + [[NO_LETTER, *[SURE] * 8, NO_LETTER]])
    after, kept = drop_pictures(before, components)
    assert after.lines == before.lines[-1:]
    assert np.array_equal(kept.probabilities, components.probabilities[-10:])
    assert np.array_equal(kept.reject, components.reject[-10:])
    assert Flaw.MUCH_INK_UNREAD in find_flaws(after)


@pytest.mark.parametrize(
    "rows",
    [
        [[SURE] * 30] * 40,
        [[DOUBTFUL] * 30] * 40,
        [[SURE] * 20] * 10 + [[NO_LETTER] * 20] * 20,
        [[NO_LETTER] * (LEAST_PIECES - 1)],
        [],
    ],
    ids=["clean", "doubtful", "half a picture", "few pieces", "empty"],
)
def test_other_pages_are_left_alone(rows) -> None:
    before, components = page_of(rows)
    after, kept = drop_pictures(before, components)
    assert after is before
    assert kept is components


def test_a_lone_piece_that_looks_like_a_letter_is_no_writing() -> None:
    found, _ = drop_pictures(*page_of([[NO_LETTER] * 12] * 20 + [[SURE]]))
    assert found.lines == ()


def test_a_screen_is_not_ten_thousand_letters() -> None:
    """The dots of a screen neither become letters nor take their time."""
    grey = np.full((900, 900), 140, np.uint8)
    found = segment(screened(grey, 9.0))
    assert sum(len(word.candidates) for line in found.lines for word in line.words) < 100


def test_gravel_falls_into_hundreds_of_pieces() -> None:
    """What the made case relies on: there is something to drop."""
    found = segment(gravel(3))
    assert sum(len(word.candidates) for line in found.lines for word in line.words) >= LEAST_PIECES
