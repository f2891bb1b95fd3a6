"""Makes the image in which the region network sees a page: small, grey, its contrast stretched."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.shrink import shrink

REGION_SIDE_PIXELS = 1280
"""Longer side to which larger pages are shrunk: a letter of 4 mm on A4 keeps 17 pixels, small print 6."""

REGION_STEP_PIXELS = 4
"""Side of the blocks for which the region network answers."""

REGION_VERSION = 1
"""Number of this way to make the image; a network knows the one that it was trained on."""

_DARK_SHARE, _LIGHT_SHARE = 0.01, 0.9
"""Shares of the pixels below the grey values that become black and white."""


def region_image(page: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Make the region network's image of a page.

    Args:
        page: uint8, h×w, grey.

    Returns:
        uint8, h×w, longer side at most 1,280 pixels; and its pixels per page pixel.
    """
    small, scale = shrink(page, REGION_SIDE_PIXELS / max(page.shape))
    return stretch_contrast(small), scale


def stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the grey values between the darkest ink and the paper over 0 to 255: uint8, h×w."""
    shares = np.cumsum(cv2.calcHist([image], [0], None, [256], [0, 256]).ravel()) / image.size
    dark, light = (int(np.searchsorted(shares, share)) for share in (_DARK_SHARE, _LIGHT_SHARE))
    table = np.clip((np.arange(256) - dark) * (255 / max(1, light - dark)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)
