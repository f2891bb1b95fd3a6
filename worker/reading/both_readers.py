"""Reads a line with both readers: the CNN that names each letter, and the network that reads the whole line.

Three or more readings of one line are compared, each a distribution over texts: both readers in one lattice,
and the line network alone, for each view of the line. The mean of these distributions decides (a mixture of
experts, Jacobs et al. 1991): where the letters were cut badly the line network is right alone, where a line
is unlike all that it was trained on the cuts are. A letter on which the readings differ loses confidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.worker.reading.classifier import RANKING_LENGTH, Ranking
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.line_evidence import ALONE, BOTH, Arcs, Steps, arcs_of, joined

BOTH_SHARE, ALONE_SHARE = 2.0, 1.0
"""How much a reading of both readers counts, and one of the line network alone."""

FLATTENING = 0.5
"""Power of a reading's probability of a text, because each reading is too sure."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadLetter:
    """A letter of a reading.

    Attributes:
        candidate: number of its candidate; None if the line network alone saw it.
        part: number of the part of the line in which it begins.
        left: its first column in the ink frame.
        right: one past its last column.
        ranking: what it may be.
    """

    candidate: int | None
    part: int
    left: float
    right: float
    ranking: Ranking


@dataclasses.dataclass(frozen=True, slots=True)
class _Expert:
    """One reading of the line.

    Attributes:
        lattice: of its arcs.
        arcs: those of the lattice.
        view: to which the arcs refer.
        share: how much the reading counts.
        text: its best text, as columns.
    """

    lattice: WordLattice
    arcs: Arcs
    view: Steps
    share: float
    text: tuple[int, ...]

    def edges(self, path: Sequence[int]) -> NDArray[np.float64]:
        """Return the first and last column of some arcs in the ink frame: float64, n×2."""
        nodes = np.stack((self.arcs.first[path], self.arcs.last[path]), axis=1)
        return np.asarray(self.view.left + self.arcs.nodes[nodes] * self.view.columns)

    def middles(self) -> NDArray[np.float64]:
        """Return where the ink of each arc is, by the line network: float64, arcs; ink frame columns."""
        seen = 1.001 - self.view.probabilities[:, -1]
        steps = np.arange(len(seen)) + 0.5
        masses, moments = (np.concatenate(([0.0], np.cumsum(one))) for one in (seen, seen * steps))
        first, last = self.arcs.nodes[self.arcs.first], self.arcs.nodes[self.arcs.last]
        mass = np.maximum(masses[last] - masses[first], 1e-6)
        middles = np.where(last > first, (moments[last] - moments[first]) / mass, first)
        return np.asarray(self.view.left + middles * self.view.columns)


def read_both(
    lattice: WordLattice,
    parts: NDArray[np.float64],
    views: Sequence[Steps],
    characters: str,
    marks: int,
) -> list[ReadLetter]:
    """Read a line.

    Args:
        lattice: of its candidates, scored with `line_evidence.WEIGHTS`.
        parts: where its parts lie, from `line_evidence.part_columns`.
        views: what the line network says of the line, in each view; at least one.
        characters: those that the CNN names; the columns of the lattice.
        marks: how many marks the line network knows beyond them.

    Returns:
        The letters from left to right. Marks are passed over.
    """
    experts = []
    for view in views:
        arcs = arcs_of(lattice, parts, view)
        for weights, share in ((BOTH, BOTH_SHARE), (ALONE, ALONE_SHARE)):
            scored = joined(lattice, arcs, marks, weights)
            best = scored.scores[scored.best_path(), :-1].argmax(axis=1)
            experts.append(_Expert(scored, arcs, view, share, tuple(best.tolist())))

    text = _best_text(experts)
    # Both readers before one: their letters are candidates with a place of their own.
    ordered = sorted(experts, key=lambda expert: (-expert.share, expert.text != text))
    spelled = ((expert, expert.lattice.align(text)) for expert in ordered)
    chosen, path = next((expert, path) for expert, path in spelled if path is not None)
    if not path:
        return []

    rankings = _rank(experts, chosen.middles()[path], text, characters)
    return [
        ReadLetter(
            index if index < chosen.arcs.candidates else None,
            int(chosen.arcs.part[index]),
            left,
            right,
            ranking,
        )
        for index, (left, right), ranking in zip(path, chosen.edges(path).tolist(), rankings, strict=True)
    ]


def _best_text(experts: Sequence[_Expert]) -> tuple[int, ...]:
    """Return the likeliest of the texts that some reading gives, as columns."""
    texts = list(dict.fromkeys(expert.text for expert in experts))
    if len(texts) == 1:
        return texts[0]
    totals = [expert.lattice.log_total() for expert in experts]
    mixed = []
    for text in texts:
        of_text = [
            np.log(expert.share) + FLATTENING * (expert.lattice.log_spelled(text) - total)
            for expert, total in zip(experts, totals, strict=True)
        ]
        mixed.append(float(np.logaddexp.reduce(of_text)))
    return texts[int(np.argmax(mixed))]


def _rank(
    experts: Sequence[_Expert], middles: NDArray[np.float64], text: Sequence[int], characters: str
) -> list[Ranking]:
    """Rank what each letter of a reading may be.

    The line is divided half way between its letters. The confidence of a character is the mean share, over
    all readings, of what has it in its letter's division. Where a reading has more than one letter in a
    division, each counts less: so a letter that is left out lowers the confidence of the one beside it.

    Args:
        experts: the readings.
        middles: float64, n: the column of the ink frame at each letter's middle, from left to right.
        text: n columns.
        characters: those of the columns.
    """
    borders = (middles[1:] + middles[:-1]) / 2
    of_letters = np.zeros((len(middles), len(characters)))
    weight = sum(expert.share for expert in experts)
    for expert in experts:
        shares = expert.lattice.posteriors()[:, :-1]
        division = np.searchsorted(borders, expert.middles())
        held = np.zeros_like(of_letters)
        np.add.at(held, division, shares)
        of_letters += expert.share / weight * held / np.maximum(1, held.sum(axis=1, keepdims=True))

    rankings = []
    for column, row in zip(text, np.minimum(of_letters, 1).tolist(), strict=True):
        order = sorted(range(len(row)), key=lambda one: -row[one])[:RANKING_LENGTH]
        rest = [other for other in order if other != column and row[other] > 0]
        chosen = (column, *rest[: RANKING_LENGTH - 1])
        rankings.append(tuple((characters[one], round(row[one], 6)) for one in chosen))
    return rankings
