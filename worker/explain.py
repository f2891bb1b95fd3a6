"""Where the CNN looked: occlusion sensitivity, after Zeiler and Fergus 2014 (arXiv:1311.2901)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

PATCH = 5
"""Side in pixels of the square of ink that is removed: wider than a stroke, narrower than an arc."""

_LEAST = 1e-12
"""Probability below which nothing is told apart, so that a logarithm stays finite."""

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 n×28×28 to float32 n×k, rows sum to 1: `worker.classifier.Classifier.probabilities`, for one."""


def occlusion_map(
    probabilities: Probabilities, glyph: NDArray[np.uint8], column: int | None = None
) -> NDArray[np.float32]:
    """Measure how much each place of a glyph speaks for its character.

    A square of ink is removed at every place in turn, and the fall of the character's log-odds is noted.
    All these glyphs, some hundreds, go through the network in one call. Zeiler and Fergus cover the place
    with grey; here it becomes paper, for a grey square would be a stroke of its own. Squares without ink
    change nothing and are not asked about.

    Args:
        probabilities: the network; it decides which characters compete.
        glyph: uint8, 28×28, as `segmentation.glyph.normalise` makes it.
        column: which of the network's columns is explained; None for the most probable one.

    Returns:
        float32, 28×28: the mean fall of the log-odds, in nats, over the squares that cover the pixel.
        Positive where ink speaks for the character, negative where it speaks against, 0 far from ink.
    """
    height, width = glyph.shape
    corners = [
        (top, left)
        for top in range(1 - PATCH, height)
        for left in range(1 - PATCH, width)
        if glyph[_square(top, left)].any()
    ]
    asked = np.repeat(glyph[None], len(corners) + 1, axis=0)
    for occluded, (top, left) in zip(asked[1:], corners, strict=True):
        occluded[_square(top, left)] = 0
    answers = probabilities(asked).astype(np.float64)
    if column is None:
        column = int(answers[0].argmax())
    # One minus a probability near 1 would lose what the sum of the others still tells.
    others = np.delete(answers, column, axis=1).sum(axis=1)
    odds = np.log(np.maximum(answers[:, column], _LEAST)) - np.log(np.maximum(others, _LEAST))
    fall = np.zeros(glyph.shape)
    for (top, left), after in zip(corners, odds[1:], strict=True):
        fall[_square(top, left)] += odds[0] - after
    return (fall / PATCH**2).astype(np.float32)


def _square(top: int, left: int) -> tuple[slice, slice]:
    """The part of a square that lies in the glyph."""
    return slice(max(0, top), top + PATCH), slice(max(0, left), left + PATCH)
