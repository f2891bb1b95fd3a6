"""Measures how well a scan can be read, on values that segmentation has computed anyway.

Sizes and lengths of strokes come from the contours, contrast and blur from the pixels of a few letters:
there is no pass over the page. docs/segmentation.md explains the limits from which a flaw is reported.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import LEAST_LETTER_PIXELS, Component, Sizes
from lettermill.segmentation.values import Box, Flaw, Line, Quality, Segmentation

LOWEST_LETTER_PIXELS = 12.0
"""Letters this high are read as well as higher ones; at ten pixels the first ones are lost."""

FAINT_CONTRAST_LEVELS = 35.0
"""Grey levels between paper and ink: with a scanner's grain, letters are lost from 28 downward."""

MOST_BLUR_LETTERS = 0.035
"""Blur at which the first letters close up or fall apart."""

LEAST_USED_SHARE = 0.75
"""Share of the strokes that are letters: 0.87 or more on clean pages, 0.8 beside faint photographed lines."""

MOST_SKEW_DEGREES = 5.0
"""Skew that anybody notices, and from which letters begin to overlap their neighbours."""

_SAMPLED_LETTERS = 8
"""Letters on which contrast and blur are measured, but no more than every third one."""

_SLIM_RATIO = 0.3
"""Width divided by height of the slimmest letter that is sampled: both edges of a lone I are in one slope."""

_MARGIN_SHARE = 0.15
"""Paper around a sampled letter, as a share of its height, so that its outer edges are included."""

_INKIEST_SHARE = 0.04
"""Share of a sampled letter's pixels taken as the middle of its strokes: a slim I has twice as many."""

_SHARP_EDGE_PIXELS = 2.5
"""Width of an edge, as the Sobel operator sees it, on a scan that is as sharp as its pixels allow."""

_EDGE_DEVIATIONS = float(np.sqrt(2 * np.pi))
"""Width of an edge (its height over its steepest slope) in standard deviations of the blur that made it."""

_MARK_LETTERS = 0.5
"""Anything smaller is a full stop, an accent or a speck, and is left out on purpose."""

_FORM_LINE_LETTERS = 2.5
"""A straight edge longer than this belongs to a form line or a frame."""

_UNEVEN_STROKES = 1.0
"""Distance of an edge from the straight line at which it may still belong to a form line."""

_BLANK_SIDES = 0.25
"""Length of strokes in longer sides of the page: a blank page has less, from dust and creases."""

_BLANK_LETTER_SHARE = 1 / 100
"""Letter height as a share of the longer side if none was found: it only tells form lines from strokes."""


def measure_quality(
    page: NDArray[np.uint8],
    lines: Sequence[Line],
    letters: Sequence[Component],
    others: Sequence[Component],
    scale: float,
) -> Quality:
    """Measure a page on which letters were found.

    Args:
        page: uint8, h×w, grey.
        lines: what was found, boxes in page pixels; at least one letter.
        letters: the same letters in the ink frame.
        others: components of the ink frame that went into no letter and do not touch the edge of the page.
        scale: pixels of the ink frame per page pixel.
    """
    boxes = [candidate.box for line in lines for word in line.words for candidate in word.candidates]
    letter = float(statistics.median(component.height for component in letters))
    stroke = float(statistics.median(component.stroke for component in letters))
    read = sum(component.outline for component in letters) / 2
    unread = _length(others, Sizes(letter, stroke))
    shrink = max(1, round(1 / scale))
    contrast, edge = _contrast_and_edge(page, boxes, shrink)
    blur = shrink * max(0.0, edge**2 - _SHARP_EDGE_PIXELS**2) ** 0.5 / _EDGE_DEVIATIONS
    return Quality(letter / scale, stroke / scale, contrast, blur / (letter / scale), read / (read + unread))


def measure_quality_without_letters(components: Sequence[Component], side: float, scale: float) -> Quality:
    """Measure a page on which no letter was found.

    Args:
        components: the ink that does not touch the edge of the page.
        side: longer side in pixels of the frame that the components are in.
        scale: pixels of that frame per page pixel.
    """
    if not components:
        return Quality()
    heights = np.sort([component.height for component in components])
    typical = float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])
    stroke = float(statistics.median(component.stroke for component in components))
    if _length(components, Sizes(_BLANK_LETTER_SHARE * side, stroke), smallest=0.0) < _BLANK_SIDES * side:
        return Quality()
    return Quality(typical / scale, stroke / scale, ink_used=0.0)


def find_flaws(segmentation: Segmentation) -> tuple[Flaw, ...]:
    """Name what is wrong with a page, the gravest first; nothing if it reads well."""
    quality = segmentation.quality
    if segmentation.shows_through and not segmentation.lines:
        return (Flaw.BLEED_THROUGH,)
    if segmentation.is_printed_form and not segmentation.lines:
        return (Flaw.PRINTED_FORM,)
    if quality.ink_used is None:
        return (Flaw.NO_INK,)
    if not segmentation.lines:
        too_low = quality.letter_height is not None and quality.letter_height < LEAST_LETTER_PIXELS
        return (Flaw.LOW_RESOLUTION if too_low else Flaw.MUCH_INK_UNREAD,)
    found = {
        Flaw.LOW_RESOLUTION: _is_below(quality.letter_height, LOWEST_LETTER_PIXELS),
        Flaw.LOW_CONTRAST: _is_below(quality.contrast, FAINT_CONTRAST_LEVELS),
        Flaw.BLURRED: quality.blur is not None and quality.blur > MOST_BLUR_LETTERS,
        Flaw.SKEWED: abs(segmentation.skew_degrees) > MOST_SKEW_DEGREES,
        Flaw.TURNED: segmentation.quarters != 0 or segmentation.has_turned_block,
        Flaw.DOWNWARD_WORDS: segmentation.has_downward_words,
        Flaw.BLEED_THROUGH: segmentation.shows_through,
        Flaw.OTHER_ALPHABET: segmentation.has_other_alphabet,
        Flaw.PRINTED_FORM: segmentation.is_printed_form,
        Flaw.MUCH_INK_UNREAD: _is_below(quality.ink_used, LEAST_USED_SHARE),
    }
    return tuple(flaw for flaw, is_there in found.items() if is_there)


def ink_contrasts(page: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Measure the grey levels between the paper and the middle of the strokes, for each letter."""
    return np.array([_contrast_and_edge_of(page, box, 1)[0] for box in boxes], np.float64)


def _is_below(value: float | None, least: float) -> bool:
    return value is not None and value < least


def _length(components: Sequence[Component], sizes: Sizes, smallest: float = _MARK_LETTERS) -> float:
    """Length in pixels of the strokes outside of letters, without form lines, frames and specks."""
    return sum(
        _strokes_of(component, sizes)
        for component in components
        if max(component.width, component.height) >= smallest * sizes.letter
    )


def _strokes_of(component: Component, sizes: Sizes) -> float:
    """Length of a component's strokes: half of its outline, without the long straight edges of form lines."""
    least = _FORM_LINE_LETTERS * sizes.letter
    in_form_lines = 0.0
    if max(component.width, component.height) >= least:
        for contour in component.contours:
            corners = cv2.approxPolyDP(contour, _UNEVEN_STROKES * sizes.stroke, True).reshape(-1, 2)
            across, down = (corners - np.roll(corners, 1, axis=0)).astype(np.float64).T
            sides = np.hypot(across, down)
            in_form_lines += float(sides[sides >= least].sum())
    return max(0.0, component.outline - in_form_lines) / 2


def _contrast_and_edge(page: NDArray[np.uint8], boxes: Sequence[Box], shrink: int) -> tuple[float, float]:
    """Typical contrast of the page in grey levels, and typical width of an edge in shrunken pixels."""
    boxes = [box for box in boxes if box.width >= _SLIM_RATIO * box.height] or boxes
    count = min(_SAMPLED_LETTERS, (len(boxes) + 2) // 3)
    seen = [_contrast_and_edge_of(page, boxes[index * len(boxes) // count], shrink) for index in range(count)]
    contrast, edge = np.median(seen, axis=0).tolist()
    return contrast, edge


def _contrast_and_edge_of(page: NDArray[np.uint8], box: Box, shrink: int) -> tuple[float, float]:
    """Contrast and edge width of one letter; ink is on the side of the paper that it exceeds more."""
    margin = max(2, round(_MARGIN_SHARE * box.height))
    crop = page[
        max(0, box.y - margin) : box.y + box.height + margin,
        max(0, box.x - margin) : box.x + box.width + margin,
    ]
    if shrink > 1:
        height, width = crop.shape[0] // shrink, crop.shape[1] // shrink
        # By a whole number, for which OpenCV is quick.
        whole = crop[: height * shrink, : width * shrink]
        crop = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    darkest, paper, lightest = _quantiles(crop, 256, (_INKIEST_SHARE, 0.5, 1 - _INKIEST_SHARE))
    contrast = max(paper - darkest, lightest - paper, 1.0)
    across, down = (cv2.Sobel(crop, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    # The outline of a letter is longer than half of its box's, so this rank has an average edge.
    outline = (box.width + box.height) / shrink / crop.size
    (slope,) = _quantiles(cv2.magnitude(across, down), 2560, (1 - outline,))
    return contrast, contrast / max(slope, 0.1)


def _quantiles(values: NDArray[Any], bins: int, shares: Sequence[float]) -> list[float]:
    """Values from 0 to 256 below which these shares of all lie; a histogram is quicker than sorting."""
    counts = cv2.calcHist([values], [0], None, [bins], [0, 256]).ravel().cumsum()
    return [256 / bins * float(rank) for rank in np.searchsorted(counts, np.multiply(shares, values.size))]
