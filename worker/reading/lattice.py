"""What a word's ink may be: a lattice of runs of pieces, its best path, and how sure each letter on it is.

A reading is a path through the lattice. It says of each candidate on the path which letter it is, and of all
others that they are none, so its score is a sum over the path of what speaks for each letter against none:
the CNN's answer and the shape of the cut, weighted (a conditional random field, Lafferty 2001). The best
path is found by dynamic programming (Viterbi), and what share of all paths' weight goes through a candidate
by the forward–backward algorithm (Rabiner 1989): a doubtful cut lowers the confidence of the letters beside
it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.values import Word
from lettermill.worker.reading.classifier import CHOICES, Ranking

WEIGHTS = {
    "is a letter": 1.47,
    "is no letter": -0.56,
    "each letter": -3.97,
    "ends at a cut": -0.63,
    "ink crossed": 0.18,
    "joins pieces": -2.21,
    "paper within": -10.61,
    "lowness": -23.43,
    "wideness": 0.52,
}
"""What the score of a letter gains for each feature: the chances of being a letter and of being none as
logarithms; one for each letter; cuts at its two ends, each counting half, and the strokes of ink that they
cross; pieces apart from each other that it joins, and the paper between them in letter heights; how far it
falls short of the usual height (squared), and how far it exceeds the usual width. Fitted together with the
next two by maximum likelihood of the true text over all paths: see docs/segmentation.md."""

_WEIGHTS = np.array(list(WEIGHTS.values()))

PROBABILITY_WEIGHT = 1.26
"""What the logarithm of a character's probability counts: bad cuts are read with too much confidence."""

SKIP_COST, SKIP_WEIGHT = -7.2, 1.54
"""Score of passing over a piece as no letter, and what the logarithm of its chance to be none counts."""

LOW, WIDE = 0.7, 1.1
"""Letter heights below and beyond which a letter is lower and wider than usual."""

SUREST = 1e-4
"""Chance of "no letter" beyond which the CNN's certainty tells nothing more."""

LEAST_PROBABILITY = 1e-12
"""Of a character: its logarithm stays finite."""


@dataclass(frozen=True, slots=True)
class WordLattice:
    """What a word's ink may be: pieces 0..n from left to right, and candidates that each cover a run of them.

    Attributes:
        pieces: number of pieces; nodes are 0..pieces.
        first: intp, n: node where each candidate begins.
        last: intp, n: node where it ends, first < last.
        scores: float64, n×(characters + 1): log score of each candidate being each character, in which the
            logarithm of the CNN's probability counts `PROBABILITY_WEIGHT`; the last column is the log score
            of its ink being no letter at all (passed over without output).
    """

    pieces: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    scores: NDArray[np.float64]

    def best_path(self) -> list[int]:
        """Return the candidates of the best reading from left to right, without those passed over."""
        best = [0.0] + [-math.inf] * self.pieces
        back = [-1] * (self.pieces + 1)
        choices = self.scores.argmax(axis=1)
        tops = self.scores[np.arange(len(choices)), choices].tolist()
        for index, first, last in self._steps():
            score = best[first] + tops[index]
            if score > best[last]:
                best[last], back[last] = score, index
        path, node = [], self.pieces
        while node > 0:
            path.append(back[node])
            node = int(self.first[back[node]])
        none = self.scores.shape[1] - 1
        return [index for index in reversed(path) if choices[index] != none]

    def _steps(self) -> Iterator[tuple[int, int, int]]:
        """Give the number of each candidate and its nodes, in the order in which a path meets them."""
        order = np.lexsort((self.first, self.last))
        return zip(order.tolist(), self.first[order].tolist(), self.last[order].tolist(), strict=True)

    def align(self, text: Sequence[int]) -> list[int] | None:
        """Return the candidates of the best reading that spells a text; None where there is none.

        Args:
            text: the characters, as columns of `scores`.
        """
        none = self.scores.shape[1] - 1
        best = np.full((self.pieces + 1, len(text) + 1), -np.inf)
        best[0, 0] = 0.0
        back = np.full(best.shape, -1, np.intp)
        spelled = np.zeros(best.shape, np.bool_)
        for index in np.lexsort((self.first, self.last)).tolist():
            first, last = self.first[index], self.last[index]
            over = best[first] + self.scores[index, none]
            letter = np.concatenate(([-np.inf], best[first, :-1] + self.scores[index, list(text)]))
            score = np.maximum(over, letter)
            better = score > best[last]
            best[last, better], back[last, better] = score[better], index
            spelled[last, better] = letter[better] >= over[better]
        if not np.isfinite(best[-1, -1]):
            return None
        path, node, count = [], self.pieces, len(text)
        while node > 0:
            index = int(back[node, count])
            if spelled[node, count]:
                path.append(index)
                count -= 1
            node = int(self.first[index])
        return path[::-1]

    def posteriors(self) -> NDArray[np.float64]:
        """Return the share of all readings in which each candidate is each character (last: no letter).

        Returns:
            float64, n×(characters + 1); over the candidates that cover a piece they sum to 1.
        """
        totals = np.logaddexp.reduce(self.scores, axis=1)
        weights = totals.tolist()
        forward = np.array(self._forward(weights))
        ways = [-math.inf] * self.pieces + [0.0]
        for index, first, last in sorted(self._steps(), key=lambda step: -step[1]):
            ways[first] = _added(ways[first], ways[last] + weights[index])
        through = forward[self.first] + np.array(ways)[self.last] - forward[-1]
        return np.asarray(np.exp(self.scores + through[:, None]))

    def log_total(self) -> float:
        """Return the logarithm of the weight of all readings."""
        return self._forward(np.logaddexp.reduce(self.scores, axis=1).tolist())[-1]

    def _forward(self, weights: Sequence[float]) -> list[float]:
        """Log weight of all ways from the first node to each, by the log weight of each candidate."""
        forward = [0.0] + [-math.inf] * self.pieces
        for index, first, last in self._steps():
            forward[last] = _added(forward[last], forward[first] + weights[index])
        return forward

    def reading(self, characters: str) -> tuple[list[int], list[Ranking]]:
        """Return the best reading: the candidate of each letter, and what it may be.

        Args:
            characters: those that the scores are of.

        Returns:
            Of each letter the number of its candidate, and its best three characters, best first. The
            first is that of the best path. A character's confidence is what the CNN gives it on this cut of
            the letter and on those alike, each as much as the share of all readings that cut so: where
            there is one way to cut, it is the CNN's.
        """
        path = self.best_path()
        cuts = self.posteriors()[:, :-1].sum(axis=1)
        columns = self.scores[path, :-1].argmax(axis=1).tolist()
        return path, self.ranked(list(zip(path, columns, strict=True)), self.scores[:, :-1], cuts, characters)

    def ranked(
        self,
        letters: Sequence[tuple[int, int]],
        scores: NDArray[np.float64],
        cuts: NDArray[np.float64],
        characters: str,
    ) -> list[Ranking]:
        """Rank what each letter of a reading may be.

        Args:
            letters: of each its candidate and its character, which becomes the first.
            scores: float64, n×characters: log score of each candidate being each character.
            cuts: float64, n: share of all readings in which each candidate is a letter.
            characters: those that the scores are of.

        Returns:
            Of each letter the best three characters, see `reading`.
        """
        top = scores.max(axis=1, keepdims=True)
        said = np.exp((scores - np.where(np.isfinite(top), top, 0)) / PROBABILITY_WEIGHT)
        confidences = said * (cuts / np.maximum(said.sum(axis=1), LEAST_PROBABILITY))[:, None]
        near = self.alike([index for index, _ in letters]) @ confidences
        orders = np.argsort(-near, axis=1, kind="stable").tolist()
        rankings = []
        for (_, column), order, row in zip(letters, orders, near.tolist(), strict=True):
            rest = [other for other in order[:CHOICES] if other != column and row[other] > 0]
            chosen = [column, *rest[: CHOICES - 1]]
            rankings.append(tuple((characters[one], round(row[one], 6)) for one in chosen))
        return rankings

    def alike(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Return which candidates share most pieces with each chosen one: other cuts of the same letter.

        Returns:
            bool, (number of chosen)×(number of candidates).
        """
        first, last = self.first[chosen, None], self.last[chosen, None]
        shared = np.minimum(self.last, last) - np.maximum(self.first, first)
        union = np.maximum(self.last, last) - np.minimum(self.first, first)
        alike: NDArray[np.bool_] = 2 * shared > union
        return alike


def joined(lattices: Sequence[WordLattice]) -> WordLattice:
    """Put the lattices of neighbouring words one after the other."""
    if len(lattices) == 1:
        return lattices[0]
    starts = np.cumsum([0, *(lattice.pieces for lattice in lattices)])
    pairs = list(zip(lattices, starts[:-1], strict=True))
    return WordLattice(
        int(starts[-1]),
        np.concatenate([lattice.first + start for lattice, start in pairs]),
        np.concatenate([lattice.last + start for lattice, start in pairs]),
        np.concatenate([lattice.scores for lattice in lattices]),
    )


def _added(one: float, other: float) -> float:
    """Add two weights given as logarithms: `numpy.logaddexp` of single numbers, but quicker."""
    low, high = (one, other) if one < other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def weigh(
    words: Sequence[Word], letter: float, probabilities: NDArray[np.float32], non_letter: NDArray[np.float32]
) -> list[WordLattice]:
    """Score the candidates of a line's words.

    Args:
        words: n candidates in all.
        letter: height of the line's typical letter in pixels of the ink frame.
        probabilities: float32, n×characters, the CNN's calibrated probabilities.
        non_letter: float32, n, how likely each candidate is no letter.
    """
    first, last = _nodes(words)
    scores = np.empty((len(first), probabilities.shape[1] + 1))
    letters = scores[:, :-1]
    np.log(np.maximum(probabilities, LEAST_PROBABILITY, dtype=np.float64), out=letters)
    letters *= PROBABILITY_WEIGHT
    letters += (features(words, letter, non_letter) @ _WEIGHTS)[:, None]
    skip = SKIP_COST + SKIP_WEIGHT * np.log(clipped(non_letter))
    scores[:, -1] = np.where(last == first + 1, skip, -np.inf)
    ends = list(itertools.accumulate(len(word.candidates) for word in words))
    own = itertools.starmap(slice, itertools.pairwise([0, *ends]))
    return [
        WordLattice(len(word.gaps) + 1, first[each], last[each], scores[each])
        for word, each in zip(words, own, strict=True)
    ]


def _nodes(words: Sequence[Word]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the nodes of its word between which each candidate lies."""
    nodes = [(candidate.first, candidate.last) for word in words for candidate in word.candidates]
    first, last = np.array(nodes, np.intp).reshape(-1, 2).T
    return first, last


def features(words: Sequence[Word], letter: float, non_letter: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure what tells a letter from a bad cut: float64, n×(number of `WEIGHTS`), in their order.

    Args:
        words: of one line; n candidates in all.
        letter: height of the line's typical letter in pixels of the ink frame.
        non_letter: float32, n, how likely each candidate is no letter.
    """
    none = clipped(non_letter)
    sides = [candidate.ink.shape for word in words for candidate in word.candidates]
    height, width = (
        np.array(sides, np.float64).reshape(-1, 2).T - 2
    ) / letter  # Without the margin of a pixel.
    # Nodes and what lies at them, of one word after the other.
    ink = np.array([ink for word in words for ink in (0.0, *(gap.ink for gap in word.gaps), 0.0)])
    paper = np.array([gap for word in words for gap in (0.0, *(max(0.0, j.paper) for j in word.gaps), 0.0)])
    starts = list(itertools.accumulate((len(word.gaps) + 2 for word in words), initial=0))
    start = np.repeat(starts[:-1], [len(word.candidates) for word in words])
    first, last = (nodes + start for nodes in _nodes(words))
    apart, gaps = np.cumsum(ink == 0), np.cumsum(paper)  # Up to each node, and with it.
    measured = (
        np.log1p(-none),
        np.log(none),
        1.0,
        ((ink[first] != 0).astype(np.float64) + (ink[last] != 0)) / 2,
        (ink[first] + ink[last]) / 2,
        apart[last - 1] - apart[first],
        gaps[last - 1] - gaps[first],
        np.maximum(0.0, LOW - height) ** 2,
        np.maximum(0.0, width - WIDE),
    )
    columns = np.empty((len(none), len(measured)))
    for number, values in enumerate(measured):
        columns[:, number] = values
    return columns


def clipped(non_letter: NDArray[np.float32]) -> NDArray[np.float64]:
    """Keep chances off 0 and 1: beyond, the CNN's certainty tells nothing more."""
    return np.clip(non_letter.astype(np.float64), SUREST, 1 - SUREST)
