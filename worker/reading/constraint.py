"""Finds the best reading of a lattice that a field of a form allows, and the shares of all allowed readings.

A pattern is an automaton; a comb allows one letter per cell. Both together form states, and each letter leads
from one state to another. The best reading and the shares are found as without a constraint (Viterbi,
forward–backward), with every state at every node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.pattern import Automaton
from lettermill.worker.reading.lattice import WordLattice

_Moves = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a field allows.

    Attributes:
        moves: one array per cell (a single one without a comb): intp, states×characters: the state that a
            letter leads to; -1 if it is not allowed.
        accepting: bool, states: whether a reading may end there. It begins in state 0.
    """

    moves: tuple[_Moves, ...]
    accepting: NDArray[np.bool_]

    def best_reading(self, lattice: WordLattice, cells: Sequence[int]) -> list[tuple[int, int]] | None:
        """Return the best allowed reading: the candidate and the character of each letter.

        Args:
            lattice: what the ink may be.
            cells: the cell of each candidate; -1 if it cannot be a letter.

        Returns:
            The letters from left to right, characters as columns of the scores; None if no reading is
            allowed.
        """
        scores, null = lattice.scores[:, :-1], lattice.scores[:, -1]
        best = np.full((lattice.parts + 1, len(self.accepting)), -np.inf)
        best[0, 0] = 0.0
        back: dict[tuple[int, int], tuple[int, int, int]] = {}
        for index in np.lexsort((lattice.first, lattice.last)).tolist():
            first, last = int(lattice.first[index]), int(lattice.last[index])
            for state in np.flatnonzero(np.isfinite(best[first])).tolist():
                before = best[first, state]
                ways = [(before + null[index], state, -1)]
                if cells[index] >= 0:
                    leads = self.moves[cells[index]][state]
                    ways += [
                        (before + scores[index, char], int(leads[char]), char)
                        for char in np.flatnonzero(leads >= 0).tolist()
                    ]
                for score, there, char in ways:
                    if score > best[last, there]:
                        best[last, there] = score
                        back[last, there] = (index, state, char)

        ends = np.where(self.accepting, best[-1], -np.inf)
        node, state = lattice.parts, int(ends.argmax())
        if not np.isfinite(ends[state]):
            return None
        letters = []
        while node > 0:
            index, state, char = back[node, state]
            node = int(lattice.first[index])
            if char >= 0:
                letters.append((index, char))
        return letters[::-1]

    def log_posteriors(self, lattice: WordLattice, cells: Sequence[int]) -> tuple[NDArray[np.float64], float]:
        """Return the share of all allowed readings in which each candidate is each character.

        Args:
            lattice: what the ink may be.
            cells: as for `best_reading`.

        Returns:
            The logarithms of the shares, float64, n×characters; and the logarithm of the weight of all
            allowed readings, minus infinity if there are none.
        """
        scores, null = lattice.scores[:, :-1], lattice.scores[:, -1]
        shape = (lattice.parts + 1, len(self.accepting))
        forward, backward = np.full(shape, -np.inf), np.full(shape, -np.inf)
        forward[0, 0] = 0.0
        backward[-1, self.accepting] = 0.0
        for index in np.lexsort((lattice.first, lattice.last)).tolist():
            before, behind = forward[lattice.first[index]], forward[lattice.last[index]]
            np.logaddexp(behind, before + null[index], out=behind)
            if cells[index] >= 0 and np.isfinite(before).any():
                states, chars = np.nonzero((self.moves[cells[index]] >= 0) & np.isfinite(before)[:, None])
                there = self.moves[cells[index]][states, chars]
                np.logaddexp.at(behind, there, before[states] + scores[index, chars])

        total = float(np.logaddexp.reduce(np.where(self.accepting, forward[-1], -np.inf)))
        found = np.full(scores.shape, -np.inf)
        if not np.isfinite(total):
            return found, total

        for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
            first, behind = lattice.first[index], backward[lattice.last[index]]
            backward[first] = np.logaddexp(backward[first], behind + null[index])
            if cells[index] >= 0:
                leads = self.moves[cells[index]]
                ways = np.where(leads >= 0, behind[leads], -np.inf) + scores[index]
                backward[first] = np.logaddexp(backward[first], np.logaddexp.reduce(ways, axis=1))
                found[index] = np.logaddexp.reduce(forward[first][:, None] + ways, axis=0) - total
        return found, total


def make_constraint(automaton: Automaton, comb: int | None, characters: str) -> Constraint:
    """Make the constraint of a field.

    Args:
        automaton: accepts what the text may be.
        comb: the number of cells; None if the field is not a comb.
        characters: those of the columns of the lattices' scores.
    """
    states = len(automaton.moves)
    plain = np.full((states, len(characters)), -1, np.intp)
    for state, leads in enumerate(automaton.moves):
        for character, there in leads.items():
            plain[state, characters.index(character)] = there
    accepting = np.array(automaton.accepting)
    if comb is None:
        return Constraint((plain,), accepting)

    # A state of a comb is the number of cells already passed, combined with a state of the automaton.
    moves = []
    for cell in range(comb):
        one = np.full(((comb + 1) * states, len(characters)), -1, np.intp)
        one[: (cell + 1) * states] = np.tile(
            np.where(plain >= 0, plain + (cell + 1) * states, -1), (cell + 1, 1)
        )
        moves.append(one)
    return Constraint(tuple(moves), np.tile(accepting, comb + 1))
