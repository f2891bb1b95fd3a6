"""Reads a line with both readers: the CNN that names each letter, and the network that reads the whole line.

Several readings of one line are compared, each a distribution over texts: for each view of the line both
readers in one lattice, and the line network alone; and the CNN alone. The mean of these distributions decides
(a mixture of experts, Jacobs et al. 1991): where the letters were cut badly the line network is right alone,
where a line is unlike all that it was trained on the cuts are. A letter on which the readings differ loses
confidence.

The letters are chosen with all marks (/ - . , ') passed over. Then what was passed over between two letters
is a mark if enough of the readings have one there, so a mark changes no letter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.worker.reading.classifier import RANKING_LENGTH, Ranking
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.line_evidence import (
    ALONE,
    BOTH,
    Arcs,
    LineWeights,
    Steps,
    arcs_of,
    joined,
    mark_scores,
)

FLATTENING = 0.5
"""Power of a reading's probability of a text, because each reading is too sure."""

FLATTENED_LETTERS = 3.0
"""Power times the letters of the text, at most: a reading that sees nothing is sure of it, and would outvote
all that are unsure of a long text."""

SEEN_PROBABILITY, REACH_STEPS = 0.1, 3
"""The box of a letter that was not cut: the steps at which the line network gives it with this probability,
and so many steps to either side, because ink is wider than these."""

LEAST_MARK_SHARE = 0.3
"""Share of the readings that must have a mark between two letters: with 0.3 to 0.5 four in five are there."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadLetter:
    """A letter of a reading, or a mark.

    Attributes:
        candidate: number of its candidate; None if the line network alone saw it.
        part: number of the part of the line in which it begins.
        left: its first column in the ink frame.
        right: one past its last column.
        ranking: what it may be.
        disputed: whether a reading has another character there, none, or several.
    """

    candidate: int | None
    part: int
    left: float
    right: float
    ranking: Ranking
    disputed: bool

    def nearest_part(self, parts: NDArray[np.float64]) -> int:
        """Return the number of the part that it lies nearest to: it may begin in the gap behind a word.

        Args:
            parts: from `line_evidence.part_columns`.
        """
        if self.candidate is not None:
            return self.part
        return int(np.abs(parts.mean(axis=1) - (self.left + self.right) / 2).argmin())


@dataclasses.dataclass(frozen=True, slots=True)
class Expert:
    """One reading of the line.

    Attributes:
        lattice: what the line may be.
        arcs: what the line may be cut into.
        source: intp, n: for each arc of the lattice its number in `arcs`.
        view: to which the arcs refer.
        weights: with which the arcs were scored; None if the CNN reads alone.
    """

    lattice: WordLattice
    arcs: Arcs
    source: NDArray[np.intp]
    view: Steps
    weights: LineWeights | None

    def best_text(self) -> tuple[int, ...]:
        """Return its best text, as columns."""
        return tuple(self.lattice.scores[self.lattice.best_path(), :-1].argmax(axis=1).tolist())

    def edges(self, path: Sequence[int]) -> NDArray[np.float64]:
        """Return the first and last column of some arcs in the ink frame: float64, n×2."""
        arcs = self.source[path]
        nodes = np.stack((self.arcs.first[arcs], self.arcs.last[arcs]), axis=1)
        return np.asarray(self.view.left + self.arcs.nodes[nodes] * self.view.columns)

    def seen_edges(self, arc: int) -> tuple[float, float]:
        """Return the columns of the ink frame between which the line network sees the letter of an arc."""
        own = int(self.source[arc])
        first, last = (int(self.arcs.nodes[ends[own]]) for ends in (self.arcs.first, self.arcs.last))
        seen = np.flatnonzero(1 - self.view.probabilities[first:last, -1] >= SEEN_PROBABILITY)
        if len(seen):
            first, last = (
                max(first, first + int(seen[0]) - REACH_STEPS),
                min(last, first + int(seen[-1]) + 1 + REACH_STEPS),
            )
        return self.view.left + first * self.view.columns, self.view.left + last * self.view.columns

    def middles(self) -> NDArray[np.float64]:
        """Return where the ink of each arc is: float64, arcs; columns of the ink frame."""
        return self.arcs.middles[self.source]


def read_both(
    experts: Sequence[Expert], characters: str, marks: str = "", between: str = ""
) -> list[ReadLetter]:
    """Read a line.

    Args:
        experts: its readings, at least one.
        characters: those that the CNN names; the columns of the lattices.
        marks: those that the line network knows beyond them.
        between: those of the marks that are read between letters; others are passed over.

    Returns:
        The letters and marks from left to right.
    """
    shares = [expert.lattice.posteriors() for expert in experts]
    letters = _mean_reading(experts, shares, characters)
    found = _marks_between(experts, shares, letters, marks, between)
    return [one for at, letter in enumerate(letters) for one in (letter, found.get(at)) if one is not None]


def experts_of(
    lattice: WordLattice,
    cnn: WordLattice | None,
    parts: NDArray[np.float64],
    views: Sequence[Steps],
    marks: int,
) -> list[Expert]:
    """Return the readings of a line: two for each view, and that of the CNN alone.

    Args:
        lattice: of its candidates, scored with `line_evidence.WEIGHTS`.
        cnn: of the same, scored for the CNN alone; None if that is to have no say.
        parts: where its parts lie, from `line_evidence.part_columns`.
        views: what the line network says of the line, in each view; at least one.
        marks: how many characters the line network knows beyond those that the CNN names.
    """
    experts = []
    for view, arcs in zip(views, arcs_of(lattice, parts, views), strict=True):
        for weights in (BOTH, ALONE):
            scored = joined(lattice, arcs, marks, weights)
            experts.append(Expert(scored, arcs, np.arange(len(arcs.first)), view, weights))
    if cnn is not None:  # Its arcs are the candidates, which come first among all.
        first = experts[0]
        experts.append(
            dataclasses.replace(first, lattice=cnn, source=np.arange(len(cnn.first)), weights=None)
        )
    return experts


def _mean_reading(
    experts: Sequence[Expert], shares: Sequence[NDArray[np.float64]], characters: str
) -> list[ReadLetter]:
    """Return the reading in which several readings of a line agree best.

    Args:
        experts: the readings, at least one.
        shares: of each reading, from `WordLattice.posteriors`.
        characters: those of the columns of their lattices.
    """
    texts = [expert.best_text() for expert in experts]
    text = _best_text(experts, texts)
    # Candidates have a place of their own, so the line network alone comes last.
    pairs = sorted(
        zip(experts, texts, strict=True), key=lambda pair: (pair[0].weights is ALONE, pair[1] != text)
    )
    spelled = ((expert, expert.lattice.align(text)) for expert, _ in pairs)
    chosen, path = next((expert, path) for expert, path in spelled if path is not None)
    if not path:
        return []

    rankings, disputed = _rank(experts, shares, chosen.middles()[path], text, characters)
    return [
        ReadLetter(
            index if index < chosen.arcs.candidates else None,
            int(chosen.arcs.part[index]),
            *chosen.seen_edges(arc),
            ranking,
            is_disputed,
        )
        for arc, index, ranking, is_disputed in zip(
            path, chosen.source[path].tolist(), rankings, disputed, strict=True
        )
    ]


def _best_text(experts: Sequence[Expert], found: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the likeliest of the texts that some reading found, as columns."""
    texts = list(dict.fromkeys(found))
    if len(texts) == 1:
        return texts[0]
    power = min(FLATTENING, FLATTENED_LETTERS / max(1, *map(len, texts)))
    log_shares = [expert.lattice.log_spelled(texts) - expert.lattice.log_total() for expert in experts]
    mixed = np.logaddexp.reduce(power * np.array(log_shares), axis=0)
    return texts[int(mixed.argmax())]


def _rank(
    experts: Sequence[Expert],
    shares: Sequence[NDArray[np.float64]],
    middles: NDArray[np.float64],
    text: Sequence[int],
    characters: str,
) -> tuple[list[Ranking], list[bool]]:
    """Rank what each letter of a reading may be.

    The line is divided half way between its letters. The confidence of a character is the mean share, over
    all readings, of what has it in its letter's division. Where a reading has more than one letter in a
    division, each counts less: so a letter that is left out lowers the confidence of the one beside it.

    Args:
        experts: the readings.
        shares: of each reading, from `WordLattice.posteriors`.
        middles: float64, n: the column of the ink frame at each letter's middle, from left to right.
        text: n columns.
        characters: those of the columns.

    Returns:
        For each letter what it may be, and whether it is disputed: the likeliest character of a reading in
        its division is another one, or the reading has no letter or several there.
    """
    columns = np.array(text, np.intp)
    disputed = np.zeros(len(middles), np.bool_)
    borders = (middles[1:] + middles[:-1]) / 2
    of_letters = np.zeros((len(middles), len(characters)))
    divisions = np.arange(len(middles))[:, None]
    for expert, of_arcs in zip(experts, shares, strict=True):
        held = (divisions == np.searchsorted(borders, expert.middles())) @ of_arcs[:, :-1]
        disputed |= (held.argmax(axis=1) != columns) | (np.abs(held.sum(axis=1) - 1) > 0.5)
        of_letters += held / len(experts) / np.maximum(1, held.sum(axis=1, keepdims=True))

    of_letters = np.minimum(of_letters, 1)
    orders = np.argsort(-of_letters, axis=1, kind="stable")[:, :RANKING_LENGTH].tolist()
    rankings = []
    for column, order, row in zip(text, orders, of_letters.tolist(), strict=True):
        rest = [other for other in order if other != column and row[other] > 0]
        chosen = (column, *rest[: RANKING_LENGTH - 1])
        rankings.append(tuple((characters[one], round(row[one], 6)) for one in chosen))
    return rankings, disputed.tolist()


def _marks_between(
    experts: Sequence[Expert],
    shares: Sequence[NDArray[np.float64]],
    letters: Sequence[ReadLetter],
    marks: str,
    between: str,
) -> dict[int, ReadLetter]:
    """Find the marks between the letters of a reading, at most one between two.

    An arc counts where it lies between the middles of two neighbours. The confidence of a mark is the mean
    share, over all readings, of what has it there.

    Args:
        experts: the readings.
        shares: of each reading, from `WordLattice.posteriors`.
        letters: from left to right.
        marks: those that the line network knows.
        between: those of them that are read.

    Returns:
        The marks, each by the number of the letter before it.
    """
    gaps, columns = len(letters) - 1, [marks.index(mark) for mark in between]
    if gaps < 1 or not columns:
        return {}
    middles = np.array([(letter.left + letter.right) / 2 for letter in letters])
    seen = []
    for expert, of_arcs in zip(experts, shares, strict=True):
        if expert.weights is None:
            continue
        left, right = expert.edges(range(len(expert.source))).T
        gap = np.searchsorted(middles, left, side="right") - 1
        inside = np.flatnonzero((gap >= 0) & (gap < gaps) & (right <= middles[np.minimum(gap + 1, gaps)]))
        nulls = np.maximum(expert.lattice.scores[inside, -1:], np.finfo(np.float64).min)
        scores = mark_scores(expert.arcs, len(marks), expert.weights)[expert.source[inside]][:, columns]
        of_marks = of_arcs[inside, -1:] * np.exp(scores - nulls)
        seen.append((expert, inside, np.arange(gaps)[:, None] == gap[inside], of_marks))

    found = {}
    held = np.array([in_gaps @ of_marks for _, _, in_gaps, of_marks in seen])
    means = np.minimum(held, 1).mean(axis=0)
    for at in np.flatnonzero(means.max(axis=1) >= LEAST_MARK_SHARE).tolist():
        order = np.argsort(-means[at], kind="stable")[:RANKING_LENGTH].tolist()
        ranking = tuple(
            (between[one], round(float(means[at, one]), 6)) for one in order if means[at, one] > 0
        )
        places = [
            (of_marks[row, order[0]], expert, int(inside[row]))
            for expert, inside, in_gaps, of_marks in seen
            for row in np.flatnonzero(in_gaps[at]).tolist()
        ]
        _, expert, arc = max(places, key=lambda one: one[0])
        disputed = bool((held[:, at, order[0]] < 0.5).any())
        ((left, right),) = expert.edges([arc]).tolist()
        own = int(expert.source[arc])
        candidate = own if own < expert.arcs.candidates else None
        found[at] = ReadLetter(candidate, int(expert.arcs.part[own]), left, right, ranking, disputed)
    return found
