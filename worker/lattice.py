"""What a word's ink may be: a lattice of runs of pieces, its best path, and how sure each letter on it is.

A reading is a path through the lattice. It says of each candidate on the path which letter it is, and of all
others that they are none, so its score is a sum over the path of what speaks for each letter against none:
the CNN's answer and the shape of the cut, weighted (a conditional random field, Lafferty 2001). The best
path is found by dynamic programming (Viterbi), and what share of all paths' weight goes through a candidate
by the forward–backward algorithm (Rabiner 1989): a doubtful cut lowers the confidence of the letters beside
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.values import Word
from worker.classifier import CHOICES, Ranking

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
        best = np.full(self.pieces + 1, -np.inf)
        best[0] = 0.0
        back = np.full(self.pieces + 1, -1, np.intp)
        tops = self.scores.max(axis=1)
        for index in np.lexsort((self.first, self.last)).tolist():
            score = best[self.first[index]] + tops[index]
            if score > best[self.last[index]]:
                best[self.last[index]], back[self.last[index]] = score, index
        path, node = [], self.pieces
        while node > 0:
            index = int(back[node])
            path.append(index)
            node = int(self.first[index])
        none = self.scores.shape[1] - 1
        return [index for index in reversed(path) if self.scores[index].argmax() != none]

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
        forward = self._forward(totals)
        backward = np.full(self.pieces + 1, -np.inf)
        backward[-1] = 0.0
        for index in np.lexsort((self.last, self.first))[::-1].tolist():
            first, last = self.first[index], self.last[index]
            backward[first] = np.logaddexp(backward[first], backward[last] + totals[index])
        through = forward[self.first] + backward[self.last] - forward[-1]
        return np.asarray(np.exp(self.scores + through[:, None]))

    def log_total(self) -> float:
        """Return the logarithm of the weight of all readings."""
        return float(self._forward(np.logaddexp.reduce(self.scores, axis=1))[-1])

    def _forward(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log weight of all ways from the first node to each, by the log weight of each candidate."""
        forward = np.full(self.pieces + 1, -np.inf)
        forward[0] = 0.0
        for index in np.lexsort((self.first, self.last)).tolist():
            first, last = self.first[index], self.last[index]
            forward[last] = np.logaddexp(forward[last], forward[first] + totals[index])
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
        rankings = []
        for index, column in letters:
            near = confidences[self.alike(index)].sum(axis=0)
            order = np.argsort(-near, kind="stable").tolist()
            rest = [other for other in order if other != column and near[other] > 0]
            chosen = [column, *rest[: CHOICES - 1]]
            rankings.append(tuple((characters[one], round(float(near[one]), 6)) for one in chosen))
        return rankings

    def alike(self, index: int) -> NDArray[np.intp]:
        """Return the candidates that share most pieces with one: other cuts of the same letter."""
        shared = np.minimum(self.last, self.last[index]) - np.maximum(self.first, self.first[index])
        union = np.maximum(self.last, self.last[index]) - np.minimum(self.first, self.first[index])
        return np.flatnonzero(2 * shared > union)


def weigh(
    word: Word, letter: float, probabilities: NDArray[np.float32], non_letter: NDArray[np.float32]
) -> WordLattice:
    """Score a word's candidates.

    Args:
        word: n candidates over its pieces.
        letter: height of the line's typical letter in pixels of the ink frame.
        probabilities: float32, n×characters, the CNN's calibrated probabilities.
        non_letter: float32, n, how likely each candidate is no letter.
    """
    first = np.array([candidate.first for candidate in word.candidates], np.intp)
    last = np.array([candidate.last for candidate in word.candidates], np.intp)
    odds = features(word, letter, non_letter) @ np.array(list(WEIGHTS.values()))
    log_probabilities = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    letters = PROBABILITY_WEIGHT * log_probabilities + odds[:, None]
    none = np.log(clipped(non_letter))
    skip = np.where(last == first + 1, SKIP_COST + SKIP_WEIGHT * none, -np.inf)
    return WordLattice(len(word.joints) + 1, first, last, np.hstack((letters, skip[:, None])))


def features(word: Word, letter: float, non_letter: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure what tells a letter from a bad cut: float64, n×(number of `WEIGHTS`), in their order.

    Args:
        word: n candidates over its pieces.
        letter: height of the line's typical letter in pixels of the ink frame.
        non_letter: float32, n, how likely each candidate is no letter.
    """
    none = clipped(non_letter)
    ink = np.array([0.0, *(joint.ink for joint in word.joints), 0.0])
    paper = np.array([0.0, *(max(0.0, joint.paper) for joint in word.joints), 0.0])
    rows = []
    for candidate in word.candidates:
        height, width = (side - 2 for side in candidate.ink.shape)  # Without the margin of a pixel.
        ends = ink[[candidate.first, candidate.last]]
        within = slice(candidate.first + 1, candidate.last)
        rows.append(
            (
                np.count_nonzero(ends) / 2,
                ends.sum() / 2,
                np.count_nonzero(ink[within] == 0),
                paper[within].sum(),
                max(0.0, LOW - height / letter) ** 2,
                max(0.0, width / letter - WIDE),
            )
        )
    measured = np.array(rows).reshape(-1, 6)
    ones = np.ones(len(none))
    return np.column_stack((np.log1p(-none), np.log(none), ones, measured))


def clipped(non_letter: NDArray[np.float32]) -> NDArray[np.float64]:
    """Keep chances off 0 and 1: beyond, the CNN's certainty tells nothing more."""
    return np.clip(non_letter.astype(np.float64), SUREST, 1 - SUREST)
