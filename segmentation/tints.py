"""Removes the tint from forms with white boxes on it, so that the writing in the boxes is the only ink.

A tint is recognised by its holes: several of one height that fill their hulls, with darker ink in them, on a
ground that is wide and darker than they are. It is removed with a top-hat: what is wider than a stroke is
paper, however dark. That leaves the walls between boxes, which are as thin as a stroke; they are no darker
than the tint, and continue it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import LEAST_CONTRAST_LEVELS, level_percentile
from lettermill.segmentation.components import contour_boxes
from lettermill.segmentation.shrink import halve

SEARCH_SIDE_PIXELS = 800
"""Least longer side of the copy on which tints are searched: a box of 5 mm on A4 keeps 14 pixels."""

WHITE_WINDOW_SHARE = 1 / 6
"""Side of the window whose lightest paper is white, as a share of the longer side: wider than a box."""

WIDE_PIXELS = 6
"""Width from which dark pixels of the small copy are an area: most strokes are narrower."""

LEAST_AREAS_SHARE = 0.002
"""Share of a page with a tint or a bar that such areas take, at least; joints of strokes take less."""

LEAST_PAGE_PIXELS = 40
"""Lower or narrower pages have no room for a box and its tint, or for a bar and paper beside it."""

LOWEST_BOX_PIXELS = 24.0
"""Lowest box in pixels of the page: twice the lowest letter, or it may be a letter's counter."""

LOWEST_HOLE_PIXELS = 12
"""Lowest hole that is looked at, in pixels of the small copy."""

HIGHEST_BOX_SHARE = 1 / 3
"""Highest box as a share of the page's longer side: anything higher is a sheet on a table."""

SLIMMEST_BOX_RATIO, WIDE_BOX_RATIO = 0.4, 3.0
"""Width divided by height of the slimmest box, and of one that is too wide for a letter's counter."""

LEAST_CONVEX_SHARE = 0.85
"""Share of its convex hull that a box fills: letters that touch it dent it."""

LEAST_BOXES = 3
"""Boxes that make a form, unless one is wide: a bold B has two counters."""

LEAST_BOXES_RATIO = 2.0
"""Boxes divided by the other holes of their region, at least."""

UNEVEN_BOX_SHARE = 0.15
"""By how much the height of a box may differ from the others'; the counters of letters differ more."""

LEAST_BESIDE_SHARE, LEAST_ON_TINT_SHARE = 0.3, 0.75
"""Share of what surrounds a box that is wide and dark if it lies on a tint, and share of boxes that do."""

LEAST_INKED_SHARE, LEAST_FILLED_SHARE = 0.02, 0.1
"""Share of a box that is ink if something is written in it, and share of boxes that are written in."""

EMPTY_BOXES = 8
"""Boxes that make a form even if all are empty; a word that is joined has fewer equal counters."""

LEAST_STEP_LEVELS = 10.0
"""Grey levels between a tint and the white boxes on it, at least: the shadow of a fold has no such step."""

INK_PERCENTILE, LEAST_INK_RATIO = 98.0, 1.2
"""Percentile of what is thin and dark that is ink, and its least darkness divided by the tint's."""

THIN_BOXES = 0.35
"""Width in box heights below which something dark is ink or a wall: a thick pen's joint is narrower."""

NEAR_BOXES = 1.5
"""Distance in box heights within which the tint around a wall is seen."""

MOST_TINT_RATIO = 1.6
"""Darkness of the tint divided by that of the usual wide area, at most: a table around it is darker."""

WALL_SHARE, WALL_SLACK_SHARE = 0.3, 0.15
"""Least darkness of a wall as a share of the tint's, because it is blurred, and how far it may exceed it."""

WIDEST_WALL_BOXES = 0.3
"""Distance from a box, in box heights, within which walls have the box's own outline."""

OUTLINE_PERCENTILE = 25.0
"""Percentile, along the edges of boxes, of the outline printed around them: letters touch the rest."""

SOFT_EDGE_PIXELS = 3.0
"""Width of the soft edge of a box, in pixels of the small copy."""


class Darkness(NamedTuple):
    """How much darker a page is than the lightest paper near by, on a small copy.

    Attributes:
        levels: uint8, h×w, grey levels from white to the page.
        white: uint8, h×w, that paper.
        scale: pixels of the copy per page pixel.
    """

    levels: NDArray[np.uint8]
    white: NDArray[np.uint8]
    scale: float

    @property
    def has_areas(self) -> bool:
        """Whether anything that is dark is wider than most strokes; it is quickly seen that nothing is."""
        half, _ = halve(self.levels, 1 / 2)
        _, dark = cv2.threshold(half, LEAST_CONTRAST_LEVELS, 1, cv2.THRESH_BINARY)
        wide = cv2.erode(dark, square(WIDE_PIXELS / 2))
        return cv2.countNonZero(wide) >= LEAST_AREAS_SHARE * half.size


class Rectangle(NamedTuple):
    """The smallest rectangle around an outline, at any angle.

    Attributes:
        hull: int32, n×1×2, the outline's convex hull.
        height: its side that is nearer to upright, in pixels.
        ratio: its width divided by its height.
        fill: share of it that the outline fills.
        convex: share of the hull that the outline fills.
    """

    hull: NDArray[np.int32]
    height: float
    ratio: float
    fill: float
    convex: float


def remove_tint(page: NDArray[np.uint8], darkness: Darkness) -> NDArray[np.uint8]:
    """Make a form with white boxes on a tint white all over.

    Args:
        page: uint8, h×w, grey, dark ink.
        darkness: of the page.

    Returns:
        uint8, h×w: the page itself if it is no such form.
    """
    boxes = _find_boxes(darkness.levels > LEAST_CONTRAST_LEVELS)
    if not boxes or _usual_height(boxes) < LOWEST_BOX_PIXELS * darkness.scale:
        return page
    return _without_tint(page, boxes, darkness.scale) if _are_on_tint(darkness.levels, boxes) else page


def measure_darkness(page: NDArray[np.uint8]) -> Darkness:
    """Measure how much darker a page, uint8, h×w, is than the lightest paper near by."""
    small, times = halve(page, min(1.0, SEARCH_SIDE_PIXELS / max(page.shape)))
    tiny, _ = halve(small, 1 / 4)
    white = cv2.dilate(tiny, square(WHITE_WINDOW_SHARE * max(tiny.shape)))
    white = cv2.resize(white, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    levels = cv2.subtract(white, small).astype(np.uint8, copy=False)
    return Darkness(levels, white.astype(np.uint8, copy=False), 0.5**times)


def _find_boxes(dark: NDArray[np.bool_]) -> list[Rectangle]:
    """Find the holes in dark regions that have the shape of boxes, several in one region."""
    outlines, links = cv2.findContours(dark.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return []
    parents = np.reshape(links, (-1, 4))[:, 3]
    holes = np.flatnonzero(parents >= 0)
    if not holes.size:
        return []
    left, top, right, bottom = contour_boxes([outlines[hole] for hole in holes.tolist()]).T
    height = bottom - top
    fits = (height >= LOWEST_HOLE_PIXELS) & (height <= HIGHEST_BOX_SHARE * max(dark.shape))
    holes, height, width = holes[fits], height[fits], (right - left)[fits]
    weight = np.where(width >= WIDE_BOX_RATIO * height, LEAST_BOXES, 1)
    several = np.flatnonzero(np.bincount(parents[holes], weight) >= LEAST_BOXES)
    groups = [[fit_rectangle(outlines[hole]) for hole in holes[parents[holes] == one]] for one in several]
    return [box for group in groups for box in _boxes_of(group)]


def _boxes_of(holes: list[Rectangle]) -> list[Rectangle]:
    """The boxes among the holes of one region; none unless they are alike, or wide, and most of its holes."""
    # An I may be either.
    holes = [hole for hole in holes if hole.ratio >= SLIMMEST_BOX_RATIO]
    boxes = [hole for hole in holes if hole.convex >= LEAST_CONVEX_SHARE]
    if not boxes or len(boxes) <= LEAST_BOXES_RATIO * (len(holes) - len(boxes)):
        return []
    usual = _usual_height(boxes)
    alike = sum(abs(box.height - usual) <= UNEVEN_BOX_SHARE * usual for box in boxes)
    is_wide = any(box.ratio >= WIDE_BOX_RATIO for box in boxes)
    return boxes if is_wide or alike >= max(LEAST_BOXES, len(boxes) / 2) else []


def _usual_height(boxes: Sequence[Rectangle]) -> float:
    return float(np.median([box.height for box in boxes]))


def _are_on_tint(darkness: NDArray[np.uint8], boxes: Sequence[Rectangle]) -> bool:
    """Whether boxes lie on a ground that is wide, and paler than the ink in them.

    Args:
        darkness: uint8, h×w, grey levels from white to each pixel of the small copy.
        boxes: what has their shape.
    """
    dark = (darkness > LEAST_CONTRAST_LEVELS).astype(np.uint8)
    thin = square(THIN_BOXES * _usual_height(boxes))
    wide = cv2.morphologyEx(dark, cv2.MORPH_OPEN, thin)
    within = _within(dark.shape, boxes)
    beside = cv2.bitwise_and(cv2.dilate(within, thin), wide)
    inner = cv2.erode(within, square(2 * SOFT_EDGE_PIXELS), borderValue=0)
    ink = darkness[(dark != 0) & (wide == 0)]
    if not (ink.size and beside.any() and inner.any()):
        return False
    tint, inside = (level_percentile(darkness[mask != 0], 50) for mask in (beside, inner))
    least_ink = LEAST_INK_RATIO * tint
    if level_percentile(ink, INK_PERCENTILE) < least_ink or tint - inside < LEAST_STEP_LEVELS:
        return False

    inked = cv2.bitwise_and(inner, (darkness >= least_ink).astype(np.uint8))
    reach, on_tint, filled = len(thin) // 2, 0, 0
    for box in boxes:
        left, top, width, height = cv2.boundingRect(box.hull)
        rows = slice(max(0, top - reach), top + height + reach)
        around = beside[rows, max(0, left - reach) : left + width + reach]
        on_tint += int(np.count_nonzero(around) >= LEAST_BESIDE_SHARE * reach * 2 * (width + height))
        own = inked[top : top + height, left : left + width]
        filled += int(np.count_nonzero(own) >= LEAST_INKED_SHARE * own.size)
    is_form = filled >= LEAST_FILLED_SHARE * len(boxes) or len(boxes) >= EMPTY_BOXES
    return is_form and on_tint >= LEAST_ON_TINT_SHARE * len(boxes)


def _without_tint(page: NDArray[np.uint8], boxes: Sequence[Rectangle], scale: float) -> NDArray[np.uint8]:
    """Remove wide dark areas, and the walls between boxes that continue them.

    Args:
        page: uint8, h×w.
        boxes: on the small copy.
        scale: pixels of the small copy per page pixel.

    Returns:
        uint8, h×w: ink on white.
    """
    height = _usual_height(boxes) / scale
    darkness = cv2.bitwise_not(page)
    wide = cv2.morphologyEx(darkness, cv2.MORPH_OPEN, square(THIN_BOXES * height))
    ink = cv2.subtract(darkness, wide)

    near = square(2 * NEAR_BOXES * height)
    lightest = cv2.erode(wide, near)
    above = cv2.subtract(wide, lightest)
    sure = above > LEAST_CONTRAST_LEVELS
    if not sure.any():
        return page
    usual = np.uint8(min(255.0, MOST_TINT_RATIO * float(np.median(above[sure]))))
    tint = np.minimum(cv2.dilate(above, near), usual)
    darkness = cv2.subtract(darkness, lightest)
    within = _within(page.shape, boxes, 1 / scale)
    soft, reach = square(2 * SOFT_EDGE_PIXELS / scale), square(2 * WIDEST_WALL_BOXES * height)
    edges = cv2.subtract(cv2.dilate(within, square(3)), within)
    outline = float(np.percentile(cv2.dilate(darkness, soft)[edges != 0], OUTLINE_PERCENTILE))
    between = cv2.subtract(cv2.dilate(within, reach), cv2.erode(within, soft, borderValue=0)) != 0
    least = cv2.convertScaleAbs(tint, alpha=WALL_SHARE)
    most = cv2.convertScaleAbs(tint, alpha=1 + WALL_SLACK_SHARE)
    wall = (darkness <= most) | (between & (darkness <= (1 + WALL_SLACK_SHARE) * outline))
    wall &= darkness > least
    _, labels = cv2.connectedComponents((sure | wall).astype(np.uint8), connectivity=4)
    continues = np.zeros(int(labels.max()) + 1, np.bool_)
    continues[labels[sure]] = True
    continues[0] = False
    ink[wall & continues[labels]] = 0
    return cv2.bitwise_not(ink).astype(np.uint8, copy=False)


def _within(shape: tuple[int, ...], boxes: Sequence[Rectangle], scale: float = 1.0) -> NDArray[np.uint8]:
    """Mark with 1 what lies within a box, on a copy of the page at that scale of the small one."""
    within = np.zeros(shape, np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(within, on_page(box.hull, 1 / scale), 1)
    return within


def fit_rectangle(outline: NDArray[Any]) -> Rectangle:
    """Fit a rectangle around an outline, whose corners are pixel centres: all is a pixel larger."""
    _, (width, height), degrees = cv2.minAreaRect(outline)
    if 45 < degrees % 180 < 135:
        width, height = height, width
    width, height = width + 1, height + 1
    hull = np.asarray(cv2.convexHull(outline), np.int32)
    area, around_area = (
        cv2.contourArea(each) + cv2.arcLength(each, True) / 2 + 1 for each in (outline, hull)
    )
    return Rectangle(hull, height, width / height, area / (width * height), area / around_area)


def square(side: float) -> NDArray[np.uint8]:
    """A square kernel with an odd side."""
    odd = max(3, round(side) | 1)
    return np.ones((odd, odd), np.uint8)


def on_page(outline: NDArray[Any], scale: float) -> NDArray[np.int32]:
    """Scale an outline on the small copy to pixels of the page."""
    return np.rint((outline + 0.5) / scale - 0.5).astype(np.int32)
