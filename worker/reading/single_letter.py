"""Finds the letter in an image that should show exactly one: its glyph, and whether there is exactly one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import estimate_paper
from lettermill.segmentation.components import LEAST_LETTER_PIXELS, find_components, measure_sizes
from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, ink_of, normalise

WORKING_SIDE_PIXELS = 1024
"""A larger image is shrunk until its longer side is this long: grain averages out, and the CNN sees 22."""

MAX_EDGE_INK_SHARE = 0.1
"""If more of the image's edge than this looks like ink, the light is uneven or the letter is cut off."""

PAPER_WINDOW_SHARE = 0.5
"""Side of the window whose median is the paper, as a share of the image's: most of any letter is paper."""

MIN_LARGEST_COMPONENT_SHARE = 0.1
"""If the largest component has less of all ink than this, it is the grain of empty paper."""

SPECK_SHARE = 0.02
"""A component with less ink than this share of the largest one's is ignored, as in `segmentation.glyph`."""

MAX_GAP_ACROSS_SHARE = 0.12
"""Widest horizontal gap within a letter, as a share of the highest component: broken strokes are closer."""

MAX_GAP_DOWN_SHARE = 0.3
"""Widest vertical gap within a letter, as a share of the longest component: the bars of an E are apart."""

MIN_LETTER_HEIGHT_SHARE = 0.5
"""A group this high, as a share of the highest one, is another letter: dots and accents are lower."""

MAX_WIDTH_HEIGHTS = 2.5
"""A group that is wider than this, in its heights, is a bar; a high group is an I, however slim."""


class Note(StrEnum):
    """What is odd about an image of one character. The values are those of the `note` column."""

    NONE = ""
    NO_LETTER = "NO_LETTER"
    SEVERAL = "SEVERAL"
    UNREADABLE = "UNREADABLE"


class SingleLetter(NamedTuple):
    """What an image of one character shows.

    Attributes:
        glyph: uint8, 28×28, for the CNN.
        note: NONE, NO_LETTER or SEVERAL.
    """

    glyph: NDArray[np.uint8]
    note: Note


def find_letter(image: NDArray[np.uint8]) -> SingleLetter:
    """Make the glyph of an image that should show one character, and check whether it shows one.

    Args:
        image: uint8, h×w, grey, dark on light or light on dark.
    """
    ink = _find_ink(_shrink(image))
    letters = count_letters(ink)
    note = Note.NO_LETTER if letters == 0 else Note.SEVERAL if letters > 1 else Note.NONE
    return SingleLetter(normalise(ink), note)


def count_letters(ink: NDArray[np.uint8]) -> int:
    """Count the letters in the ink of an image that should show one.

    Connected components with little paper between their boxes form a group, which is one letter: the strokes
    of a K, the halves of an H, the arcs of a broken O. Another group is another letter if it is about as high
    as the highest one. A dot, an accent, the bar of an E and the rest of a neighbour are lower.

    Args:
        ink: uint8, h×w, 255 for ink and 0 for paper.

    Returns:
        0 if nothing has the shape of a letter: no ink, grain, specks, a blot or a horizontal rule.
    """
    _, strong = cv2.threshold(ink, GLYPH_INK_LEVEL - 1, 255, cv2.THRESH_BINARY)
    components = find_components(strong.astype(np.uint8, copy=False))
    areas = [one.area for one in components]
    if not components or max(areas) < MIN_LARGEST_COMPONENT_SHARE * sum(areas):
        return 0
    components = [one for one in components if one.area >= SPECK_SHARE * max(areas)]
    boxes = np.array([(one.left, one.top, one.right, one.bottom) for one in components], np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    max_gap = np.array([MAX_GAP_ACROSS_SHARE * sides[:, 1].max(), MAX_GAP_DOWN_SHARE * sides.max()])
    groups = _group_boxes(boxes, max_gap)

    # A slim upright may be an I, and bars that belong together an E.
    slim = (sides[:, 1] >= np.maximum(LEAST_LETTER_PIXELS, MAX_WIDTH_HEIGHTS * sides[:, 0])).any()
    if measure_sizes(components) is None and not slim and len(groups) == len(components):
        return 0

    widths, heights = (groups[:, 2:] - groups[:, :2]).T
    high_enough = heights >= MIN_LETTER_HEIGHT_SHARE * heights.max()
    return max(1, int((high_enough & (widths <= MAX_WIDTH_HEIGHTS * heights)).sum()))


def _group_boxes(boxes: NDArray[np.float64], max_gap: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join boxes with no more than a gap between them, or a chain of such boxes.

    Args:
        boxes: n×4: left, top, right, bottom.
        max_gap: widest gap, across and down.

    Returns:
        The boxes around each group, in the same form.
    """
    if len(boxes) == 1:
        return boxes
    apart = np.maximum(boxes[:, None, :2], boxes[:, :2]) - np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    linked: NDArray[np.bool_] = np.all(apart <= max_gap, axis=2)
    while (farther := linked @ linked).sum() > linked.sum():
        linked = farther
    groups = np.unique(linked, axis=0)
    return np.array([[*boxes[group, :2].min(axis=0), *boxes[group, 2:].max(axis=0)] for group in groups])


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape
    scale = WORKING_SIDE_PIXELS / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _find_ink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find the ink of an image; correct uneven light if that frees the image's edge of ink.

    An image smaller than 31 pixels (`MEDIAN_SIZE`) counts as evenly lit: it has the same median everywhere.
    """
    ink = ink_of(image)
    if _edge_ink_share(ink) <= MAX_EDGE_INK_SHARE:
        return ink
    paper = estimate_paper(image, PAPER_WINDOW_SHARE * max(image.shape))
    level = round(float(np.median(paper)))
    evenly_lit = np.clip(image.astype(np.int16) - paper + level, 0, 255).astype(np.uint8)
    corrected = ink_of(evenly_lit)
    return corrected if _edge_ink_share(corrected) <= MAX_EDGE_INK_SHARE else ink


def _edge_ink_share(ink: NDArray[np.uint8]) -> float:
    return float(np.mean(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]) > 0))
