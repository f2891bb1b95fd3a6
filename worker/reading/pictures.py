"""Tells writing from pictures: in a photograph or a drawing hardly a piece of ink is surely a letter.

Leaves, gravel, cloth and a printed screen fall into thousands of pieces of ink, and the CNN knows at a glance
what they are not. So a picture is dropped before the costly steps: the search for the way up,
over-segmentation and the lattice. Rows of letters on the picture, as on a label, stay.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Segmentation
from lettermill.worker.reading.classifier import Classification

LEAST_PIECES = 100
"""A page with fewer pieces of ink is read, whatever it is: that costs little."""

PICTURE_BELOW_CERTAINTY = 0.25
"""A page whose pieces are on average less surely letters has a picture.

Photographs have up to 0.23, pages of handwriting 0.31 or more however bad the scan, most of them 0.9.
"""

WRITING_FROM_CERTAINTY = 0.35
"""A row of such a page is writing if its pieces are on average this surely letters."""

LEAST_CERTAIN_LETTERS = 2.0
"""Sum over such a row, at least: among thousands of pieces a few look like a letter by chance."""


def drop_pictures(
    segmentation: Segmentation, components: Classification, trace: Trace = UNSEEN
) -> tuple[Segmentation, Classification]:
    """Drop the rows of a page that are pieces of a picture.

    Args:
        segmentation: of the page; one candidate for each component.
        components: the classification of these candidates, in reading order.
        trace: receives what is dropped.

    Returns:
        Both without these rows: unchanged if the page has no picture. The share of the ink that is used
        becomes the share that is left, so that the page gets its quality code.
    """
    certainty = components.probabilities.max(axis=1) * (1 - components.reject)
    if len(certainty) < LEAST_PIECES or certainty.mean(dtype=np.float64) >= PICTURE_BELOW_CERTAINTY:
        return segmentation, components

    counts = [sum(len(word.candidates) for word in line.words) for line in segmentation.lines]
    rows = np.split(certainty, np.cumsum(counts)[:-1])
    is_writing = [_is_writing(row) for row in rows]
    lines = tuple(itertools.compress(segmentation.lines, is_writing))
    trace.note(
        "pictures",
        [
            [candidate for word in line.words for candidate in word.candidates]
            for line, kept in zip(segmentation.lines, is_writing, strict=True)
            if not kept
        ],
    )

    kept = np.repeat(is_writing, counts)
    used = (segmentation.quality.ink_used or 0.0) * float(kept.mean())
    quality = dataclasses.replace(segmentation.quality, ink_used=used)
    ink = segmentation.ink if lines else None
    return (
        dataclasses.replace(segmentation, lines=lines, quality=quality, ink=ink),
        components.kept(kept),
    )


def _is_writing(certainty: NDArray[np.float32]) -> bool:
    """Whether a row of pieces, each a letter with this probability, is writing."""
    return bool(certainty.mean() >= WRITING_FROM_CERTAINTY and certainty.sum() >= LEAST_CERTAIN_LETTERS)
