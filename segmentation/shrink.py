"""Scales images down by averaging areas, quickly: by halves as long as that is possible.

OpenCV averages two by two pixels at the speed of memory, and any other area some fifty times slower. So an
image is halved as often as possible, and only the rest of the scale is averaged over other areas.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def shrink(image: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.uint8], float]:
    """Scale an image down by averaging areas; it is never scaled up.

    Args:
        image: uint8, h×w.
        scale: pixels wanted for each pixel of the image.

    Returns:
        uint8, the small image, and the scale that was used. Columns and rows that halving leaves over at the
        right and lower edge, less than one pixel of the small image, are dropped.
    """
    if scale >= 1:
        return image, 1.0
    halved, times = halve(image, scale)
    rest = scale * 2**times
    size = max(1, round(halved.shape[1] * rest)), max(1, round(halved.shape[0] * rest))
    return cv2.resize(halved, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), scale


def halve(image: NDArray[np.uint8], scale: float, most: int = 16) -> tuple[NDArray[np.uint8], int]:
    """Halve an image as often as a scale allows.

    Args:
        image: uint8, h×w.
        scale: pixels wanted for each pixel of the image; the result has as many or more.
        most: how often it is halved at most.

    Returns:
        uint8, the image, and how often it was halved.
    """
    times = min(most, math.floor(-math.log2(scale)), min(image.shape).bit_length() - 1)
    for _ in range(times):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        even = image[: 2 * height, : 2 * width]
        image = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return image, max(0, times)
