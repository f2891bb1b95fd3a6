"""Scores what a word's ink may be: a lattice over runs of parts, its best path, each letter's confidence.

A reading is a path through the lattice. It says of each candidate on the path which letter it is, and of all
other candidates that they are no letters. Its score is therefore a sum over the path of the evidence for each
letter against none: the CNN's answer and the shape of the cut, weighted (a conditional random field, Lafferty
2001). A part may also be passed over without output (a null path). Dynamic programming finds the best path
(Viterbi). The forward–backward algorithm (Rabiner 1989) finds which share of the weight of all paths goes
through each candidate, so a doubtful cut lowers the confidence of the letters beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.values import Word
from lettermill.worker.reading.classifier import RANKING_LENGTH, Classification, Ranking

WEIGHTS = {
    "log letter": 1.47,
    "log reject": -0.56,
    "each letter": -3.97,
    "cut ends": -0.63,
    "ink crossed": 0.18,
    "parts joined": -2.21,
    "paper within": -10.61,
    "lowness": -23.43,
    "wideness": 0.52,
}
"""What each feature adds to the log score of a letter, per unit of the feature. The features are:

- log letter, log reject: logarithms of the CNN's probabilities that the candidate is a letter, or is none;
- each letter: 1 for every letter;
- cut ends: how many of its two ends are cuts through ink, each counting half;
- ink crossed: mean ink that the cuts at its two ends cross, in stroke widths;
- parts joined: how many gaps without ink it spans;
- paper within: total width of the paper in these gaps, in letter heights;
- lowness: square of what its height lacks to `LOW_BELOW_LETTER_HEIGHTS`, in letter heights;
- wideness: what its width exceeds `WIDE_ABOVE_LETTER_HEIGHTS` by, in letter heights.

Fitted together with `PROBABILITY_WEIGHT` and the null path's constants by maximum likelihood of the true text
over all paths: see docs/segmentation.md and bench/lattice_weights.py."""

PROBABILITY_WEIGHT = 1.26
"""Weight of the logarithm of a character's probability: above 1, as bad cuts are read too confidently."""

NULL_PATH_SCORE, NULL_PATH_REJECT_WEIGHT = -7.2, 1.54
"""Log score of passing over a part, and the weight of the logarithm of its reject probability."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds to a score.

    Attributes:
        letter: float64, n: of a letter, per unit of each feature of `WEIGHTS`.
        probability: of the logarithm of a character's probability.
        null_path: log score of passing over a part.
        null_path_reject: of the logarithm of the part's reject probability.
    """

    letter: NDArray[np.float64]
    probability: float
    null_path: float
    null_path_reject: float


CNN_WEIGHTS = Weights(
    np.array(list(WEIGHTS.values())), PROBABILITY_WEIGHT, NULL_PATH_SCORE, NULL_PATH_REJECT_WEIGHT
)
"""The weights for a reading by the CNN alone."""

LOW_BELOW_LETTER_HEIGHTS, WIDE_ABOVE_LETTER_HEIGHTS = 0.7, 1.1
"""A letter lower or wider than this is unusual."""

MIN_REJECT_PROBABILITY = 1e-4
"""Reject probabilities are clipped to this and 1 minus this: beyond, the CNN's certainty means nothing."""

MIN_CHARACTER_PROBABILITY = 1e-12
"""Lower bound of a character's probability, so that its logarithm stays finite."""


@dataclass(frozen=True, slots=True)
class WordLattice:
    """What a word's ink may be: parts from left to right, and candidates that each cover a run of them.

    Nodes 0 … n lie before, between and behind the n parts.

    Attributes:
        parts: the number of parts.
        first: intp, n: the node where each candidate begins.
        last: intp, n: the node where it ends, first < last.
        scores: float64, n×(characters + 1): log score of each candidate as each character, in which the
            logarithm of the CNN's probability has the weight `PROBABILITY_WEIGHT`. The last column is the log
            score of the null path, on which the candidate gives no letter.
    """

    parts: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    scores: NDArray[np.float64]

    def best_path(self) -> list[int]:
        """Return the candidates of the best reading from left to right, without those passed over."""
        return self.best_path_and_score()[0]

    def best_path_and_score(self) -> tuple[list[int], float]:
        """Return the path of `best_path`, and its log score."""
        best = [0.0] + [-math.inf] * self.parts
        back = [-1] * (self.parts + 1)
        choices = self.scores.argmax(axis=1)
        tops = self.scores[np.arange(len(choices)), choices].tolist()
        for index, first, last in self._in_path_order():
            score = best[first] + tops[index]
            if score > best[last]:
                best[last], back[last] = score, index

        path, node = [], self.parts
        while node > 0:
            path.append(back[node])
            node = int(self.first[back[node]])
        null = self.scores.shape[1] - 1
        return [index for index in reversed(path) if choices[index] != null], best[-1]

    def _in_path_order(self) -> Iterator[tuple[int, int, int]]:
        """Yield the number of each candidate and its two nodes, in an order in which paths meet them."""
        order = np.lexsort((self.first, self.last))
        return zip(order.tolist(), self.first[order].tolist(), self.last[order].tolist(), strict=True)

    def align(self, text: Sequence[int]) -> list[int] | None:
        """Return the candidates of the best path that spells a text; None if no path spells it.

        Args:
            text: the characters, as columns of `scores`.
        """
        best = np.full((self.parts + 1, len(text) + 1), -np.inf)
        best[0, 0] = 0.0
        back = np.full(best.shape, -1, np.intp)
        spelled = np.zeros(best.shape, np.bool_)
        letters, nulls = self.scores[:, list(text)], self.scores[:, -1].tolist()
        letter = np.full(len(text) + 1, -np.inf)
        for index, first, last in self._in_path_order():
            passed_over = best[first] + nulls[index]
            np.add(best[first, :-1], letters[index], out=letter[1:])
            score = np.maximum(passed_over, letter)
            better = score > best[last]
            best[last, better], back[last, better] = score[better], index
            spelled[last, better] = letter[better] >= passed_over[better]
        if not np.isfinite(best[-1, -1]):
            return None

        path, node, count = [], self.parts, len(text)
        while node > 0:
            index = int(back[node, count])
            if spelled[node, count]:
                path.append(index)
                count -= 1
            node = int(self.first[index])
        return path[::-1]

    def log_spelled(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return for each of some texts the logarithm of the weight of all readings that spell it.

        Args:
            texts: n texts of any lengths, at least one; their characters, as columns of `scores`.

        Returns:
            float64, n.
        """
        lengths = [len(text) for text in texts]
        # A text's end is the same whatever follows, so column 0 fills up the shorter ones.
        columns = np.zeros((len(texts), max(lengths)), np.intp)
        for row, text in zip(columns, texts, strict=True):
            row[: len(text)] = text
        forward = np.full((self.parts + 1, len(texts), max(lengths) + 1), -np.inf)
        forward[0, :, 0] = 0.0
        letters, nulls = self.scores[:, columns], self.scores[:, -1].tolist()
        for index, first, last in self._in_path_order():
            before, after = forward[first], forward[last]
            np.logaddexp(after, before + nulls[index], out=after)
            np.logaddexp(after[:, 1:], before[:, :-1] + letters[index], out=after[:, 1:])
        return np.asarray(forward[-1, np.arange(len(texts)), lengths])

    def posteriors(self) -> NDArray[np.float64]:
        """Return the share of all readings in which each candidate is each character (last: null path).

        Returns:
            float64, n×(characters + 1); over the candidates that cover a part they sum to 1.
        """
        weights = np.logaddexp.reduce(self.scores, axis=1).tolist()
        forward = np.array(self._forward(weights))
        backward = [-math.inf] * self.parts + [0.0]
        for index, first, last in sorted(self._in_path_order(), key=lambda step: -step[1]):
            backward[first] = _log_add(backward[first], backward[last] + weights[index])
        through = forward[self.first] + np.array(backward)[self.last] - forward[-1]
        return np.asarray(np.exp(self.scores + through[:, None]))

    def log_total(self) -> float:
        """Return the logarithm of the weight of all readings."""
        return self._forward(np.logaddexp.reduce(self.scores, axis=1).tolist())[-1]

    def _forward(self, weights: Sequence[float]) -> list[float]:
        """Return the log weight of all ways from the first node to each node.

        Args:
            weights: the log weight of each candidate.
        """
        forward = [0.0] + [-math.inf] * self.parts
        for index, first, last in self._in_path_order():
            forward[last] = _log_add(forward[last], forward[first] + weights[index])
        return forward

    def best_reading(self, characters: str) -> tuple[list[int], list[Ranking]]:
        """Return the best reading: the candidate of each letter, and what it may be.

        Args:
            characters: those of the columns of `scores`.

        Returns:
            For each letter the number of its candidate, and its three best characters, best first; the first
            is the one on the best path. The confidence of a character is its probability on this cut of the
            letter and on overlapping cuts, each weighted with the share of all readings that cut there. With
            one way to cut, it is the CNN's probability.
        """
        path = self.best_path()
        cut_shares = self.posteriors()[:, :-1].sum(axis=1)
        columns = self.scores[path, :-1].argmax(axis=1).tolist()
        letters = list(zip(path, columns, strict=True))
        return path, self.rank(letters, self.scores[:, :-1], cut_shares, characters)

    def rank(
        self,
        letters: Sequence[tuple[int, int]],
        scores: NDArray[np.float64],
        cut_shares: NDArray[np.float64],
        characters: str,
    ) -> list[Ranking]:
        """Rank what each letter of a reading may be.

        Args:
            letters: for each letter its candidate, and the column of the character that comes first.
            scores: float64, n×characters: log score of each candidate as each character.
            cut_shares: float64, n: share of all readings in which each candidate is a letter.
            characters: those of the columns of `scores`.

        Returns:
            For each letter the three best characters: see `best_reading`.
        """
        top = scores.max(axis=1, keepdims=True)
        odds = np.exp((scores - np.where(np.isfinite(top), top, 0)) / PROBABILITY_WEIGHT)
        totals = np.maximum(odds.sum(axis=1), MIN_CHARACTER_PROBABILITY)
        confidences = odds * (cut_shares / totals)[:, None]
        of_letters = self._overlapping([index for index, _ in letters]) @ confidences

        orders = np.argsort(-of_letters, axis=1, kind="stable").tolist()
        rankings = []
        for (_, column), order, row in zip(letters, orders, of_letters.tolist(), strict=True):
            rest = [other for other in order[:RANKING_LENGTH] if other != column and row[other] > 0]
            chosen = [column, *rest[: RANKING_LENGTH - 1]]
            rankings.append(tuple((characters[one], round(row[one], 6)) for one in chosen))
        return rankings

    def _overlapping(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """Return which candidates share most parts with each chosen one: other cuts of the same letter.

        Returns:
            bool, (number of chosen)×(number of candidates).
        """
        first, last = self.first[chosen, None], self.last[chosen, None]
        shared = np.minimum(self.last, last) - np.maximum(self.first, first)
        union = np.maximum(self.last, last) - np.minimum(self.first, first)
        overlapping: NDArray[np.bool_] = 2 * shared > union
        return overlapping


def join_lattices(lattices: Sequence[WordLattice]) -> WordLattice:
    """Put the lattices of neighbouring words one after the other."""
    if len(lattices) == 1:
        return lattices[0]
    starts = np.cumsum([0, *(lattice.parts for lattice in lattices)])
    pairs = list(zip(lattices, starts[:-1], strict=True))
    return WordLattice(
        int(starts[-1]),
        np.concatenate([lattice.first + start for lattice, start in pairs]),
        np.concatenate([lattice.last + start for lattice, start in pairs]),
        np.concatenate([lattice.scores for lattice in lattices]),
    )


def _log_add(one: float, other: float) -> float:
    """Add two weights given as logarithms: `numpy.logaddexp` for single numbers, but faster."""
    low, high = (one, other) if one < other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def score_words(
    words: Sequence[Word], letter_height: float, classification: Classification
) -> list[WordLattice]:
    """Score the candidates of a line's words, for a reading by the CNN alone.

    Args:
        words: n candidates in all.
        letter_height: of the line's typical letter, in pixels of the ink frame.
        classification: of all candidates, one word after the other.

    Returns:
        One lattice per word.
    """
    (line,) = score_line(words, letter_height, classification, [CNN_WEIGHTS])
    ends = list(itertools.accumulate(len(word.candidates) for word in words))
    slices = itertools.starmap(slice, itertools.pairwise([0, *ends]))
    first, last = _nodes(words)
    return [
        WordLattice(len(word.gaps) + 1, first[own], last[own], line.scores[own])
        for word, own in zip(words, slices, strict=True)
    ]


def score_line(
    words: Sequence[Word], letter_height: float, classification: Classification, weights: Sequence[Weights]
) -> list[WordLattice]:
    """Score the candidates of a line's words, once with each of some weights of the features.

    Arguments otherwise as for `score_words`.

    Returns:
        For each of the weights one lattice of the whole line.
    """
    starts = list(itertools.accumulate((len(word.gaps) + 1 for word in words), initial=0))
    start = np.repeat(starts[:-1], [len(word.candidates) for word in words])
    first, last = (nodes + start for nodes in _nodes(words))
    probabilities, reject, _ = classification
    log_probabilities = np.log(np.maximum(probabilities, MIN_CHARACTER_PROBABILITY, dtype=np.float64))
    measured, log_reject = features(words, letter_height, reject), np.log(clip_reject(reject))
    # A mark looks like a letter, but is passed over.
    mark = np.array([candidate.mark for word in words for candidate in word.candidates])
    log_mark = np.log(mark, out=np.full_like(mark, -np.inf), where=mark > 0)

    lattices = []
    for one in weights:
        letters = log_probabilities * one.probability + (measured @ one.letter)[:, None]
        null = one.null_path + one.null_path_reject * log_reject
        null = np.logaddexp(null, letters.max(axis=1) + log_mark)
        letters += np.log1p(-mark)[:, None]
        scores = np.column_stack((letters, np.where(last == first + 1, null, -np.inf)))
        lattices.append(WordLattice(starts[-1], first, last, scores))
    return lattices


def _nodes(words: Sequence[Word]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the nodes of its word between which each candidate lies."""
    nodes = [(candidate.first, candidate.last) for word in words for candidate in word.candidates]
    first, last = np.array(nodes, np.intp).reshape(-1, 2).T
    return first, last


def features(words: Sequence[Word], letter_height: float, reject: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure what tells a letter from a bad cut: float64, n×(number of `WEIGHTS`), in their order.

    Args:
        words: of one line; n candidates in all.
        letter_height: of the line's typical letter, in pixels of the ink frame.
        reject: float32, n: the CNN's reject probability of each candidate.
    """
    clipped_reject = clip_reject(reject)

    # The ink of a candidate has a margin of one pixel on each side.
    sides = [candidate.ink.shape for word in words for candidate in word.candidates]
    height, width = (np.array(sides, np.float64).reshape(-1, 2).T - 2) / letter_height

    # Nodes, and the ink and paper at each, of one word after the other.
    ink = np.array([ink for word in words for ink in (0.0, *(joint.ink for joint in word.gaps), 0.0)])
    paper = np.array([gap for word in words for gap in (0.0, *(max(0.0, j.paper) for j in word.gaps), 0.0)])
    starts = list(itertools.accumulate((len(word.gaps) + 2 for word in words), initial=0))
    start = np.repeat(starts[:-1], [len(word.candidates) for word in words])
    first, last = (nodes + start for nodes in _nodes(words))

    # Up to and including each node.
    gaps_without_ink, paper_before = np.cumsum(ink == 0), np.cumsum(paper)
    measured = (
        np.log1p(-clipped_reject),
        np.log(clipped_reject),
        1.0,
        ((ink[first] != 0).astype(np.float64) + (ink[last] != 0)) / 2,
        (ink[first] + ink[last]) / 2,
        gaps_without_ink[last - 1] - gaps_without_ink[first],
        paper_before[last - 1] - paper_before[first],
        np.maximum(0.0, LOW_BELOW_LETTER_HEIGHTS - height) ** 2,
        np.maximum(0.0, width - WIDE_ABOVE_LETTER_HEIGHTS),
    )
    columns = np.empty((len(clipped_reject), len(measured)))
    for number, values in enumerate(measured):
        columns[:, number] = values
    return columns


def clip_reject(reject: NDArray[np.float32]) -> NDArray[np.float64]:
    """Clip reject probabilities to `MIN_REJECT_PROBABILITY` … 1 − `MIN_REJECT_PROBABILITY`."""
    return np.clip(reject.astype(np.float64), MIN_REJECT_PROBABILITY, 1 - MIN_REJECT_PROBABILITY)
