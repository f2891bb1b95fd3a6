"""What a word's ink may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WordLattice:
    """What a word's ink may be: pieces 0..n from left to right, and candidates that each cover a run of them.

    Attributes:
        pieces: number of pieces; nodes are 0..pieces.
        first: intp, n: node where each candidate begins.
        last: intp, n: node where it ends, first < last.
        scores: float64, n×(characters + 1): log score of each candidate being each character; the last
            column is the log score of its ink being no letter at all (passed over without output).
    """

    pieces: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    scores: NDArray[np.float64]


def chain(probabilities: NDArray[np.float32], non_letter: NDArray[np.float32]) -> WordLattice:
    """Make the lattice of pieces that are a letter each, or none.

    Args:
        probabilities: float32, n×characters, the CNN's calibrated probabilities.
        non_letter: float32, n, how likely each is no letter.
    """
    none = np.clip(non_letter.astype(np.float64), 0.02, 0.98)
    letters = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) + np.log1p(-none)[:, None]
    first = np.arange(len(none))
    return WordLattice(len(none), first, first + 1, np.hstack((letters, np.log(none)[:, None] - 2)))
