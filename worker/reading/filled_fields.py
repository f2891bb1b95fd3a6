"""Finds the fields of a form in which somebody has written: such a form is no blank."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import find_ink
from lettermill.segmentation.region_image import region_image
from lettermill.segmentation.regions import CONTRAST_WINDOW_SHARE, PAPER_WINDOW_SHARE, Region
from lettermill.segmentation.values import Box
from lettermill.worker.reading.region_network import RegionNetwork

LEAST_WRITTEN_PIXELS = 25
"""Pixels of writing in a field on the region network's small copy: a letter of 4 mm on A4 has some 40."""

_INK_LEVEL = 128


def filled_fields(page: NDArray[np.uint8], boxes: Sequence[Box], network: RegionNetwork) -> list[int]:
    """Find the fields that are filled in.

    Args:
        page: uint8, h×w, grey.
        boxes: the fields, in pixels of the page.
        network: tells writing from print.

    Returns:
        The numbers of the fields that hold writing, from 0.
    """
    image, scale = region_image(page)
    side = max(image.shape)
    ink = find_ink(image, side * PAPER_WINDOW_SHARE, side * CONTRAST_WINDOW_SHARE, blur=0.0) >= _INK_LEVEL
    likeliest = network.probabilities(image).argmax(axis=0).astype(np.uint8)
    regions = cv2.resize(likeliest, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    written = ink & (regions == Region.WRITING)
    found = []
    for number, box in enumerate(boxes):
        left, top = (round(scale * side) for side in (box.x, box.y))
        right, low = (round(scale * side) for side in (box.x + box.width, box.y + box.height))
        if written[top:low, left:right].sum() >= LEAST_WRITTEN_PIXELS:
            found.append(number)
    return found
