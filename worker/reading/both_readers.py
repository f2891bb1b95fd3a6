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
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from lettermill.worker.reading.classifier import RANKING_LENGTH, Ranking
from lettermill.worker.reading.context import Context, Weighed
from lettermill.worker.reading.lattice import MIN_CHARACTER_PROBABILITY, WordLattice
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
        by_ink: what the ink alone gives there, if a context changed it: another character, several, or
            none (empty). None if it changed nothing.
    """

    candidate: int | None
    part: int
    left: float
    right: float
    ranking: Ranking
    disputed: bool
    by_ink: str | None = None

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
    experts: Sequence[Expert],
    characters: str,
    marks: str = "",
    between: str = "",
    context: Context | None = None,
    word_of_part: Sequence[int] = (),
) -> list[ReadLetter]:
    """Read a line.

    Args:
        experts: its readings, at least one.
        characters: those that the CNN names; the columns of the lattices.
        marks: those that the line network knows beyond them.
        between: those of the marks that are read between letters; others are passed over.
        context: what is likely to be written there; None if the ink alone counts.
        word_of_part: for each part of the line the number of its word; needed with a context.

    Returns:
        The letters and marks from left to right.
    """
    shares = [expert.lattice.posteriors() for expert in experts]
    found = [expert.best_text() for expert in experts]
    texts = _likely_texts(experts, found)

    by_ink = max(texts, key=texts.__getitem__)

    def placed(text: tuple[int, ...]) -> _Placed:
        # Candidates have a place of their own, so the line network alone comes last.
        pairs = sorted(
            zip(experts, found, strict=True), key=lambda pair: (pair[0].weights is ALONE, pair[1] != text)
        )
        if text != by_ink:  # Where a reading did not find it, it may spell it at random.
            pairs = [pair for pair in pairs if pair[1] == text]
        return _placed(experts, shares, text, [expert for expert, _ in pairs], characters)

    read = placed(by_ink)
    if context is None:
        letters = read.letters(by_ink, read.shares, characters)
    else:
        letters = _in_context(texts, placed, read, characters, context, word_of_part)
    of_marks = _marks_between(experts, shares, letters, marks, between)
    return [one for at, letter in enumerate(letters) for one in (letter, of_marks.get(at)) if one is not None]


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


def _likely_texts(
    experts: Sequence[Expert], found: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], float]:
    """Return the texts that some reading found, as columns, and how likely each is by all, as a logarithm."""
    texts = list(dict.fromkeys(found))
    if len(texts) == 1:
        return {texts[0]: 0.0}
    power = _power(texts)
    log_shares = [expert.lattice.log_spelled(texts) - expert.lattice.log_total() for expert in experts]
    mixed = np.logaddexp.reduce(power * np.array(log_shares), axis=0)
    return dict(zip(texts, mixed.tolist(), strict=True))


def _power(texts: Iterable[Sequence[int]]) -> float:
    """Return the power to which the probability of a text counts."""
    return min(FLATTENING, FLATTENED_LETTERS / max(1, *map(len, texts)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Placed:
    """A text in its places.

    Attributes:
        columns: of its letters.
        expert: the reading in whose lattice they have their places.
        path: the arc of each letter there.
        shares: float64, n×characters: the mean share, over all readings, of what has a character in a place.
        likeliest: intp, experts×n: the likeliest character of each reading in each place.
        is_single: bool, n: whether every reading has about one letter in a place.
    """

    columns: Sequence[int]
    expert: Expert
    path: list[int]
    shares: NDArray[np.float64]
    likeliest: NDArray[np.intp]
    is_single: NDArray[np.bool_]

    def letters(
        self, columns: Sequence[int], shares: NDArray[np.float64], characters: str
    ) -> list[ReadLetter]:
        """Return the letters: what is read in each place, and what else it may be.

        A letter is disputed if the likeliest character of a reading in its place is another one, or the
        reading has no letter or several there.

        Args:
            columns: what is read in each place.
            shares: as its own, or weighed by a context.
            characters: those of the columns.
        """
        if not self.path:
            return []
        disputed = (self.likeliest != np.array(columns, np.intp)).any(axis=0) | ~self.is_single
        return [
            ReadLetter(
                index if index < self.expert.arcs.candidates else None,
                int(self.expert.arcs.part[index]),
                *self.expert.seen_edges(arc),
                ranking,
                is_disputed,
            )
            for arc, index, ranking, is_disputed in zip(
                self.path,
                self.expert.source[self.path].tolist(),
                _rank(columns, shares, characters),
                disputed.tolist(),
                strict=True,
            )
        ]


def _placed(
    experts: Sequence[Expert],
    shares: Sequence[NDArray[np.float64]],
    text: tuple[int, ...],
    spellers: Sequence[Expert],
    characters: str,
) -> _Placed:
    """Find the places of a text's letters, and what all readings have there.

    The line is divided half way between its letters. The share of a character in a place is the mean, over
    all readings, of what has it in that division. Where a reading has more than one letter in a division,
    each counts less: so a letter that is left out lowers the confidence of the one beside it.

    Args:
        experts: the readings, at least one.
        shares: of each reading, from `WordLattice.posteriors`.
        text: as columns.
        spellers: the first of these readings that can spell it says where its letters are.
        characters: those of the columns of their lattices.
    """
    spelled = ((expert, expert.lattice.align(text)) for expert in spellers)
    chosen, path = next((expert, path) for expert, path in spelled if path is not None)
    middles = chosen.middles()[path]
    borders = (middles[1:] + middles[:-1]) / 2
    divisions = np.arange(len(middles))[:, None]
    of_letters = np.zeros((len(middles), len(characters)))
    likeliest = np.zeros((len(experts), len(middles)), np.intp)
    is_single = np.ones(len(middles), np.bool_)
    for number, (expert, of_arcs) in enumerate(zip(experts, shares, strict=True) if path else ()):
        held = (divisions == np.searchsorted(borders, expert.middles())) @ of_arcs[:, :-1]
        likeliest[number] = held.argmax(axis=1)
        is_single &= np.abs(held.sum(axis=1) - 1) <= 0.5
        of_letters += held / len(experts) / np.maximum(1, held.sum(axis=1, keepdims=True))
    return _Placed(text, chosen, path, np.minimum(of_letters, 1), likeliest, is_single)


def _rank(columns: Sequence[int], shares: NDArray[np.float64], characters: str) -> list[Ranking]:
    """Rank what each letter may be: first what is read, then the likeliest others with their shares."""
    orders = np.argsort(-shares, axis=1, kind="stable")[:, :RANKING_LENGTH].tolist()
    rankings = []
    for column, order, row in zip(columns, orders, shares.tolist(), strict=True):
        rest = [other for other in order if other != column and row[other] > 0]
        chosen = (column, *rest[: RANKING_LENGTH - 1])
        rankings.append(tuple((characters[one], round(row[one], 6)) for one in chosen))
    return rankings


def _in_context(
    texts: Mapping[tuple[int, ...], float],
    placed: Callable[[tuple[int, ...]], _Placed],
    by_ink: _Placed,
    characters: str,
    context: Context,
    word_of_part: Sequence[int],
) -> list[ReadLetter]:
    """Return the letters of the text that is likeliest by the readings and a context together.

    Places come from the likeliest text of each length. What the context adds to a text counts with the same
    power as the readings.

    Args:
        texts: from `_likely_texts`.
        placed: finds the places of one of them.
        by_ink: those of the likeliest one.
        characters: those of the columns.
        context: what is likely to be written there.
        word_of_part: for each part of the line the number of its word.
    """
    of_lengths = {len(text): text for text in sorted(texts, key=texts.__getitem__)}
    power = _power(texts)
    best = -np.inf
    letters: list[ReadLetter] = []
    for text in of_lengths.values():
        here = by_ink if text == by_ink.columns else placed(text)
        if here.path:
            parts = here.expert.arcs.part[here.expert.source[here.path]].tolist()
            weighed = context.weigh(here.shares, [word_of_part[part] for part in parts])
            own = here.shares[np.arange(len(text)), list(text)]
            by_readers = float(np.log(np.maximum(own, MIN_CHARACTER_PROBABILITY)).sum())
            score = texts[text] + power * (weighed.score - by_readers)
        else:
            weighed, score = Weighed([], 0.0, here.shares), texts[text]
        if score > best:
            best, letters = score, here.letters(weighed.columns, weighed.shares, characters)
    return with_ink(letters, "".join(characters[one] for one in by_ink.columns))


def with_ink(letters: Sequence[ReadLetter], by_ink: str) -> list[ReadLetter]:
    """Note at each letter that a context changed what the ink alone gives there.

    Args:
        letters: read in a context.
        by_ink: the text that the ink alone gives.
    """
    text = "".join(letter.ranking[0][0] for letter in letters)
    noted: list[str | None] = [None] * len(letters)
    for step in Levenshtein.opcodes(by_ink, text):
        if step.tag == "replace":
            noted[step.dest_start : step.dest_end] = by_ink[step.src_start : step.src_end]
        elif step.tag == "insert":
            noted[step.dest_start : step.dest_end] = [""] * (step.dest_end - step.dest_start)
        elif step.tag == "delete" and letters:
            # What the context leaves out is noted at the letter before it, or at the first one.
            at, left_out = max(0, step.dest_start - 1), by_ink[step.src_start : step.src_end]
            here = noted[at]
            before = text[at] if here is None else here
            noted[at] = before + left_out if step.dest_start else left_out + before
    return [dataclasses.replace(letter, by_ink=ink) for letter, ink in zip(letters, noted, strict=True)]


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
        inside = np.flatnonzero(
            (gap >= 0)
            & (gap < gaps)
            & (right <= middles[np.minimum(gap + 1, gaps)])
            & np.isfinite(expert.lattice.scores[:, -1])  # In a field, an arc may have to be a letter.
        )
        nulls = expert.lattice.scores[inside, -1:]
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
