"""Normalises the image of one character to the 28×28 glyph that the CNN sees; there is no other way to one.

Training and reading both use `normalise`, so a letter looks the same to the CNN wherever it came from.
Images of single characters (training sets, `lettermill predict`) first become a soft foreground mask with
`ink_of`; pages have one from `segmentation.binarise`.

The layout follows EMNIST (Cohen et al. 2017, arXiv:1702.05373): crop to the ink, keep the aspect
ratio, centre the bounding box, leave a border. It differs in two points: areas are averaged instead
of blurred and interpolated, so a crop of any resolution ends equally sharp, and the darkest ink is
stretched to 255, so a thin pen does not fade when it is scaled down.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GLYPH_VERSION = 1
"""Raised whenever `normalise` gives other values; a model states the version that it was trained on."""

GLYPH_SIZE = 28
"""Width and height of a glyph in pixels."""

BORDER_PIXELS = 3
"""Empty pixels on each side of the longer axis."""

GLYPH_INK_LEVEL = 96
"""Value (0–255) from which a pixel of a glyph, or of one character's foreground mask, counts as ink."""

_NOISE_SHARE = 0.25
"""Contrast that becomes 0, as a share of the strongest ink's: paper grain, compression noise."""

_LEAST_CONTRAST_LEVELS = 24
"""Grey levels from the paper from which a pixel is visible."""

_SPECK_SHARE = 0.02
"""A speck is smaller than this share of the largest component: the dot of a pen is larger."""

_NEIGHBOUR_SHARE = 0.2
"""The same for what a crop shows of the letters beside."""

_OTHER_LINE_SHARE = 0.04
"""The same for what it shows above and below, where the detached bar of an E or I may be."""


def normalise(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale one character's ink into the square that the CNN sees.

    Args:
        ink: uint8, h×w, 255 where a pixel is wholly ink and 0 where it is paper; margins of any size.

    Returns:
        uint8, 28×28, white on black, the ink's bounding box centred with its aspect ratio kept and at
        least 3 empty pixels on every side. All zeros if there is no ink.

    Raises:
        ValueError: the array is not two-dimensional uint8.
    """
    if ink.ndim != 2 or ink.dtype != np.uint8:
        raise ValueError(f"ink must be a two-dimensional uint8 array, not {ink.dtype} of shape {ink.shape}")
    glyph = np.zeros((GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    left, top, width, height = cv2.boundingRect(
        cv2.threshold(ink, GLYPH_INK_LEVEL - 1, 255, cv2.THRESH_BINARY)[1]
    )
    if width == 0:
        return glyph
    crop = ink[top : top + height, left : left + width]
    scale = (GLYPH_SIZE - 2 * BORDER_PIXELS) / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(crop, (new_width, new_height), interpolation=method)
    top, left = (GLYPH_SIZE - new_height) // 2, (GLYPH_SIZE - new_width) // 2
    stretch = 255.0 / max(1.0, float(small.max()))
    glyph[top : top + new_height, left : left + new_width] = cv2.convertScaleAbs(small, alpha=stretch)
    return glyph


def rotated(glyphs: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Rotate glyphs about their middle.

    Args:
        glyphs: uint8, n×28×28.
        degrees: counter-clockwise.

    Returns:
        uint8, n×28×28; ink that leaves the square is lost.
    """
    middle = (GLYPH_SIZE - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    found = np.empty_like(glyphs)
    for glyph, place in zip(glyphs, found, strict=True):
        cv2.warpAffine(glyph, turn, (GLYPH_SIZE, GLYPH_SIZE), dst=place)
    return found


def ink_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compute the soft foreground mask of a single character, at any polarity, contrast and margin.

    The paper is the median along the image's edge; ink is the distance from it, stretched so that the weakest
    quarter (paper grain, compression noise) becomes 0 and the strongest pixels 255. Specks, and cut-off
    neighbours at the image's edge, are removed.

    Args:
        image: uint8, h×w, grey; dark on light or light on dark.

    Returns:
        uint8, h×w, 255 for ink and 0 for paper; all zeros if the image has no contrast.
    """
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    distance = np.abs(image.astype(np.float32) - float(np.median(edge)))
    visible = distance[distance >= _LEAST_CONTRAST_LEVELS]
    if visible.size == 0:
        return np.zeros(image.shape, np.uint8)
    # Of the visible pixels only, so that a wide margin does not change the level.
    strongest = float(np.percentile(visible, 90))
    ink = (distance / strongest - _NOISE_SHARE) / (1 - 2 * _NOISE_SHARE)
    return _without_remnants(np.rint(np.clip(ink, 0, 1) * 255).astype(np.uint8))


def _without_remnants(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Remove specks, and small ink at the image's edge that is not part of the largest component."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (ink >= GLYPH_INK_LEVEL).astype(np.uint8), connectivity=8
    )
    if count <= 2:
        return ink
    height, width = ink.shape
    left, top, right, bottom, area = (
        stats[:, cv2.CC_STAT_LEFT],
        stats[:, cv2.CC_STAT_TOP],
        stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH],
        stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT],
        stats[:, cv2.CC_STAT_AREA],
    )

    largest = 1 + int(area[1:].argmax())
    share = area / area[largest]
    touches_left, touches_right = left == 0, right == width
    # Where the letter itself is cut by an edge, small ink there may be its own other end.
    beside = (touches_left & ~touches_left[largest]) | (touches_right & ~touches_right[largest])
    beyond = ((top == 0) & (bottom < top[largest])) | ((bottom == height) & (top > bottom[largest]))
    drop = (
        (share < _SPECK_SHARE)
        | (beside & (share < _NEIGHBOUR_SHARE))
        | (beyond & (share < _OTHER_LINE_SHARE))
    )
    drop[0] = False
    if not drop.any():
        return ink

    # Remove the soft rim of a component with it, but not the rim of what stays.
    kept = cv2.dilate((~drop & (np.arange(count) > 0))[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    gone = cv2.dilate(drop[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    cleaned = ink.copy()
    cleaned[(gone > 0) & ((kept == 0) | drop[labels])] = 0
    return cleaned
