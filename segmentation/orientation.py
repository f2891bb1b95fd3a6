"""Rotates pages that lie on a side or upside down, and measures the white space that hints at it.

White space alone shows that lines run down the page, because letters are nearer to their neighbours in the
line than to the lines beside it. It does not tell top from bottom, nor the two directions apart if letters
are equally spaced both ways, as in a grid: then the shapes of the letters decide, about which
`lettermill.worker.reading.page_orientation` asks the CNN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.values import Segmentation

SAMPLED_LETTERS = 40
"""Letters whose neighbours are examined."""

LEAST_SHARED_SHARE = 0.5
"""Share of the smaller side that two letters have in common if they are neighbours in a row or column."""


def rotate_quarters(page: NDArray[np.uint8], quarters: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Rotate a page by multiples of 90°.

    Args:
        page: uint8, h×w.
        quarters: counter-clockwise 90° rotations, 0 to 3: the page lay rotated clockwise by as many.

    Returns:
        The rotated page, uint8, and the float64 2×3 affine map from its coordinates (x, y, pixel centres)
        back to those of `page`.
    """
    right, low = page.shape[1] - 1, page.shape[0] - 1
    back = (
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, right], [1, 0, 0]],
        [[-1, 0, right], [0, -1, low]],
        [[0, 1, 0], [-1, 0, low]],
    )[quarters]
    turned = np.ascontiguousarray(np.rot90(page, quarters)) if quarters else page
    return turned, np.array(back, np.float64)


def share_stacked(segmentation: Segmentation) -> float:
    """Measure how many letters have their nearest neighbour below rather than to the right.

    Args:
        segmentation: of the page as it was given.

    Returns:
        The share, 0–1, among up to 40 letters that have a neighbour at all; 0 if none has. Text in upright
        lines has up to a third, text that runs down the page half and more, a grid anything between.
    """
    boxes = np.array(
        [
            (candidate.box.x, candidate.box.y, candidate.box.width, candidate.box.height)
            for line in segmentation.lines
            for word in line.words
            for candidate in word.candidates
        ],
        np.float64,
    ).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sample = np.unique(
        np.linspace(0, len(boxes) - 1, min(SAMPLED_LETTERS, len(boxes))).round().astype(np.intp)
    )
    beside, below = (_gaps(low, high, sample, axis) for axis in (0, 1))
    told = np.isfinite(beside) | np.isfinite(below)
    return float((below < beside)[told].mean()) if told.any() else 0.0


def _gaps(
    low: NDArray[np.float64], high: NDArray[np.float64], sample: NDArray[np.intp], axis: int
) -> NDArray[np.float64]:
    """Pixels along an axis from sampled boxes to the next in their row or column; infinite at its end."""
    across = 1 - axis
    shared = np.minimum(high[sample, across, None], high[:, across]) - np.maximum(
        low[sample, across, None], low[:, across]
    )
    sizes = high[:, across] - low[:, across]
    near = shared >= LEAST_SHARED_SHARE * np.minimum(sizes[sample, None], sizes)
    middles = low[:, axis] + high[:, axis]
    after = middles > middles[sample, None]
    gaps = np.maximum(0.0, low[:, axis] - high[sample, axis, None])
    nearest: NDArray[np.float64] = np.where(near & after, gaps, np.inf).min(axis=1, initial=np.inf)
    return nearest
