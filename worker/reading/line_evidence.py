"""Joins the two readers: what the line network says of a span of columns becomes evidence in the lattice.

Each arc of the lattice covers a span of time steps, and the arcs of a path cover every step once. An arc
that is a letter is as likely, by the line network, as that its steps give this letter once and nothing else;
one that is passed over, as that they give nothing. So the network's share of a path's score is the
likelihood, by connectionist temporal classification (Graves 2006), of its text with its letters in these
places.

A letter that the line network alone sees is an arc of its own, without an answer of the CNN.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.values import Word
from lettermill.worker.reading.lattice import Weights, WordLattice

FEATURE_WEIGHTS = {
    "log letter": 0.24,
    "log reject": -0.64,
    "each letter": -0.01,
    "cut ends": 1.86,
    "ink crossed": 0.04,
    "parts joined": -1.09,
    "paper within": -10.61,
    "lowness": -23.43,
    "wideness": -0.22,
}

WEIGHTS = Weights(np.array(list(FEATURE_WEIGHTS.values())), 0.47, -0.58, 0.39)
"""Weights of the CNN's answers and of shapes where the line network reads too. Fitted with `BOTH` by maximum
likelihood on fields that trained neither network: bench/lattice_weights.py."""


@dataclasses.dataclass(frozen=True, slots=True)
class LineWeights:
    """How the arcs of a line are scored.

    Attributes:
        cnn: 1 if the scores of the candidates count, 0 if the line network reads alone.
        letter: weight of the logarithm of the line network's likelihood of a span as a character.
        nothing: weight of the logarithm of its likelihood as nothing.
        uncut: log score of a letter that the line network alone sees, beside its likelihood.
        mark: log score of a mark that is a candidate.
        uncut_mark: log score of a mark that the line network alone sees.
    """

    cnn: float
    letter: float
    nothing: float
    uncut: float
    mark: float
    uncut_mark: float


BOTH = LineWeights(1.0, 0.67, 0.29, -0.68, -1.82, -1.94)
"""The weights with which both readers share a lattice."""

ALONE = LineWeights(0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
"""The weights with which the line network reads alone."""

LEAST_PROBABILITY = 1e-5
"""Lower bound of a probability at one time step: beyond, the network's certainty means nothing."""

_SEEN_ABOVE_PROBABILITY = 0.5
"""The line network sees a letter where the blank has less than 1 minus this."""

_MOST_NODES = 3
"""Nodes at which a letter that the line network alone sees may begin, or end, at most."""

_REACH_STEPS = 3
"""How far the border between two parts may move to where the network says that nothing is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """What the line network says of a line.

    Attributes:
        probabilities: float64, t×(characters + 1), the last column is the blank; rows sum to 1.
        left: column of the ink frame at which the first step begins.
        columns: width of a step in columns of the ink frame.
    """

    probabilities: NDArray[np.float64]
    left: float
    columns: float

    def narrowed(self, columns: Sequence[int]) -> Steps:
        """Return what the network says if only some of the characters are allowed.

        Args:
            columns: those of the characters in `probabilities`.
        """
        kept = np.maximum(self.probabilities[:, [*columns, -1]], np.finfo(np.float64).tiny)
        return dataclasses.replace(self, probabilities=kept / kept.sum(axis=1, keepdims=True))

    def letters_seen(self) -> list[tuple[int, int]]:
        """Return the runs of steps at which the network gives letters: first step and one past the last."""
        best = self.probabilities[:, :-1].argmax(axis=1)
        best[self.probabilities[:, -1] > 1 - _SEEN_ABOVE_PROBABILITY] = -1
        runs = []
        start = 0
        for value, group in itertools.groupby(best.tolist()):
            end = start + len(list(group))
            if value >= 0:
                runs.append((start, end))
            start = end
        return runs

    def text(self, characters: str) -> str:
        """Return what the network reads by itself (best path)."""
        best = self.probabilities.argmax(axis=1).tolist()
        blank = len(characters)
        return "".join(characters[one] for one, _ in itertools.groupby(best) if one != blank)

    def log_nothing(self, first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the log probability that spans of steps give nothing: float64, n; one without steps does.

        Args:
            first: intp, n: the first step of each span.
            last: intp, n: one past its last step.
        """
        blank = np.log(np.maximum(self.probabilities[:, -1], LEAST_PROBABILITY))
        sums = np.concatenate(([0.0], np.cumsum(blank)))
        return np.asarray(sums[last] - sums[first])

    def middles_seen(self, first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return where in spans of steps the network sees ink: float64, n; steps, the mean of its ink.

        Args:
            first: intp, n: the first step of each span.
            last: intp, n: one past its last step.
        """
        seen = 1.001 - self.probabilities[:, -1]
        steps = np.arange(len(seen)) + 0.5
        masses, moments = (np.concatenate(([0.0], np.cumsum(one))) for one in (seen, seen * steps))
        mass = np.maximum(masses[last] - masses[first], 1e-6)
        return np.where(last > first, (moments[last] - moments[first]) / mass, first)


def log_letters(
    probabilities: NDArray[np.float64], first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how likely spans of steps are as one character.

    Args:
        probabilities: float64, t×(characters + 1), as `Steps` has them; several lines may follow each other.
        first: intp, n: the first step of each span.
        last: intp, n: one past its last step.

    Returns:
        float64, n×characters: log probability that the steps give this character once and nothing else.
    """
    probabilities = np.maximum(probabilities, LEAST_PROBABILITY)
    count = probabilities.shape[1] - 1
    blank = np.broadcast_to(probabilities[:, -1:], (len(probabilities), count))
    # For each character the weight of what was given so far: nothing, the character until now, or before.
    factors = np.concatenate((blank, probabilities[:, :-1], blank), axis=1)
    order = np.argsort(first - last, kind="stable")
    starts, lengths = first[order], (last - first)[order]
    ways = np.zeros((len(order), 3 * count))
    ways[:, :count] = 1
    running = np.searchsorted(-lengths, -np.arange(lengths.max(initial=0)), side="left").tolist()
    for step, spans in enumerate(running):
        inside = ways[:spans]
        inside[:, count:] += inside[:, :-count]
        inside *= factors.take(starts[:spans] + step, axis=0)
    found = np.empty((len(order), count))
    with np.errstate(divide="ignore"):
        found[order] = np.log(ways[:, count:-count] + ways[:, -count:])
    return found


def part_columns(words: Sequence[Word]) -> NDArray[np.float64]:
    """Return where the parts of words lie: float64, parts×2, left and right column in the ink frame."""
    columns: list[list[float]] = []
    for word in words:
        own = [[0.0, 0.0]] * (len(word.gaps) + 1)
        for one in word.candidates:
            if one.last == one.first + 1:
                # The ink of a candidate has a margin of one pixel on each side.
                own[one.first] = [one.left + 1.0, one.left + one.ink.shape[1] - 1.0]
        columns += own
    return np.array(columns).reshape(-1, 2)


def _with_unseen_parts(
    parts: NDArray[np.float64], steps: Steps, seen: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Insert a part without ink wherever the network sees a letter beside or between the parts.

    Args:
        parts: from `part_columns`.
        steps: what the line network says.
        seen: its letters, from `Steps.letters_seen`.

    Returns:
        float64, n×2: left and right column of each part, in order; bool, n: which were inserted.
    """
    count = len(steps.probabilities)
    reached = np.concatenate(([steps.left], np.maximum.accumulate(parts[:, 1])))
    follows = np.concatenate(
        (np.minimum.accumulate(parts[::-1, 0])[::-1], [steps.left + count * steps.columns])
    )
    middles = [steps.left + (one + other) / 2 * steps.columns for one, other in seen]
    columns, inserted = [], []
    for number, (low, high) in enumerate(zip(reached.tolist(), follows.tolist(), strict=True)):
        if bisect.bisect_right(middles, low) < bisect.bisect_left(middles, high):
            columns.append([low, high])
            inserted.append(True)
        if number < len(parts):
            columns.append(parts[number].tolist())
            inserted.append(False)
    return np.array(columns), np.array(inserted)


def node_steps(parts: NDArray[np.float64], steps: Steps) -> NDArray[np.intp]:
    """Return the step of each node before, between and behind the parts: intp, parts + 1, never falling."""
    blank = steps.probabilities[:, -1]
    count = len(blank)
    reached = np.maximum.accumulate(parts[:-1, 1])
    follows = np.minimum.accumulate(parts[:0:-1, 0])[::-1]
    places = np.stack((np.minimum(reached, follows), np.maximum(reached, follows)))
    low, high = (places - steps.left) / steps.columns
    nodes = [0]
    for start, end in zip(low.tolist(), high.tolist(), strict=True):
        middle = (start + end) / 2
        one = max(nodes[-1], int(start) - _REACH_STEPS, 0)
        other = min(count, max(one + 1, int(end) + _REACH_STEPS + 1))
        if one >= count:
            nodes.append(count)
            continue
        choices = np.arange(one, other)
        # The border lies before its step: both of the steps beside it should be blank.
        calm = np.minimum(blank[choices], blank[np.maximum(choices - 1, 0)])
        nodes.append(int(choices[(calm - 0.02 * np.abs(choices - middle)).argmax()]))
    return np.array([*nodes, count], np.intp)


@dataclasses.dataclass(frozen=True, slots=True)
class Arcs:
    """The arcs of a line's lattice, and what the line network says of each.

    The candidates come first, in their order; then the letters that the line network alone sees; then the
    pieces of parts that these leave over.

    Attributes:
        nodes: intp: the step at which each node lies.
        first: intp, n: the node where each arc begins.
        last: intp, n: the node where it ends.
        letters: float64, n×characters: log likelihood that the arc is this character; a piece is none.
        nothing: float64, n: log likelihood that it is nothing.
        candidates: how many of the arcs are candidates.
        uncut: how many are letters that the line network alone sees.
        part: intp, n: for each arc the part in which it begins.
        share: float64, n: which share of its part a piece is; 0 where no part has ink.
        middles: float64, n: where the ink of each arc is, by the line network; columns of the ink frame.
    """

    nodes: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    letters: NDArray[np.float64]
    nothing: NDArray[np.float64]
    candidates: int
    uncut: int
    part: NDArray[np.intp]
    share: NDArray[np.float64]
    middles: NDArray[np.float64]


def arcs_of(lattice: WordLattice, parts: NDArray[np.float64], views: Sequence[Steps]) -> list[Arcs]:
    """Lay the arcs of a line over the time steps of each view.

    Args:
        lattice: of the line's candidates.
        parts: from `part_columns`.
        views: what the line network says, at least one view.
    """
    found = [_laid(lattice, parts, view) for view in views]
    # A loop over the steps of all views takes as long as one over those of the widest.
    starts = itertools.accumulate((len(view.probabilities) for view in views), initial=0)
    spans = [
        np.stack((arcs.nodes[arcs.first], arcs.nodes[arcs.last]))[:, : arcs.candidates + arcs.uncut] + start
        for arcs, start in zip(found, starts, strict=False)
    ]
    letters = log_letters(
        np.concatenate([view.probabilities for view in views]), *np.concatenate(spans, axis=1)
    )
    ends = itertools.accumulate(one.shape[1] for one in spans)
    for arcs, end in zip(found, ends, strict=True):
        whole = arcs.candidates + arcs.uncut
        arcs.letters[:whole] = letters[end - whole : end]
    return found


def _laid(lattice: WordLattice, parts: NDArray[np.float64], steps: Steps) -> Arcs:
    """Lay the arcs of a line over the time steps of one view; `Arcs.letters` is left at -inf."""
    seen = steps.letters_seen()
    parts, inserted = _with_unseen_parts(parts, steps, seen)
    old = node_steps(parts, steps)
    count = len(steps.probabilities)
    edges = [(0, seen[0][0] if seen else count)]
    edges += [(one[1], other[0]) for one, other in itertools.pairwise(seen)]
    edges += [(seen[-1][1], count)] if seen else []
    borders = old.tolist()
    cuts = [(low + high + 1) // 2 for low, high in edges[1:-1] if not _between(borders, low, high)]
    nodes = np.sort(np.concatenate((old, np.array(cuts, np.intp))), kind="stable")
    # Nodes at the same step keep their order; a cut never lies at the step of an old node.
    moved = np.searchsorted(nodes, old) + np.arange(len(old)) - np.searchsorted(old, old)
    real = np.flatnonzero(~inserted)
    first, last = moved[real[lattice.first]].tolist(), moved[real[lattice.last - 1] + 1].tolist()
    part_of_node = np.searchsorted(moved, np.arange(len(nodes)), side="right") - 1
    part_of_node = np.minimum(part_of_node, len(parts) - 1)

    known = set(zip(first, last, strict=True))
    places = nodes.tolist()
    begins = [_near(places, low, high, high) for low, high in edges[:-1]]
    ends = [_near(places, low, high, low) for low, high in edges[1:]]
    uncut = [
        pair
        for some, others in zip(begins, ends, strict=True)
        for pair in itertools.product(some, others)
        if pair[0] < pair[1] and pair not in known
    ]
    at = {bisect.bisect_left(places, cut) for cut in cuts}
    pieces = [
        (node, node + 1)
        for node, unseen in enumerate(inserted[part_of_node[:-1]].tolist())
        if unseen or node in at or node + 1 in at
    ]
    first += [one for one, _ in (*uncut, *pieces)]
    last += [other for _, other in (*uncut, *pieces)]
    firsts, lasts = np.array(first, np.intp), np.array(last, np.intp)
    letters = np.full((len(firsts), steps.probabilities.shape[1] - 1), -np.inf)
    nothing = steps.log_nothing(nodes[firsts], nodes[lasts])
    pieces_part = part_of_node[firsts]
    width = np.maximum(1, old[pieces_part + 1] - old[pieces_part])
    numbers = np.cumsum(~inserted) - 1
    return Arcs(
        nodes,
        firsts,
        lasts,
        letters,
        nothing,
        len(lattice.first),
        len(uncut),
        np.maximum(0, numbers[pieces_part]),
        np.where(inserted[pieces_part], 0.0, (nodes[lasts] - nodes[firsts]) / width),
        steps.left + steps.columns * steps.middles_seen(nodes[firsts], nodes[lasts]),
    )


def _between(nodes: Sequence[int], low: int, high: int) -> range:
    """Return the nodes at steps low … high, their steps given."""
    return range(bisect.bisect_left(nodes, low), bisect.bisect_right(nodes, high))


def _near(nodes: Sequence[int], low: int, high: int, to: int) -> list[int]:
    """Return the nodes at steps low … high, the nearest to a step, at most `_MOST_NODES`."""
    nearest = sorted(_between(nodes, low, high), key=lambda node: abs(nodes[node] - to))
    return sorted(nearest[:_MOST_NODES])


def joined(lattice: WordLattice, arcs: Arcs, marks: int, weights: LineWeights = BOTH) -> WordLattice:
    """Return the lattice of both readers, or of the line network alone.

    Args:
        lattice: of the line's candidates, scored with `WEIGHTS`.
        arcs: of the same lattice, from `arcs_of`.
        marks: how many of the line network's characters are marks; they come last.
        weights: how the arcs are scored.

    Returns:
        The lattice over all arcs; its columns are the characters and the null path. A mark gives no letter,
        so it is part of the null path: `mark_scores` says how large a part.
    """
    known = lattice.scores.shape[1] - 1
    first_piece = arcs.candidates + arcs.uncut
    scores = np.full((len(arcs.first), known + 1), -np.inf)
    candidates, uncut, pieces = np.split(np.arange(len(scores)), (arcs.candidates, first_piece))
    nulls = nulls_of_parts(lattice)[arcs.part[pieces]] * arcs.share[pieces]

    scores[candidates] = lattice.scores if weights.cnn else np.where(np.isinf(lattice.scores), -np.inf, 0.0)
    scores[uncut, :-1] = weights.uncut
    scores[pieces, -1] = weights.cnn * nulls
    scores[:, :-1] += weights.letter * arcs.letters[:, :known]
    scores[:, -1] += weights.nothing * arcs.nothing
    of_marks = mark_scores(arcs, marks, weights)
    scores[:, -1] = np.logaddexp.reduce(np.column_stack((scores[:, -1], of_marks)), axis=1)
    return WordLattice(len(arcs.nodes) - 1, arcs.first, arcs.last, scores)


def mark_scores(arcs: Arcs, marks: int, weights: LineWeights) -> NDArray[np.float64]:
    """Return the log score of each arc as each mark: float64, arcs×marks; a piece is none.

    Args:
        arcs: from `arcs_of`.
        marks: how many of the line network's characters are marks; they come last.
        weights: how the arcs are scored.
    """
    first_piece = arcs.candidates + arcs.uncut
    scores = weights.letter * arcs.letters[:, arcs.letters.shape[1] - marks :]
    scores[: arcs.candidates] += weights.mark
    scores[arcs.candidates : first_piece] += weights.uncut_mark
    scores[first_piece:] = -np.inf
    return scores


def nulls_of_parts(lattice: WordLattice) -> NDArray[np.float64]:
    """Return the log score of passing over each part: float64, parts."""
    nulls = np.zeros(lattice.parts)
    alone = lattice.last == lattice.first + 1
    nulls[lattice.first[alone]] = lattice.scores[alone, -1]
    return nulls
