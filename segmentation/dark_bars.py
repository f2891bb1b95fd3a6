"""Inverts dark bars with light writing, such as the headings of forms and tables.

A bar is a dark region that fills a rectangle. Its writing is what is light within it and does not reach its
edge; at least one piece of it must have the shape of a letter, because the counters of a bold B do not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import estimate_paper
from lettermill.segmentation.components import contour_boxes
from lettermill.segmentation.shrink import halve
from lettermill.segmentation.tints import Darkness, fit_rectangle, on_page, square

DARKNESS_SHARES = (0.2, 0.45)
"""Darkness of a bar as a share of the lightest paper near it; the second if most of the page is that dark."""

MOST_DARK_SHARE = 0.3
"""Share of the page beyond which its paper is dark, and only a bar that is darker still differs from it."""

MORE_WINDOW_SHARE = 1 / 6
"""How much wider the window of the lightest paper is than for boxes, as a share of the page's longer side."""

LEAST_AREA_SHARE, LARGEST_AREA_SHARE = 0.003, 0.6
"""Area of a bar as a share of the page's: letters are smaller, and a page that is dark all over is larger."""

LEAST_RATIO, LEAST_PANEL_SHARE = 1.5, 0.1
"""Width of a bar divided by its height, at least; and area of a panel, which may be higher, in pages."""

LOWEST_BAR_PIXELS = 18
"""Lowest bar in pixels of the page: one and a half letters."""

LEAST_FILL_SHARE = 0.85
"""Share of its rectangle that a bar fills; its corners may be round."""

LOWEST_LETTER_PIXELS = 10
"""Lowest light letter in pixels of the page."""

LEAST_LETTERS = 2
"""Light pieces as high as a letter that a bar holds."""

MOST_CONVEX_SHARE = 0.82
"""Share of its convex hull that a letter fills at most; an O or an I fills more, like the counter of a B."""

MOST_LIGHT_SHARE = 0.5
"""Share of a bar that is light, at most; in a table it is more."""

LEAST_CONTRAST_LEVELS = 40.0
"""Grey levels between a bar and its writing, at least."""

RIM_SHARE = 1 / 400
"""Width of the soft edge of a bar as a share of the page's longer side."""

WINDOW_BAR_HEIGHTS = 2.0
"""Side of the window whose median is the bar's own grey, in heights of the bar."""


def invert_bars(page: NDArray[np.uint8], darkness: Darkness) -> NDArray[np.uint8]:
    """Turn light writing on dark bars into dark writing on light paper.

    Args:
        page: uint8, h×w, grey.
        darkness: of the page.

    Returns:
        uint8, h×w: the page itself if it has no such bar.
    """
    result, scale = page, darkness.scale
    for outline in _find_rectangles(darkness):
        result = _inverted(result, on_page(outline, scale), round(1.5 / scale))
    return result


def _find_rectangles(darkness: Darkness) -> list[NDArray[np.int32]]:
    """Outlines on the small copy of the dark regions that may be bars."""
    # A bar is higher than a box: the lightest paper is looked for farther away.
    tiny, _ = halve(darkness.white, 1 / 4)
    white = cv2.dilate(tiny, square(MORE_WINDOW_SHARE * max(tiny.shape)))
    size = darkness.white.shape[1], darkness.white.shape[0]
    white = cv2.resize(white, size, interpolation=cv2.INTER_LINEAR)
    levels = cv2.add(darkness.levels, cv2.subtract(white, darkness.white))
    for share in DARKNESS_SHARES:
        dark = cv2.compare(levels, cv2.convertScaleAbs(white, alpha=share), cv2.CMP_GT)
        found = _rectangles(dark.astype(np.uint8, copy=False), darkness.scale)
        if found or np.count_nonzero(dark) <= MOST_DARK_SHARE * dark.size:
            return found
    return []


def _rectangles(dark: NDArray[np.uint8], scale: float) -> list[NDArray[np.int32]]:
    """Outlines of the dark regions that fill a rectangle and are larger than a letter."""
    # A sheet on a dark table lies in a hole of the table.
    outlines, links = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return []
    is_outer = np.reshape(links, (-1, 4))[:, 3] < 0
    left, top, right, bottom = contour_boxes(outlines).T
    width, height = right - left, bottom - top
    area = width * height
    shaped = (width >= LEAST_RATIO * height) | (area >= LEAST_PANEL_SHARE * dark.size)
    likely = (
        is_outer & shaped & (height >= LOWEST_BAR_PIXELS * scale) & (area >= LEAST_AREA_SHARE * dark.size)
    )
    found = [np.asarray(outlines[index], np.int32) for index in np.flatnonzero(likely).tolist()]
    return [
        outline
        for outline in found
        if cv2.contourArea(outline) <= LARGEST_AREA_SHARE * dark.size
        and fit_rectangle(outline).fill >= LEAST_FILL_SHARE
    ]


def _inverted(page: NDArray[np.uint8], outline: NDArray[np.int32], soft: int) -> NDArray[np.uint8]:
    """Lay a bar's writing on white paper, whether it is lighter or darker than the bar.

    Args:
        page: uint8, h×w.
        outline: int32, n×1×2, of a dark region on the page.
        soft: width of its soft edge in pixels, at least.

    Returns:
        uint8, h×w: a copy, or the page itself if the region is no bar.
    """
    rim = max(2, round(RIM_SHARE * max(page.shape)), soft)
    left, top, right, bottom = contour_boxes([outline])[0]
    left, top = max(0, left - 2 * rim), max(0, top - 2 * rim)
    part = np.s_[top : bottom + 2 * rim, left : right + 2 * rim]
    area = page[part]
    inside = np.zeros(area.shape, np.uint8)
    cv2.drawContours(inside, [outline], 0, 1, cv2.FILLED, offset=(-int(left), -int(top)))
    core = cv2.erode(inside, square(2 * rim)).astype(np.uint8, copy=False)
    around = cv2.dilate(inside, square(2 * rim))
    if not core.any() or not _has_light_letters(area, core):
        return page

    outside = area[around == 0]
    white = float(np.percentile(outside, 90)) if outside.size else 255.0
    level = np.where(core != 0, area, np.uint8(np.median(area[core != 0])))
    bar = estimate_paper(level, WINDOW_BAR_HEIGHTS * min(area.shape))
    ink = np.where(core != 0, cv2.absdiff(area, bar), 0)
    result = page.copy()
    result[part] = np.where(around != 0, np.clip(white - ink.astype(np.float32), 0, 255), area)
    return result


def _has_light_letters(area: NDArray[np.uint8], core: NDArray[np.uint8]) -> bool:
    """Whether what is light within a dark region has the shape of letters."""
    values = area[core != 0]
    threshold, light = cv2.threshold(values[None], 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    share = float(light.mean())
    if not 0 < share <= MOST_LIGHT_SHARE:
        return False
    is_light = values > threshold
    if float(np.median(values[is_light])) - float(np.median(values[~is_light])) < LEAST_CONTRAST_LEVELS:
        return False

    pieces = ((area > threshold) & (core != 0)).astype(np.uint8)
    outlines, _ = cv2.findContours(pieces, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # What reaches the bar's edge is a gap in it.
    edge = cv2.subtract(core, cv2.erode(core, square(3), borderValue=0))
    high = [outline for outline in outlines if cv2.boundingRect(outline)[3] >= LOWEST_LETTER_PIXELS]
    letters = [outline for outline in high if not edge[outline[:, 0, 1], outline[:, 0, 0]].any()]
    shaped = any(fit_rectangle(outline).convex <= MOST_CONVEX_SHARE for outline in letters)
    return shaped and len(letters) >= LEAST_LETTERS
