"""Finds connected components of ink, and measures the typical sizes of letters and strokes from them.

All later thresholds are multiples of the two sizes measured here, so that nothing depends on the resolution
of the page. Constants of all modules name their unit: `_LETTERS` and `_STROKES` are multiples of the letter
height and of the stroke width, `_PIXELS` and `_LEVELS` (of grey, 0–255) are absolute, `_SHARE` is a part of
a whole and `_RATIO` compares two measures of one kind.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

INK_LEVEL = 128
"""Value of the soft foreground mask (0–255) from which a pixel belongs to a stroke."""

LEAST_LETTER_PIXELS = 7
"""Lowest letter: nothing lower can be read."""

_NEXT, _CHILD, _PARENT = 0, 2, 3
"""Columns of OpenCV's contour hierarchy."""

_LEAST_COMPONENT_PIXELS = 2
"""A component no larger than this either way is noise at any legible resolution."""

_LEAST_FILL_SHARE = 0.05
"""Share of the box that is ink: a frame leaves less, the thinnest pen leaves about a tenth."""

_SOLID_STROKES = 2.6
"""Longer side, in strokes as `Component.stroke` measures them: a disc or a square has two, a letter four."""

MOST_STROKE_SIDES = 8.0
"""Length of a component's strokes divided by its longer side, at most: letters and words that run together
have up to five, a net, a weave, a printed screen or a scribble ten and more."""

_MOST_ELONGATED_RATIO = 15.0
"""Longer side divided by the shorter: a slim I reaches about twelve, a form line hundreds."""


@dataclass(frozen=True, slots=True)
class Component:
    """A connected component of ink, or several joined, in pixels of the ink frame.

    Attributes:
        left: first column.
        top: first row.
        right: one past the last column.
        bottom: one past the last row.
        area: pixels of ink, estimated from the contours.
        outline: length of all its edges in pixels, including inner ones.
        contours: int32 arrays n×1×2 (x, y), outer and inner; filled by the even-odd rule they draw it.
        accents: contours of marks that belong to the letter but not to its shape; the attributes above ignore
            them.
    """

    left: int
    top: int
    right: int
    bottom: int
    area: float
    outline: float
    contours: tuple[NDArray[np.int32], ...] = field(compare=False, repr=False)
    accents: tuple[NDArray[np.int32], ...] = field(default=(), compare=False, repr=False)

    @property
    def width(self) -> int:
        """Columns covered."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows covered."""
        return self.bottom - self.top

    @property
    def stroke(self) -> float:
        """Mean width of its stroke: an area of length × width has an outline of about twice the length."""
        return 2 * self.area / max(1.0, self.outline)

    @property
    def is_net(self) -> bool:
        """Whether its strokes cross it so often that it is no letter."""
        return self.outline / 2 > MOST_STROKE_SIDES * max(self.width, self.height)

    @property
    def with_accents(self) -> tuple[NDArray[np.int32], ...]:
        """Its contours and those of its accents."""
        return self.contours + self.accents

    @property
    def fill(self) -> float:
        """Share of its box that is ink."""
        return self.area / (self.width * self.height)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Typical sizes of the writing, measured on the page's own ink.

    Attributes:
        letter: height of a typical letter in pixels.
        stroke: width of a typical stroke in pixels.
    """

    letter: float
    stroke: float


def find_components(ink: NDArray[np.uint8]) -> list[Component]:
    """Find the connected components of ink, including those inside holes and frames.

    Args:
        ink: uint8, h×w, soft foreground mask, 0 paper … 255 ink.

    Returns:
        Every component larger than two pixels, in OpenCV's order.
    """
    _, strokes = cv2.threshold(ink, INK_LEVEL - 1, 255, cv2.THRESH_BINARY)
    contours, hierarchy = cv2.findContours(strokes, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    links = np.asarray(hierarchy, np.int32).reshape(-1, 4).tolist()
    boxes = contour_boxes(contours)
    large = ((boxes[:, 2:] - boxes[:, :2]).max(axis=1) > _LEAST_COMPONENT_PIXELS).tolist()
    components = []
    for index, box in enumerate(boxes.tolist()):
        if links[index][_PARENT] >= 0 or not large[index]:
            continue
        own = [np.asarray(contours[index], np.int32)]
        hole = links[index][_CHILD]
        while hole >= 0:
            own.append(np.asarray(contours[hole], np.int32))
            hole = links[hole][_NEXT]
        components.append(_component(own, box))
    return components


def contour_boxes(contours: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    """Return the box of each contour, int32, n×4: left, top, and one past its right and bottom."""
    starts = np.cumsum([0, *(len(contour) for contour in contours[:-1])])
    points = np.concatenate(contours).reshape(-1, 2)
    ends = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts) + 1
    return np.hstack(ends).astype(np.int32, copy=False)


def _component(contours: list[NDArray[np.int32]], box: Sequence[int]) -> Component:
    """Measure one component; contours run through pixel centres, so half a pixel is added along each edge."""
    outline = sum([cv2.arcLength(contour, True) for contour in contours])
    holes = sum([cv2.contourArea(contour) for contour in contours[1:]])
    area = cv2.contourArea(contours[0]) - holes + outline / 2 + 1
    left, top, right, bottom = box
    return Component(left, top, right, bottom, area, outline, tuple(contours))


def join_components(components: Sequence[Component]) -> Component:
    """Join several components into one."""
    return Component(
        min(component.left for component in components),
        min(component.top for component in components),
        max(component.right for component in components),
        max(component.bottom for component in components),
        sum(component.area for component in components),
        sum(component.outline for component in components),
        tuple(contour for component in components for contour in component.contours),
        tuple(contour for component in components for contour in component.accents),
    )


def give_accent(letter: Component, mark: Component) -> Component:
    """Add a mark to a letter as its accent."""
    return replace(letter, accents=letter.accents + mark.contours)


def draw_component(component: Component, left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    """Draw one component alone.

    Args:
        component: what to draw.
        left: first column of the ink frame that the drawing shows.
        top: its first row.
        width: columns that it shows.
        height: rows that it shows.

    Returns:
        uint8, height×width, 255 where the component has ink.
    """
    drawing = np.zeros((height, width), np.uint8)
    cv2.drawContours(drawing, list(component.contours), -1, 255, cv2.FILLED, offset=(-left, -top))
    return drawing


def gap_between(first: Component, second: Component) -> float:
    """Measure the paper between the nearest ink of two components, in pixels."""
    left, top = min(first.left, second.left), min(first.top, second.top)
    width, height = max(first.right, second.right) - left, max(first.bottom, second.bottom) - top
    paper = cv2.bitwise_not(draw_component(first, left, top, width, height))
    distance = cv2.distanceTransform(paper, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance[draw_component(second, left, top, width, height) != 0].min()) - 1


def measure_sizes(components: Sequence[Component]) -> Sizes | None:
    """Estimate the height of a letter and the width of a stroke.

    The height is the median over the components, each weighted by its height: on a dirty page specks are many
    and letters few, but the letters are higher. Frames, form lines and solid blobs do not count.

    Args:
        components: of the page, not yet joined.

    Returns:
        The sizes, or None if nothing has the shape of a letter.
    """
    shaped = [component for component in components if _has_strokes(component)]
    if not shaped:
        return None
    heights = np.array([component.height for component in shaped], np.float64)
    order = np.argsort(heights, kind="stable")
    weights = np.cumsum(heights[order])
    letter = float(heights[order][np.searchsorted(weights, weights[-1] / 2)])
    letters = [component for component in shaped if 0.5 * letter <= component.height <= 2 * letter]
    return Sizes(letter, float(statistics.median(component.stroke for component in letters)))


def _has_strokes(component: Component) -> bool:
    """Whether a component by itself looks drawn with a pen: not a speck, blob, form line or frame."""
    longer, shorter = max(component.width, component.height), min(component.width, component.height)
    return (
        component.height >= LEAST_LETTER_PIXELS
        and longer >= _SOLID_STROKES * component.stroke
        and longer <= _MOST_ELONGATED_RATIO * shorter
        and component.fill >= _LEAST_FILL_SHARE
        and not component.is_net
    )
