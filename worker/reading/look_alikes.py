"""Decides between letters and digits that look alike, such as O and 0, by the whole field or line.

A field is mostly of one kind, and so is a word on a page, often that of the word before. So it is taken to
be one of three things: all letters, all digits, or a mixture in which the kind changes now and then (hidden
Markov chains, Rabiner 1989). What the ink says of every character speaks for one of them, and the likeliest
kind of each place follows. An X speaks for neither: it may be a cell of digits that is crossed out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import LETTERS, LOOK_ALIKES, Alphabet
from lettermill.worker.reading.classifier import RANKING_LENGTH, Ranking

TWINS = LOOK_ALIKES | {digit: letter for letter, digit in LOOK_ALIKES.items()}
"""Maps each look-alike to the other one of its pair."""

MIXED_PROBABILITY = 0.4
"""How probable a mixture of letters and digits is; the rest is half letters, half digits."""

CHANGE_IN_WORD, CHANGE_BETWEEN_WORDS = 0.2, 0.3
"""Probability that the kind changes from one character of a mixture to the next."""

SAME_KIND_PROBABILITY = 0.8
"""How surely a word on a page is written in the kind of the word before it on its line; else it is any."""

LEAST_OTHER_PROBABILITY = 0.02
"""The least probability that the ink is of the other kind than it looks."""

CROSS = "X"
"""What a cell that is crossed out reads as; it says nothing about the characters beside it."""

SAME_SHAPE = frozenset("O0")
"""Characters that people write the same way: only what is beside them tells which one it is."""

KIND_ODDS = 20.0
"""The most that the kind counts in the confidence of a character that follows it, as odds."""

MIN_CONFIDENCE_SHARE = 0.5
"""It has at least this share of the confidence of both."""


def kind_of(words: Sequence[Sequence[Ranking]], together: bool) -> Alphabet:
    """Return what a line is written in: letters, digits, or both (alnum).

    Args:
        words: the rankings of each word's characters, from left to right.
        together: whether they are one field.
    """
    are_digits = digit_probabilities(words, together) > 0.5
    if any(is_cross(ranking) for word in words for ranking in word) and are_digits.all():
        return "alnum"
    if not len(are_digits) or are_digits.any() != are_digits.all():
        return "alnum"
    return "digits" if are_digits.all() else "letters"


def resolve_look_alikes(words: Sequence[Sequence[Ranking]], together: bool) -> list[list[Ranking]]:
    """Change characters of a line to the kind (letter or digit) that the whole field, or the word, says.

    A character changes into the likeliest of the other kind in its ranking, or into its look-alike. The
    reading of the ink stays as the second choice. The confidence combines ink and kind, so it is low if they
    disagree; that of an O or a 0 is low as well if nothing beside it tells the two apart.

    Args:
        words: the rankings of each word's characters, from left to right.
        together: whether they are one field.

    Returns:
        The same, changed where a character was read as the other kind.
    """
    digits = iter(digit_probabilities(words, together).tolist())
    return [
        [_doubted(ranking, digit := next(digits), _resolve(ranking, digit > 0.5)) for ranking in word]
        for word in words
    ]


def digit_probabilities(words: Sequence[Sequence[Ranking]], together: bool) -> NDArray[np.float64]:
    """Return how probably each character of a line is a digit, given the field, or the words of the line.

    Args:
        words: the rankings of each word's characters, from left to right; n in all.
        together: whether they are one field.

    Returns:
        float64, n.
    """
    filled = [word for word in words if word]
    if not filled:
        return np.zeros(0)
    fields = [filled] if together else [[word] for word in filled]
    likelihoods, within_mixtures = zip(*(_kinds_of_field(field) for field in fields), strict=True)
    priors = np.array([(1 - MIXED_PROBABILITY) / 2, (1 - MIXED_PROBABILITY) / 2, MIXED_PROBABILITY])
    step = np.log(SAME_KIND_PROBABILITY * np.eye(3) + (1 - SAME_KIND_PROBABILITY) * priors)
    kinds, _ = _forward_backward(np.array(likelihoods), np.log(priors), [step] * (len(fields) - 1))
    return np.concatenate(
        [
            all_digits + mixed * within
            for (_, all_digits, mixed), within in zip(kinds, within_mixtures, strict=True)
        ]
    )


def _kinds_of_field(words: Sequence[Sequence[Ranking]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the log likelihoods of letters, digits and a mixture; and where the digits of a mixture are.

    Returns:
        float64, 3; and float64, n: how probably each character is a digit if it is a mixture.
    """
    starts = set(itertools.accumulate(map(len, words)))
    ink = np.log(np.array([_seen_kinds(ranking) for word in words for ranking in word]))
    changes = [CHANGE_BETWEEN_WORDS if place in starts else CHANGE_IN_WORD for place in range(1, len(ink))]
    steps = [np.log([[1 - change, change], [change, 1 - change]]) for change in changes]
    kinds, mixture = _forward_backward(ink, np.log([0.5, 0.5]), steps)
    return np.array([*ink.sum(axis=0), mixture]), kinds[:, 1]


def _forward_backward(
    seen: NDArray[np.float64], start: NDArray[np.float64], steps: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], float]:
    """Return the probabilities of the states of a hidden Markov chain, and the logarithm of its likelihood.

    Args:
        seen: float64, n×k: log probability of what is seen at each place in each state.
        start: float64, k: log probability of each state at the first place.
        steps: n - 1 of float64, k×k: log probability of the next state, in each state.
    """
    forward, backward = np.zeros_like(seen), np.zeros_like(seen)
    forward[0] = seen[0] + start
    for place, step in enumerate(steps, start=1):
        forward[place] = seen[place] + np.logaddexp.reduce(forward[place - 1][:, None] + step, axis=0)
    for place in range(len(steps) - 1, -1, -1):
        after = seen[place + 1] + backward[place + 1]
        backward[place] = np.logaddexp.reduce(steps[place] + after, axis=1)
    total = np.logaddexp.reduce(forward[-1])
    return np.exp(forward + backward - total), float(total)


def _seen_kinds(ranking: Ranking) -> tuple[float, float]:
    """Return how probably the ink is what letters, and what digits, have beside them."""
    letter = sum(confidence for character, confidence in ranking if character in LETTERS)
    digit = sum(confidence for character, confidence in ranking if character not in LETTERS)
    digit += dict(ranking).get(CROSS, 0.0)
    return max(letter, LEAST_OTHER_PROBABILITY), max(digit, LEAST_OTHER_PROBABILITY)


def _doubted(ranking: Ranking, digit: float, resolved: Ranking) -> Ranking:
    """Lower the confidence of an O or a 0 to what the characters beside it say, without its own ink.

    Args:
        ranking: what the ink alone says.
        digit: how probably it is a digit, by its ink and what is beside it.
        resolved: what it became.
    """
    (read, confidence), *others = resolved
    if read not in SAME_SHAPE:
        return resolved
    letter_ink, digit_ink = _seen_kinds(ranking)
    for_letter, for_digit = (1 - digit) / letter_ink, digit / digit_ink
    kind = (for_letter if read in LETTERS else for_digit) / (for_letter + for_digit)
    most = round(max(MIN_CONFIDENCE_SHARE, kind), 6)
    if confidence <= most:
        return resolved
    twin = TWINS[read]
    of_twin = round(dict(others).get(twin, 0.0) + confidence - most, 6)
    rest = [choice for choice in others if choice[0] != twin]
    return ((read, most), *sorted([(twin, of_twin), *rest], key=lambda choice: -choice[1]))[:RANKING_LENGTH]


def is_cross(ranking: Ranking) -> bool:
    """Return whether a character may be a cell that is crossed out."""
    return ranking[0][0] == CROSS


def _resolve(ranking: Ranking, is_digit: bool) -> Ranking:
    (read, confidence), *others = ranking
    if (read not in LETTERS) == is_digit or is_cross(ranking):
        return ranking
    possible = {
        character: sure
        for character, sure in others
        if (character not in LETTERS) == is_digit and sure >= LEAST_OTHER_PROBABILITY
    }
    if read in TWINS:
        possible.setdefault(TWINS[read], dict(others).get(TWINS[read], 0.0))
    if not possible:
        return ranking
    other = max(possible, key=lambda character: possible[character])
    other_confidence = possible[other]
    together = confidence + other_confidence
    share = KIND_ODDS * other_confidence / max(1e-9, KIND_ODDS * other_confidence + confidence)
    resolved = together * max(MIN_CONFIDENCE_SHARE, share)
    rest = [choice for choice in ranking if choice[0] not in (read, other)]
    return ((other, round(resolved, 6)), (read, round(together - resolved, 6)), *rest)[:RANKING_LENGTH]
