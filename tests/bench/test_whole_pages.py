"""Letters count for the field that they stand in; others are invented."""

from __future__ import annotations

import numpy as np

from bench.whole_pages import Counts, Place, count_page
from lettermill.jobs.records.readings import Box, Letter


def letter(character: str, x: int, y: int = 10) -> Letter:
    return Letter(Box(x, y, 10, 10), 1, ((character, 0.9),), False)


def place(text: str, left: int, right: int) -> Place:
    corners = [[left, 0], [right, 0], [right, 30], [left, 30]]
    return Place(text, np.array(corners, np.float32))


def test_letters_count_for_their_field() -> None:
    letters = [letter("A", 5), letter("B", 20), letter("-", 30), letter("X", 105)]
    counts = count_page(letters, [place("AB", 0, 50), place("XY", 100, 150)])
    assert counts == Counts(fields=2, exact=1, written=4, edits=1, missed=1, invented=0)


def test_letters_elsewhere_and_in_empty_fields_are_invented() -> None:
    letters = [letter("A", 5), letter("I", 105), letter("O", 300)]
    counts = count_page(letters, [place("A", 0, 50), place("", 100, 150)])
    assert (counts.fields, counts.exact, counts.invented) == (1, 1, 2)


def test_counts_add_up() -> None:
    one = Counts(fields=1, exact=1, written=4, edits=0, missed=0, invented=1)
    assert one + one == Counts(2, 2, 8, 0, 0, 2)
    assert str(one) == "1 of 1 fields exact (100.0%), CER 0.0%, missed 0.0%, invented 25.0% of 4 letters"
