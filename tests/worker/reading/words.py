"""Makes words of blocks of ink, for tests of what reads them."""

from __future__ import annotations

import itertools

import numpy as np

from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.values import Box, Candidate, Gap, Word

TOP, HEIGHT = 10, 20


def word_of(*columns: tuple[int, int]) -> Word:
    """A word whose parts are blocks of ink in these columns: first, and one past the last."""
    candidates = []
    for number, (left, right) in enumerate(columns):
        ink = np.pad(np.full((HEIGHT, right - left), 255, np.uint8), 1)
        box = Box(left, TOP, right - left, HEIGHT)
        candidates.append(Candidate(box, ink, normalise(ink), left - 1, TOP - 1, number, number + 1))
    gaps = [Gap((other[0] - one[1]) / HEIGHT) for one, other in itertools.pairwise(columns)]
    return Word(tuple(candidates), tuple(gaps))
