"""Maps shapes from the ink frame to boxes on the page: the smallest upright box, in page pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL, Component
from lettermill.segmentation.values import Box, Ink

ROUNDING_PIXELS = 0.01
"""How far arithmetic may move a box's edge without taking in another pixel."""


def page_boxes(shapes: Sequence[NDArray[np.int32]], ink: Ink) -> NDArray[np.int64]:
    """Return the boxes of shapes on the page: int64, n×4 (left, top, right, bottom), not yet clipped to it.

    Args:
        shapes: points, int32, n×2 (x, y), of each shape in the ink frame; none is empty.
        ink: the frame.
    """
    if not shapes:
        return np.zeros((0, 4), np.int64)
    starts = np.cumsum([0, *(len(shape) for shape in shapes[:-1])])
    points = np.concatenate(shapes) @ ink.to_page[:, :2].T + ink.to_page[:, 2]
    half = np.hypot(*ink.to_page[0, :2]) / 2
    low = np.minimum.reduceat(points, starts) + 0.5 - half
    high = np.maximum.reduceat(points, starts) + 0.5 + half
    return np.hstack((np.floor(low + ROUNDING_PIXELS), np.ceil(high - ROUNDING_PIXELS))).astype(np.int64)


def component_boxes(components: Sequence[Component], ink: Ink) -> NDArray[np.int64]:
    """Return the boxes of connected components on the page, as `page_boxes` does."""
    return page_boxes([np.concatenate(component.contours).reshape(-1, 2) for component in components], ink)


def clip_to_page(edges: Sequence[int], shape: tuple[int, ...]) -> Box:
    """Clip (left, top, right, bottom) to a page of that shape, and keep at least one pixel of it."""
    left, top, right, bottom = edges
    height, width = shape[:2]
    left, top = min(max(0, left), width - 1), min(max(0, top), height - 1)
    right, bottom = max(left + 1, min(width, right)), max(top + 1, min(height, bottom))
    return Box(left, top, right - left, bottom - top)


def enclosing_box(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around one or more boxes."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def crop_box(crop: NDArray[np.uint8], left: int, top: int, ink: Ink, shape: tuple[int, ...]) -> Box:
    """Return the box on the page around the strokes of a crop.

    Args:
        crop: uint8, h×w, soft foreground mask with at least one stroke.
        left: column of the ink frame in which the crop begins.
        top: row of the ink frame in which the crop begins.
        ink: the frame.
        shape: of the page, (height, width) in pixels.
    """
    strong = (crop >= INK_LEVEL).astype(np.uint8)
    contours, _ = cv2.findContours(strong, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    points = np.concatenate(contours).reshape(-1, 2).astype(np.int32, copy=False)
    return clip_to_page(page_boxes([points], ink)[0].tolist(), shape)
