"""Weighs the readings of a line by what is likely in its context: names, a language, a list of words.

The places of a line's letters, each with the share of every character by all readers, are a lattice of its
own. Along it the n-gram gives each letter a probability after the letters before it. A word is either one of
the context, or letters at random, which the n-gram leaves alone: so a code or a foreign word is not bent
into one. Viterbi finds the best text with the n-gram's history as state, and the forward–backward algorithm
the share of every character in each place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.ngram import BOUNDARY, SYMBOLS, Ngram, followed_by

NGRAM_WEIGHT = 0.45
"""Weight of the n-gram's log probability beside the logarithm of the readers' share."""

EACH_LETTER = -0.2
"""What each letter adds beside that, in nats."""

OF_CONTEXT = 0.15
"""How probably a word is one of the context."""

FALSE_GAP = 0.3
"""How probably a gap lies within a word."""

LEAST_SHARE = 0.01
"""A character with a smaller share is left out, as the readers are as good as sure that it is another."""

BEAM_NATS, MOST_HISTORIES = 10.0, 24
"""Histories that are less likely than the best one by more than this are given up, and all but the best."""

_AT_RANDOM = 0
"""The state in a word of letters at random: it needs no history."""

_RANDOM_LOG_PROBABILITY = -math.log(27)
"""Of each of its letters: A to Z and the end."""


class Weighed(NamedTuple):
    """A line in its context.

    Attributes:
        columns: the best character of each place, as a column of the shares.
        score: log score of this text by readers and context.
        shares: float64, n×characters: of each character in its place; they sum up to the same as before.
    """

    columns: list[int]
    score: float
    shares: NDArray[np.float64]


class _Step(NamedTuple):
    """A way from one state to the next by a character; states are numbers within their place."""

    before: int
    after: int
    column: int
    score: float


class Context:
    """A context, prepared for the characters that are read.

    Args:
        ngram: of the context.
        characters: those of the columns of shares.
    """

    def __init__(self, ngram: Ngram, characters: str) -> None:
        self._ngram = ngram
        self._symbols = [SYMBOLS.index(character) for character in characters]

    def weigh(self, shares: NDArray[np.float64], words: Sequence[int]) -> Weighed:
        """Weigh the readings of a line.

        Args:
            shares: float64, n×characters, at least one place: the readers' share of each character.
            words: the number of the word in which each place lies.
        """
        considered = shares >= np.minimum(LEAST_SHARE, shares.max(axis=1, keepdims=True))
        possible = [
            [(int(column), math.log(row[column])) for column in np.flatnonzero(kept)]
            for row, kept in zip(shares, considered, strict=True)
        ]
        places = self._steps(possible, words)
        columns, score = _best(places)
        weighed = np.zeros_like(shares)
        for place, steps in enumerate(_posteriors(places)):
            for column, share in steps:
                weighed[place, column] += share
        weighed *= np.where(considered, shares, 0).sum(axis=1, keepdims=True)
        return Weighed(columns, score, np.where(considered, weighed, shares))

    def _steps(
        self, possible: Sequence[Sequence[tuple[int, float]]], words: Sequence[int]
    ) -> list[list[_Step]]:
        """Return the ways through each place, and at last those of the ends of the last word.

        Args:
            possible: for each place the columns and the logarithms of their shares.
            words: the number of the word in which each place lies.
        """
        places: list[list[_Step]] = []
        best = {BOUNDARY: 0.0}
        for place, columns in enumerate(possible):
            begins = place == 0 or words[place] != words[place - 1]
            limit = max(max(best.values()) - BEAM_NATS, sorted(best.values())[-MOST_HISTORIES:][0])
            numbers: dict[int, int] = {}
            after: dict[int, float] = {}
            steps: list[_Step] = []
            for number, (state, score) in enumerate(best.items()):
                if score < limit:
                    continue
                for history, entering in self._entered(state, begins, place == 0):
                    row = self._ngram.row(history) if history else ()
                    for column, log_share in columns:
                        added = entering + log_share + EACH_LETTER
                        following = _AT_RANDOM
                        if history:
                            symbol = self._symbols[column]
                            added += NGRAM_WEIGHT * (row[symbol] - _RANDOM_LOG_PROBABILITY)
                            following = followed_by(history, symbol)
                        steps.append(
                            _Step(number, numbers.setdefault(following, len(numbers)), column, added)
                        )
                        after[following] = max(after.get(following, -math.inf), score + added)
            places.append(steps)
            best = after
        places.append([_Step(number, 0, -1, self._end(state)) for number, state in enumerate(best)])
        return places

    def _entered(self, state: int, begins: bool, first: bool) -> list[tuple[int, float]]:
        """Return the histories that a state may have before the next letter, and what each adds.

        Args:
            state: behind the letter before; at the beginning of the line the boundary.
            begins: whether the letter lies in another word than the one before.
            first: whether there is none before.
        """
        if not begins:
            return [(state, 0.0)]
        new = 0.0 if first else self._end(state) + _LOG_GAP
        ways = [(BOUNDARY, new + _LOG_OF_CONTEXT), (_AT_RANDOM, new + _LOG_AT_RANDOM)]
        return ways if first else [*ways, (state, _LOG_FALSE_GAP)]

    def _end(self, state: int) -> float:
        """Return what the end of a word adds."""
        if state == _AT_RANDOM:
            return 0.0
        return NGRAM_WEIGHT * (self._ngram.row(state)[0] - _RANDOM_LOG_PROBABILITY)


_LOG_OF_CONTEXT, _LOG_AT_RANDOM = math.log(OF_CONTEXT), math.log(1 - OF_CONTEXT)
_LOG_GAP, _LOG_FALSE_GAP = math.log(1 - FALSE_GAP), math.log(FALSE_GAP)


def _best(places: Sequence[Sequence[_Step]]) -> tuple[list[int], float]:
    """Return the columns of the best way, and its score (Viterbi)."""
    scores = {0: 0.0}
    backs: list[dict[int, _Step]] = []
    for steps in places:
        after: dict[int, float] = {}
        back: dict[int, _Step] = {}
        for step in steps:
            score = scores[step.before] + step.score
            if score > after.get(step.after, -math.inf):
                after[step.after], back[step.after] = score, step
        scores = after
        backs.append(back)
    state, columns = 0, []
    for back in reversed(backs):
        columns.append(back[state].column)
        state = back[state].before
    return columns[:0:-1], scores[0]


def _posteriors(places: Sequence[Sequence[_Step]]) -> list[list[tuple[int, float]]]:
    """Return for each way through each place its column and its share of all texts (forward–backward)."""
    forward = [{0: 0.0}]
    for steps in places:
        forward.append(_summed((step.after, forward[-1][step.before] + step.score) for step in steps))
    backward = [{0: 0.0}]
    for steps in reversed(places):
        # A history that was given up leads nowhere.
        backward.append(
            _summed(
                (step.before, backward[-1][step.after] + step.score)
                for step in steps
                if step.after in backward[-1]
            )
        )
    backward.reverse()
    total = forward[-1][0]
    return [
        [
            (step.column, math.exp(before[step.before] + step.score + behind[step.after] - total))
            for step in steps
            if step.after in behind
        ]
        for steps, before, behind in zip(places[:-1], forward, backward[1:], strict=False)
    ]


def _summed(weights: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Add up weights, given as logarithms, by their states."""
    totals: dict[int, float] = {}
    for state, weight in weights:
        known = totals.get(state)
        if known is None:
            totals[state] = weight
        else:
            low, high = (known, weight) if known < weight else (weight, known)
            totals[state] = high + math.log1p(math.exp(low - high))
    return totals
