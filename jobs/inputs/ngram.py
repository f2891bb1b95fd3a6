"""Counts which letter follows which: an n-gram of characters with Kneser–Ney smoothing, and its file.

A word is spelled between two boundaries. The probability of a letter after the letters before it is counted
in words; what was seen seldom gives a part of its share to what follows shorter histories (interpolated
modified Kneser–Ney, Chen and Goodman 1999). So a name that no list holds is still likelier than letters at
random.
"""

from __future__ import annotations

import functools
import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import DIGITS, LETTERS

ORDER = 6
"""Symbols of the longest n-gram: a letter after five."""

SYMBOLS = f"_{LETTERS}{DIGITS}"
"""The boundary of a word, then what it may hold. A symbol's number is its place, from 1."""

BOUNDARY = 1
"""Number of the boundary, and the history at the beginning of a word."""

_BITS = 6
"""Of a symbol's number in the code of an n-gram. The code's last symbol has the lowest bits."""

STEP_NATS = 0.06
"""Logarithms are stored as multiples of this, 0 to 255."""

_HISTORIES = 1 << 15
"""Rows of the latest histories that are kept."""

_FORMAT = 1

_USUAL_DISCOUNTS = (0.6, 1.0, 1.3)
"""Taken off counts of 1, 2, and 3 or more where a list is too short to say."""

HELD_OUT_EVERY, LEAST_WORDS_TO_HOLD_OUT = 10, 200
"""About each such word of a list that is not short is left out once, to measure how the others expect it."""

Row = tuple[float, ...]
"""Log probability of each symbol, in the order of `SYMBOLS`."""


class _Ngrams(NamedTuple):
    """Different n-grams of one length.

    Attributes:
        codes: uint64, n, rising.
        counts: float64, n: how often each counts.
    """

    codes: NDArray[np.uint64]
    counts: NDArray[np.float64]


class _Smoothed(NamedTuple):
    """The arrays of an `Ngram`."""

    codes: NDArray[np.uint64]
    log_probabilities: NDArray[np.uint8]
    log_backoffs: NDArray[np.uint8]


class Ngram:
    """A character n-gram.

    Args:
        codes: uint64, n, rising: the n-grams of all lengths.
        log_probabilities: uint8, n: of the last symbol of each after the others, in `STEP_NATS` below 0.
        log_backoffs: uint8, n: likewise, the share of each as a history that goes to shorter histories.
        log_perplexity: nats a symbol at which it expects words of its kind that it was not made of.
    """

    def __init__(
        self,
        codes: NDArray[np.uint64],
        log_probabilities: NDArray[np.uint8],
        log_backoffs: NDArray[np.uint8],
        log_perplexity: float,
    ) -> None:
        self._codes = codes
        self._log_probabilities = log_probabilities
        self._log_backoffs = log_backoffs
        self.log_perplexity = log_perplexity
        self.row = functools.lru_cache(_HISTORIES)(self._row)
        """Returns the log probability of each symbol after a history."""

    def _row(self, history: int) -> Row:
        """Return the log probability of each symbol after a history, from `followed_by`."""
        own_length = -(-history.bit_length() // _BITS)
        histories = [history & ((1 << _BITS * length) - 1) for length in range(own_length + 1)]
        wanted = np.array([(one << _BITS, (one + 1) << _BITS, one) for one in histories], np.uint64)
        places = np.searchsorted(self._codes, wanted.reshape(-1)).reshape(-1, 3).tolist()
        row = np.full(len(SYMBOLS), -math.log(len(SYMBOLS)))
        for one, (first, last, own) in zip(histories, places, strict=True):
            if first == last:
                if one:
                    break
                continue
            if one:
                row -= STEP_NATS * int(self._log_backoffs[own])
            symbols = (self._codes[first:last] & np.uint64((1 << _BITS) - 1)).astype(np.intp) - 1
            row[symbols] = -STEP_NATS * self._log_probabilities[first:last]
        return tuple(row.tolist())

    def log_probability(self, word: str) -> float:
        """Return the log probability of a word of known symbols, its end included."""
        history, total = BOUNDARY, 0.0
        for symbol in (*map(SYMBOLS.index, word), 0):
            total += self.row(history)[symbol]
            history = followed_by(history, symbol)
        return total

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            format=np.array([_FORMAT, ORDER]),
            steps=np.diff(self._codes, prepend=np.uint64(0)),
            log_probabilities=self._log_probabilities,
            log_backoffs=self._log_backoffs,
            log_perplexity=np.array([self.log_perplexity]),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Ngram:
        """Return the n-gram of a file.

        Raises:
            ValueError: it is no such file, is damaged, or was written by another version.
        """
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise ValueError("it is damaged, or no pack")
        try:
            with np.load(io.BytesIO(content)) as arrays:
                if arrays["format"].tolist() != [_FORMAT, ORDER]:
                    raise ValueError("another version wrote it")
                codes = np.cumsum(arrays["steps"], dtype=np.uint64)
                probabilities, backoffs = arrays["log_probabilities"], arrays["log_backoffs"]
                perplexity = float(arrays["log_perplexity"][0])
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, TypeError) as error:
            raise ValueError(f"it is damaged: {error}") from error
        if any(one.shape != codes.shape or one.dtype != np.uint8 for one in (probabilities, backoffs)):
            raise ValueError("its parts do not fit each other")
        return cls(codes, probabilities, backoffs, perplexity)


def followed_by(history: int, symbol: int) -> int:
    """Return the history after one more symbol.

    Args:
        history: `BOUNDARY` at the beginning of a word.
        symbol: its index in `SYMBOLS`; after the boundary a new word begins.
    """
    if symbol == 0:
        return BOUNDARY
    return (history << _BITS | (symbol + 1)) & ((1 << _BITS * (ORDER - 1)) - 1)


def make_ngram(words: Mapping[str, int]) -> Ngram:
    """Make the n-gram of a list.

    Args:
        words: how often each word counts; at least one word, of letters and digits.
    """
    nats = math.log(len(SYMBOLS))
    # By a checksum, as lists are in an order that has its own regularity.
    held_out = [word for word in words if zlib.crc32(word.encode()) % HELD_OUT_EVERY == 0]
    if held_out and len(words) >= LEAST_WORDS_TO_HOLD_OUT:
        without = _made({word: words[word] for word in words.keys() - set(held_out)}, nats)
        symbols = sum(words[word] * (len(word) + 1) for word in held_out)
        nats = -sum(words[word] * without.log_probability(word) for word in held_out) / symbols
    return _made(words, nats)


def _made(words: Mapping[str, int], log_perplexity: float) -> Ngram:
    codes, log_probabilities, log_backoffs = _smoothed(_counted(words))
    return Ngram(codes, log_probabilities, log_backoffs, log_perplexity)


def _counted(words: Mapping[str, int]) -> list[_Ngrams]:
    """Count the n-grams of each length from 1, those of the longest and those that begin a word as they are.

    Others count once for each symbol that stands before them somewhere (Kneser and Ney 1995).
    """
    raw = _counted_as_they_are(words)
    found = raw[-1:]
    for own, longer, length in zip(raw[-2::-1], raw[:0:-1], range(len(raw) - 1, 0, -1), strict=True):
        suffixes, before = np.unique(longer.codes & np.uint64((1 << _BITS * length) - 1), return_counts=True)
        begins = (own.codes >> np.uint64(_BITS * (length - 1)) == BOUNDARY) & (length > 1)
        at = np.minimum(np.searchsorted(suffixes, own.codes), len(suffixes) - 1)
        follows = (suffixes[at] == own.codes) & ~begins
        found.insert(0, _Ngrams(own.codes, np.where(follows, before[at].astype(np.float64), own.counts)))
    every = np.arange(1, len(SYMBOLS) + 1, dtype=np.uint64)
    counts = np.zeros(len(every))
    counts[found[0].codes.astype(np.intp) - 1] = found[0].counts
    return [_Ngrams(every, counts), *found[1:]]


def _counted_as_they_are(words: Mapping[str, int]) -> list[_Ngrams]:
    """Return for each length from 1 the n-grams of words, and how often each is there."""
    numbers = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}
    lengths = np.array([len(word) + 2 for word in words])
    symbols = np.array([numbers[one] for word in words for one in f"_{word}_"], np.uint64)
    # From each symbol on, the places since its word's first boundary, and how often its word counts.
    place = np.arange(len(symbols)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    weight = np.repeat(np.array(list(words.values()), np.float64), lengths)
    raw = []
    window = np.zeros(len(symbols), np.uint64)
    for length in range(1, min(ORDER, lengths.max()) + 1):
        window[length - 1 :] |= symbols[: len(symbols) - length + 1] << np.uint64(_BITS * (length - 1))
        inside = place >= max(1, length - 1)
        codes, of_codes = np.unique(window[inside], return_inverse=True)
        raw.append(_Ngrams(codes, np.bincount(of_codes, weight[inside]).astype(np.float64)))
    return raw


def _smoothed(by_length: Sequence[_Ngrams]) -> _Smoothed:
    """Return the arrays of `Ngram`: probabilities are interpolated with those of shorter n-grams."""
    shorter, of_shorter = np.zeros(1, np.uint64), np.full(1, 1 / len(SYMBOLS))
    backoffs: dict[int, float] = {}
    found = []
    for length, (codes, counts) in enumerate(by_length, start=1):
        histories, first, sizes = np.unique(codes >> np.uint64(_BITS), return_index=True, return_counts=True)
        discounts = np.minimum(_discounts(counts)[np.minimum(counts, 3).astype(np.intp)], counts)
        totals = np.add.reduceat(counts, first)
        shares = np.add.reduceat(discounts, first) / totals
        suffixes = codes & np.uint64((1 << _BITS * (length - 1)) - 1)
        of_suffixes = of_shorter[np.searchsorted(shorter, suffixes)]
        own_part = (counts - discounts) / np.repeat(totals, sizes)
        probabilities = own_part + np.repeat(shares, sizes) * of_suffixes
        backoffs.update(zip(histories.tolist(), shares.tolist(), strict=True))
        found.append((codes, probabilities))
        shorter, of_shorter = codes, probabilities
    codes, probabilities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(codes)
    codes, probabilities = codes[order], probabilities[order]
    of_histories = np.array([backoffs.get(code, 1.0) for code in codes.tolist()])
    return _Smoothed(codes, _in_steps(probabilities), _in_steps(of_histories))


def _discounts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is taken off counts of 0, 1, 2, and 3 or more: by how many n-grams have counts 1 to 4."""
    seen = np.bincount(np.minimum(counts, 5).astype(np.intp), minlength=6)[1:5].astype(np.float64)
    if not seen.all():
        return np.array([0.0, *_USUAL_DISCOUNTS])
    share = seen[0] / (seen[0] + 2 * seen[1])
    fitted = [one - (one + 1) * share * seen[one] / seen[one - 1] for one in (1, 2, 3)]
    return np.array(
        [0.0, *(float(np.clip(one, 0.1, most)) for one, most in zip(fitted, (0.95, 1.9, 2.9), strict=True))]
    )


def _in_steps(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the logarithms of shares, as they are stored."""
    steps = -np.log(np.maximum(shares, np.finfo(np.float64).tiny)) / STEP_NATS
    return np.clip(np.rint(steps), 0, 255).astype(np.uint8)
