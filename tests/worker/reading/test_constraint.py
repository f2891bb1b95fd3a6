"""Readings under a constraint, compared with all readings written out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.inputs.pattern import Automaton, automaton_of
from lettermill.worker.reading.constraint import make_constraint
from lettermill.worker.reading.lattice import WordLattice
from tests.automata import accepts

CHARACTERS = "AB01"


def lattice_of(rng: np.random.Generator, parts: int = 4) -> WordLattice:
    spans = [(first, last) for first in range(parts) for last in range(first + 1, min(parts, first + 2) + 1)]
    first, last = (np.array(ends, np.intp) for ends in zip(*spans, strict=True))
    scores = rng.normal(0, 2, (len(spans), len(CHARACTERS) + 1))
    scores[last - first > 1, -1] = -np.inf
    return WordLattice(parts, first, last, scores)


def readings(lattice: WordLattice) -> Iterator[tuple[float, list[tuple[int, int]]]]:
    """Every way through the lattice: its score, and its letters."""

    def ways(node: int) -> Iterator[list[int]]:
        if node == lattice.parts:
            yield []
        for index in np.flatnonzero(lattice.first == node).tolist():
            for rest in ways(int(lattice.last[index])):
                yield [index, *rest]

    for path in ways(0):
        for chars in itertools.product(range(len(CHARACTERS) + 1), repeat=len(path)):
            score = sum(lattice.scores[index, char] for index, char in zip(path, chars, strict=True))
            if np.isfinite(score):
                pairs = zip(path, chars, strict=True)
                yield float(score), [pair for pair in pairs if pair[1] < len(CHARACTERS)]


def is_allowed(
    letters: list[tuple[int, int]], automaton: Automaton, comb: int | None, cells: list[int]
) -> bool:
    places = [cells[index] for index, _ in letters]
    if -1 in places or (comb is not None and any(b <= a for a, b in itertools.pairwise(places))):
        return False
    return accepts(automaton, "".join(CHARACTERS[char] for _, char in letters))


@pytest.mark.parametrize("pattern", ["alnum", "letters", r"[AB]\d{1,2}", r"A?[AB]?\d", r"\d{3}"])
@pytest.mark.parametrize("comb", [None, 3])
def test_best_and_shares_are_those_of_all_allowed_readings(pattern: str, comb: int | None) -> None:
    whole = automaton_of(pattern)
    moves = tuple({char: to for char, to in each.items() if char in CHARACTERS} for each in whole.moves)
    automaton = Automaton(moves, whole.accepting, whole.shortest)
    constraint = make_constraint(automaton, comb, CHARACTERS)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        lattice = lattice_of(rng)
        middles = (lattice.first + lattice.last) / 2
        cells = [0 if comb is None else int(middle * 3 // 4) for middle in middles]
        cells[2] = -1
        allowed = [each for each in readings(lattice) if is_allowed(each[1], automaton, comb, cells)]
        assert allowed
        restricted = constraint.restrict(lattice, cells)
        assert restricted is not None
        assert letters_of(*restricted) == max(allowed)[1]
        found, source = restricted
        assert found.log_total() == pytest.approx(np.logaddexp.reduce([score for score, _ in allowed]))
        shares, expected = np.zeros((2, *lattice.scores[:, :-1].shape))
        np.add.at(shares, source, found.posteriors()[:, :-1])
        for score, letters in allowed:
            for index, char in letters:
                expected[index, char] += np.exp(score - found.log_total())
        np.testing.assert_allclose(shares, expected, atol=1e-9)


def letters_of(lattice: WordLattice, source: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The best reading of a restricted lattice."""
    best = lattice.best_path()
    columns = lattice.scores[best, :-1].argmax(axis=1)
    return list(zip(source[best].tolist(), columns.tolist(), strict=True))


def test_a_text_is_spelled_in_allowed_cells_only() -> None:
    lattice = lattice_of(np.random.default_rng(2))
    constraint = make_constraint(automaton_of_all(), 2, CHARACTERS)
    cells = [0 if first < 2 else 1 for first in lattice.first.tolist()]
    restricted = constraint.restrict(lattice, cells)
    assert restricted is not None
    found, source = restricted
    path = found.align([0, 3])
    assert path is not None
    assert [cells[index] for index in source[path]] == [0, 1]
    assert found.align([0, 3, 1]) is None


def automaton_of_all() -> Automaton:
    return Automaton((dict.fromkeys(CHARACTERS, 0),), (True,), 0)


def test_no_reading_is_allowed_where_ink_is_too_little() -> None:
    lattice = lattice_of(np.random.default_rng(1), parts=2)
    constraint = make_constraint(
        Automaton(({"0": 1}, {"0": 2}, {"0": 3}, {}), (False, False, False, True), 3), None, "AB01"
    )
    cells = [0] * len(lattice.first)
    assert constraint.restrict(lattice, cells) is None


def test_without_limits_nothing_changes() -> None:
    lattice = lattice_of(np.random.default_rng(5), parts=6)
    constraint = make_constraint(automaton_of_all(), None, CHARACTERS)
    restricted = constraint.restrict(lattice, [0] * len(lattice.first))
    assert restricted is not None
    same, source = restricted
    assert source.tolist() == list(range(len(lattice.first)))
    assert same.parts == lattice.parts
    for name in ("first", "last", "scores"):
        np.testing.assert_array_equal(getattr(same, name), getattr(lattice, name))
