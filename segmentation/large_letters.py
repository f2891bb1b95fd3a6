"""Finds letters far larger than the page's typical ones: a title, or writing among small captions.

What is higher than any letter should be is mostly a frame, a drawing or a shadow. It is a letter if another
one about as high stands beside it and both have the shape of letters.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component

WIDEST_RATIO = 1.6
"""Width divided by height of the widest letter, a W."""

SLIMMEST_RATIO = 0.25
"""The same for the slimmest one that shows that there are letters: an I may as well be a line of the form."""

LEAST_FILL_SHARE = 0.06
"""Share of the box that is ink: the thinnest pen leaves about a tenth, a drawing's outline less."""

ALIKE_RATIO = 1.6
"""Heights of two neighbours in one line, the higher divided by the lower, at most."""

LEAST_SHARED_SHARE = 0.5
"""Share of the lower one's height that two neighbours in one line have in common."""

WIDEST_GAP_RATIO = 1.0
"""Paper between two neighbours, divided by their height: more is between words."""

FRAME_SHARE = 0.92
"""Share of the smallest rectangle around it that a frame encloses; a D encloses 0.88."""

HOLLOW_SHARE = 0.6
"""Ink in what a frame encloses, at most; an I encloses nothing but its stroke."""


def find_large_letters(components: Sequence[Component], highest: float) -> NDArray[np.bool_]:
    """Find letters that are higher than those of usual text.

    Args:
        components: of the page, letters and all else.
        highest: height in pixels up to which letters are of usual size.

    Returns:
        bool, one for each component: whether it is higher than that, and still a letter.
    """
    boxes = np.array([(one.left, one.top, one.right, one.bottom) for one in components], np.float64)
    boxes = boxes.reshape(-1, 4)
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    found = np.zeros(len(components), np.bool_)
    may_be = (heights > highest / ALIKE_RATIO) & (widths <= WIDEST_RATIO * heights)
    if not (may_be & (heights > highest)).any():
        return found

    numbers = np.flatnonzero(may_be)
    numbers = numbers[[_has_shape_of_letter(components[number]) for number in numbers.tolist()]]
    for number in numbers[heights[numbers] > highest]:
        others = numbers[(numbers != number) & (widths[numbers] >= SLIMMEST_RATIO * heights[numbers])]
        found[number] = _are_neighbours(boxes[number], boxes[others]).any()
    return found


def _has_shape_of_letter(component: Component) -> bool:
    """Whether a component is neither a frame nor the outline of a drawing."""
    if component.fill < LEAST_FILL_SHARE:
        return False
    outer = component.contours[0]
    _, sides, _ = cv2.minAreaRect(outer)
    enclosed = cv2.contourArea(outer)
    is_hollow = component.area < HOLLOW_SHARE * enclosed
    return not (is_hollow and enclosed >= FRAME_SHARE * sides[0] * sides[1])


def _are_neighbours(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of the other boxes is beside a box and about as high."""
    height, heights = box[3] - box[1], others[:, 3] - others[:, 1]
    lower, higher = np.minimum(height, heights), np.maximum(height, heights)
    shared = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    gap = np.maximum(box[0], others[:, 0]) - np.minimum(box[2], others[:, 2])
    near: NDArray[np.bool_] = (
        (higher <= ALIKE_RATIO * lower)
        & (shared >= LEAST_SHARED_SHARE * lower)
        & (gap <= WIDEST_GAP_RATIO * higher)
    )
    return near
