"""An image that should show one character: its glyph, and whether it does show one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import estimate_paper
from lettermill.segmentation.components import LEAST_LETTER_PIXELS, find_components, measure_sizes
from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, ink_of, normalise

WORKING_SIDE = 1024
"""Pixels to which the longer side of a larger image is shrunk: grain averages out, and the CNN sees 22."""

INK_AT_EDGE = 0.1
"""Share of the image's edge that is not paper where the light is uneven, or the letter cut."""

PAPER_WINDOW = 0.5
"""Side of the window whose median is the paper, as a share of the image: in any letter most is paper."""

TEXTURE = 0.1
"""Share of all ink that the largest piece has at least: the grain of empty paper is thousands of specks."""

SPECK = 0.02
"""Share of the largest piece's ink below which a piece is not looked at, as in `segmentation.glyph`."""

LETTER_GAP = 0.12
"""Widest gap within a letter, as a share of the highest piece: broken strokes come as close."""

LINE_GAP = 0.3
"""Widest gap above or below a part of a letter, as a share of the longest piece: bars of an E lie apart."""

SAME_HEIGHT = 0.5
"""Share of the highest part's height from which another part is a letter: dots and accents are lower."""

FLATTEST = 2.5
"""Width in heights beyond which a part is no letter but a bar; the reverse is an I, however slim."""


class Note(StrEnum):
    """What is odd about an image of one character: the `note` column."""

    NONE = ""
    NO_LETTER = "NO_LETTER"
    SEVERAL = "SEVERAL"
    UNREADABLE = "UNREADABLE"


class Single(NamedTuple):
    """What an image of one character shows.

    Attributes:
        glyph: uint8, 28×28, what the CNN sees.
        note: NONE, NO_LETTER or SEVERAL.
    """

    glyph: NDArray[np.uint8]
    note: Note


def look(image: NDArray[np.uint8]) -> Single:
    """Make the glyph of an image that should show one character, and judge whether it does.

    Args:
        image: uint8, h×w, grey, either polarity.
    """
    ink = _ink(_working_size(image))
    letters = count_letters(ink)
    note = Note.NO_LETTER if letters == 0 else Note.SEVERAL if letters > 1 else Note.NONE
    return Single(normalise(ink), note)


def count_letters(ink: NDArray[np.uint8]) -> int:
    """Count the letters in the ink of an image that should show one.

    Pieces of ink with little paper between their boxes are parts of one letter: the strokes of a K, the
    halves of an H, the arcs of a broken O. What then stands apart is another letter if it is about as
    high, so a dot, an accent, the bar of an E and what is left of a neighbour are none.

    Args:
        ink: uint8, h×w, 255 for ink and 0 for paper.

    Returns:
        0 where nothing has the shape of a letter: no ink, grain, specks, a blot or a level rule.
    """
    # The level of a glyph, not of a stroke: faint ink still bridges a broken stroke.
    _, strong = cv2.threshold(ink, GLYPH_INK_LEVEL - 1, 255, cv2.THRESH_BINARY)
    pieces = find_components(strong.astype(np.uint8, copy=False))
    areas = [piece.area for piece in pieces]
    if not pieces or max(areas) < TEXTURE * sum(areas):
        return 0
    pieces = [piece for piece in pieces if piece.area >= SPECK * max(areas)]
    boxes = np.array([(piece.left, piece.top, piece.right, piece.bottom) for piece in pieces], np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    parts = _joined(boxes, np.array([LETTER_GAP * sides[:, 1].max(), LINE_GAP * sides.max()]))
    slim = (sides[:, 1] >= np.maximum(LEAST_LETTER_PIXELS, FLATTEST * sides[:, 0])).any()
    # A slim upright may be an I, and bars that belong together an E.
    if measure_sizes(pieces) is None and not slim and len(parts) == len(pieces):
        return 0
    widths, heights = (parts[:, 2:] - parts[:, :2]).T
    return max(1, int(((heights >= SAME_HEIGHT * heights.max()) & (widths <= FLATTEST * heights)).sum()))


def _joined(boxes: NDArray[np.float64], gap: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join boxes (n×4: left, top, right, bottom) that lie within a gap (x, y), or a chain of such gaps."""
    if len(boxes) == 1:
        return boxes
    apart = np.maximum(boxes[:, None, :2], boxes[:, :2]) - np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    linked: NDArray[np.bool_] = np.all(apart <= gap, axis=2)
    while (farther := linked @ linked).sum() > linked.sum():
        linked = farther
    groups = np.unique(linked, axis=0)
    return np.array([[*boxes[group, :2].min(axis=0), *boxes[group, 2:].max(axis=0)] for group in groups])


def _working_size(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _ink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the ink off an image, under uneven light too, where that leaves the image's edge free of it.

    An image of fewer than 31 pixels (`MEDIAN_SIZE`) is taken as evenly lit: its median is one for all of it.
    """
    ink = ink_of(image)
    if _edge_share(ink) <= INK_AT_EDGE:
        return ink
    paper = estimate_paper(image, PAPER_WINDOW * max(image.shape))
    level = round(float(np.median(paper)))
    evenly_lit = np.clip(image.astype(np.int16) - paper + level, 0, 255).astype(np.uint8)
    ink_then = ink_of(evenly_lit)
    return ink_then if _edge_share(ink_then) <= INK_AT_EDGE else ink


def _edge_share(ink: NDArray[np.uint8]) -> float:
    return float(np.mean(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]) > 0))
