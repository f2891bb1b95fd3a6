"""Computes the soft foreground mask of a page under uneven light; nothing is made black and white.

The paper's brightness at a pixel is the median of a window some letters wide. A median follows the edge of
a shadow where a mean would smear it. It only depends on which side is in the majority, so dark ink on light
paper and light ink on dark paper are the same case. The distance from the paper is then divided by the
strongest ink nearby (local contrast, after Su, Lu and Tan 2013, doi:10.1109/TIP.2012.2231089), so that
faint and bold strokes both end at the same share of their strength.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.shrink import halve

MEDIAN_SIDE_PIXELS = 31
"""Side of the median window on the shrunken page: large enough to be smooth, small enough to be quick."""

LEAST_CONTRAST_DEVIATIONS = 6.0
"""Ink differs from the paper by more than this many standard deviations of the paper's grain."""

LEAST_CONTRAST_LEVELS = 14.0
"""Grey levels below which nothing is ink, however smooth the paper: JPEG and 8-bit steps reach about ten."""

FAINTEST_INK_SHARE = 0.25
"""Least strength of ink, as a share of the page's typical ink: weaker marks are shadows."""

TYPICAL_INK_PERCENTILE = 90.0
"""Percentile, among the pixels that stand out from the grain, of the page's typical ink."""

LIGHT_MAJORITY_RATIO = 2.0
"""Ink is light where the lighter pixels outweigh the darker ones by this ratio."""

SOFT_LOW_SHARE, SOFT_HIGH_SHARE = 0.05, 0.65
"""Shares of the local contrast that become 0 and 255; the edge of a stroke is half-way between.

The strongest pixel nearby is darker than the pen's usual line, so the edge is at less than half of it.
"""

ERASED_WINDOW_LETTERS = 4.0
"""Side in letters of the window whose median is the paper where ink is erased."""

LEAST_BLUR_PIXELS = 0.4
"""Standard deviation below which a blur changes nothing worth its time."""

MOST_HALVINGS = 3
"""Halvings in whole grey levels when ink is weighed: more would round faint marks away."""

_SOFT = np.clip(
    (np.arange(256) / 255 - SOFT_LOW_SHARE) / (SOFT_HIGH_SHARE - SOFT_LOW_SHARE) * 255, 0, 255
).astype(np.uint8)


def find_ink(
    page: NDArray[np.uint8], window: float, contrast_window: float, blur: float
) -> NDArray[np.uint8]:
    """Compute the soft foreground mask: how much each pixel is ink.

    Args:
        page: uint8, h×w, grey, either polarity.
        window: side in pixels of the square whose median is the paper: some letters wide.
        contrast_window: side in pixels of the square searched for the strongest ink: a few strokes wide.
        blur: standard deviation in pixels of the blur that evens out pencil and paper; none below 0.4.

    Returns:
        uint8, h×w, 0 paper … 255 ink, 128 at the edge of a stroke.
    """
    paper = estimate_paper(page, window)
    distance = _distance_from_paper(page, paper, window, blur)
    floor = _faintest_ink(page, paper, distance)
    side = max(3, round(contrast_window) | 1)
    # Each step writes over what is no longer needed: a page's arrays are large.
    strongest = cv2.dilate(distance, np.ones((side, side), np.uint8), dst=paper)
    strongest = cv2.blur(strongest, (side, side))
    cv2.max(strongest, np.array(min(255.0, round(2 * floor))), dst=strongest)
    cv2.divide(distance, strongest, dst=strongest, scale=255)
    return cv2.LUT(strongest, _SOFT, dst=distance).astype(np.uint8, copy=False)


def estimate_paper(page: NDArray[np.uint8], window: float) -> NDArray[np.uint8]:
    """Estimate the paper's brightness at each pixel as the median of a window around it.

    Args:
        page: uint8, h×w, grey.
        window: side of the window in pixels.

    Returns:
        uint8, h×w: the page without its ink.
    """
    height, width = page.shape
    scale = min(1.0, MEDIAN_SIDE_PIXELS / window)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(halve(page, scale)[0], size, interpolation=cv2.INTER_AREA)
    border = MEDIAN_SIDE_PIXELS // 2
    # Mirrored, not repeated: a dark edge of the page would otherwise be half of the windows along it.
    mirrored = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REFLECT)
    paper = cv2.medianBlur(mirrored, MEDIAN_SIDE_PIXELS)[border:-border, border:-border]
    return cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def without_faint_ink(
    page: NDArray[np.uint8], contrast: float, letter: float, stroke: float
) -> NDArray[np.uint8]:
    """Erase what is darker than the paper, but nowhere darker by a number of grey levels.

    Args:
        page: uint8, h×w, grey, dark ink on light paper.
        contrast: grey levels from the paper below which ink is faint.
        letter: height of a letter in pixels.
        stroke: width of a stroke in pixels, whose soft edge stays.

    Returns:
        uint8, h×w.
    """
    paper = estimate_paper(page, max(MEDIAN_SIDE_PIXELS, ERASED_WINDOW_LETTERS * letter))
    strong = (cv2.subtract(paper, page) >= contrast).astype(np.uint8)
    side = 2 * round(stroke / 2) + 3
    kept = cv2.dilate(strong, np.ones((side, side), np.uint8))
    return np.where(kept != 0, page, np.maximum(page, paper)).astype(np.uint8)


def _distance_from_paper(
    page: NDArray[np.uint8], paper: NDArray[np.uint8], window: float, blur: float
) -> NDArray[np.uint8]:
    """Grey levels by which each pixel differs from the paper towards the ink, whose polarity is local.

    Blurs the result to even out the texture that pencil and paper give to a stroke.
    """
    light = _light_ink(page, paper, window)
    distance = cv2.subtract(paper, page)
    if light is not None:
        np.copyto(distance, cv2.subtract(page, paper), where=light != 0)
    if blur >= LEAST_BLUR_PIXELS:
        distance = cv2.GaussianBlur(distance, (0, 0), blur)
    return distance.astype(np.uint8, copy=False)


def _light_ink(page: NDArray[np.uint8], paper: NDArray[np.uint8], window: float) -> NDArray[np.uint8] | None:
    """Where ink is lighter than paper: uint8, h×w, not 0 there; None if it is so nowhere."""
    height, width = page.shape
    size = (max(1, round(width / window)), max(1, round(height / window)))
    scale = max(size[0] / width, size[1] / height)
    page, paper = (halve(image, scale, 1)[0] for image in (page, paper))
    dark, light = (_weight(side, size) for side in (cv2.subtract(paper, page), cv2.subtract(page, paper)))
    is_light = (light > LIGHT_MAJORITY_RATIO * dark).astype(np.uint8)
    if not is_light.any():
        return None
    return cv2.resize(is_light, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def _weight(distance: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Sum up what stands out from the grain on a coarse grid of the given size (width, height)."""
    _, strong = cv2.threshold(distance, LEAST_CONTRAST_LEVELS, 0, cv2.THRESH_TOZERO)
    scale = max(size[0] / distance.shape[1], size[1] / distance.shape[0])
    halved, _ = halve(strong.astype(np.uint8, copy=False), scale, MOST_HALVINGS)
    grid = cv2.resize(halved.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return cv2.blur(grid, (3, 3)).astype(np.float32, copy=False)


def _faintest_ink(page: NDArray[np.uint8], paper: NDArray[np.uint8], distance: NDArray[np.uint8]) -> float:
    """Grey levels from the paper below which a pixel is grain, shadow or show-through."""
    step = max(1, round((page.size / 250_000) ** 0.5))
    strays = cv2.absdiff(page[::step, ::step].copy(), paper[::step, ::step].copy())
    noise = 1.4826 * level_percentile(strays, 50)
    floor = max(LEAST_CONTRAST_LEVELS, LEAST_CONTRAST_DEVIATIONS * noise)
    sample = distance[::step, ::step]
    ink = sample[sample > floor]
    typical = level_percentile(ink, TYPICAL_INK_PERCENTILE) if ink.size else 0.0
    return max(floor, FAINTEST_INK_SHARE * typical)


def level_percentile(levels: NDArray[Any], percent: float) -> float:
    """A percentile of small natural numbers (at least one), such as grey levels, fast by counting."""
    counts = np.cumsum(np.bincount(levels.ravel(), minlength=256))
    rank = (counts[-1] - 1) * percent / 100
    low, high = np.searchsorted(counts, [np.floor(rank), np.ceil(rank)], "right").tolist()
    return float(low + (high - low) * (rank % 1))
