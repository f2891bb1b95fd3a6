"""Restricts a lattice to the readings that a field of a form allows.

A pattern is an automaton; a comb allows one letter per cell. Both together form states, and each letter leads
from one state to another. The restricted lattice has a node for each pair of a node and a state that can be
reached and from which a reading can end (the intersection of two automata), so all that is asked of a lattice
can be asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.pattern import Automaton
from lettermill.worker.reading.lattice import WordLattice


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways from state to state in one cell.

    Attributes:
        before: intp, n: the state that each way begins in.
        behind: intp, n: the state that it leads to.
        taken: bool, n×(characters + 1): the characters that lead there; the last is no letter.
    """

    before: NDArray[np.intp]
    behind: NDArray[np.intp]
    taken: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a field allows.

    Attributes:
        cells: the ways in each cell (a single one without a comb), and at last those of what is no letter.
        accepting: bool, states: whether a reading may end there. It begins in state 0.
    """

    cells: tuple[_Ways, ...]
    accepting: NDArray[np.bool_]

    def restrict(
        self, lattice: WordLattice, cells: Sequence[int]
    ) -> tuple[WordLattice, NDArray[np.intp]] | None:
        """Leave out all readings that are not allowed.

        Args:
            lattice: what the ink may be.
            cells: the cell of each candidate; -1 if it cannot be a letter.

        Returns:
            A lattice of the allowed readings, each with its score; and intp, n: for each of its candidates
            the number of the one that it stands for. None if no reading is allowed.
        """
        order = np.lexsort((lattice.first, lattice.last)).tolist()
        first, last = lattice.first.tolist(), lattice.last.tolist()
        possible = np.isfinite(lattice.scores)
        ways_of = [self.cells[cell] for cell in cells]
        alive = [(ways.taken & row).any(axis=1) for ways, row in zip(ways_of, possible, strict=True)]

        reached = np.zeros((lattice.parts + 1, len(self.accepting)), np.bool_)
        reached[0, 0] = True
        for index in order:
            ways = ways_of[index]
            alive[index] &= reached[first[index], ways.before]
            reached[last[index], ways.behind[alive[index]]] = True

        ends = np.zeros_like(reached)
        ends[-1] = self.accepting
        for index in sorted(order, key=lambda one: -first[one]):
            ways = ways_of[index]
            alive[index] &= ends[last[index], ways.behind]
            ends[first[index], ways.before[alive[index]]] = True
        if not ends[0, 0]:
            return None

        # Pairs of node and state get numbers in the order of the nodes; at the last node all states are one.
        numbers = np.cumsum(reached & ends).reshape(reached.shape) - 1
        numbers[-1] = numbers[-2].max() + 1
        source = np.repeat(np.arange(len(first)), [int(one.sum()) for one in alive])
        before, behind, taken = (
            np.concatenate([part[one] for part, one in zip(parts, alive, strict=True)])
            for parts in zip(*((ways.before, ways.behind, ways.taken) for ways in ways_of), strict=True)
        )
        restricted = WordLattice(
            int(numbers[-1, 0]),
            numbers[lattice.first[source], before],
            numbers[lattice.last[source], behind],
            np.where(taken, lattice.scores[source], -np.inf),
        )
        return restricted, source


def make_constraint(automaton: Automaton, comb: int | None, characters: str) -> Constraint:
    """Make the constraint of a field.

    Args:
        automaton: accepts what the text may be.
        comb: the number of cells; None if the field is not a comb.
        characters: those of the columns of the lattices' scores.
    """
    states = len(automaton.moves)
    letters = {
        (before, behind, characters.index(character))
        for before, leads in enumerate(automaton.moves)
        for character, behind in leads.items()
    }
    accepting = np.array(automaton.accepting)
    if comb is None:
        return Constraint((_ways(letters, states, characters), _ways(set(), states, characters)), accepting)

    # A state of a comb is the number of cells already passed, combined with a state of the automaton.
    total = (comb + 1) * states
    cells = [
        {
            (before + passed * states, behind + (cell + 1) * states, column)
            for before, behind, column in letters
            for passed in range(cell + 1)
        }
        for cell in range(comb)
    ]
    ways = [_ways(one, total, characters) for one in (*cells, set())]
    return Constraint(tuple(ways), np.tile(accepting, comb + 1))


def _ways(letters: set[tuple[int, int, int]], states: int, characters: str) -> _Ways:
    """Return the ways of letters, given as state before, state behind and column, and those of no letter."""
    nothing = {(state, state, len(characters)) for state in range(states)}
    steps = np.array(sorted(letters | nothing), np.intp)
    pairs, numbers = np.unique(steps[:, :2], axis=0, return_inverse=True)
    taken = np.zeros((len(pairs), len(characters) + 1), np.bool_)
    taken[numbers.reshape(-1), steps[:, 2]] = True
    return _Ways(pairs[:, 0], pairs[:, 1], taken)
