"""Erases from a page what is no writing: print, logos, codes, pictures, what lies around the sheet.

What the ink of a page belongs to, the region network says (`lettermill.worker.reading.region_network`), for
blocks of a few pixels of a small copy. Here each connected component of the copy's ink gets one answer, so
that no letter is cut in two.
"""

from __future__ import annotations

import dataclasses
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import find_ink

_INK_LEVEL = 128
_LIKELY = 0.5


class Region(IntEnum):
    """What ink on a page belongs to, in the order of the region network's outputs."""

    WRITING = 0
    PRINT = 1
    LINES = 2
    OTHER = 3


ERASED_FROM = 0.7
"""Probability of being no writing from which ink is erased: losing writing is worse than reading print."""

LEAST_PRINTED_PIECES = 100
"""Pieces of print, each a letter or several that touch, from which a page is a printed form."""

LOWEST_PIECE_PIXELS, HIGHEST_PIECE_PIXELS = 3, 60
"""Height of such a piece on the small copy."""

SURE_MARGIN = 0.15
"""A component whose mean is further than this from `ERASED_FROM` is kept or erased as a whole."""

LARGEST_COMPONENT_SHARE = 0.25
"""A component that is wider or higher than this share of the page is no letter: each pixel decides."""

PAPER_WINDOW_SHARE, CONTRAST_WINDOW_SHARE = 1 / 12, 1 / 30
"""Sides of the two windows in which ink is found, as shares of the longer side."""

_FILL_SHRINK = 8
"""The paper under erased ink is estimated on a copy that is smaller by this."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Erased:
    """A page without print and pictures.

    Attributes:
        page: uint8, h×w, grey.
        shares: for each `Region` the share of the page's ink, 0–1; all 0 if there is no ink.
    """

    page: NDArray[np.uint8]
    shares: tuple[float, ...]


def erase_what_is_no_writing(
    page: NDArray[np.uint8], image: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> Erased:
    """Erase print and what is neither writing nor form lines.

    Args:
        page: uint8, h×w, grey, dark ink on light paper.
        image: uint8, the small copy that the region network saw.
        probabilities: float32, 4×rows×columns: what it said.

    Returns:
        The page, paper where something was erased. A page with little print is the same: its few captions
        are told from the writing later, and writing that looks like print to the network is not risked.
    """
    size = image.shape[1], image.shape[0]
    side = max(image.shape)
    ink = find_ink(image, side * PAPER_WINDOW_SHARE, side * CONTRAST_WINDOW_SHARE, blur=0.0) >= _INK_LEVEL
    planes = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in probabilities])
    amounts = planes[:, ink].sum(axis=1)
    shares = tuple((amounts / max(1.0, float(amounts.sum()))).tolist())
    pieces = _Pieces.found(ink & (planes[Region.LINES] < _LIKELY))
    if pieces.printed(planes[Region.PRINT]) < LEAST_PRINTED_PIECES:
        return Erased(page, shares)
    unwanted = planes[Region.PRINT] + planes[Region.OTHER]
    erased = _erased_pixels(pieces, unwanted)
    # Within pictures and beside the sheet nothing is paper; between printed letters all is.
    unknown = ink | (planes[Region.OTHER] > _LIKELY)
    return Erased(_painted(page, erased, unknown), shares)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """The connected components of a small page's ink.

    Attributes:
        labels: int32, h×w: the number of each pixel's component; 0 is no ink.
        width: int32, n.
        height: int32, n.
        pixels: n: how many each has.
    """

    labels: NDArray[np.int32]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    pixels: NDArray[np.intp]

    @staticmethod
    def found(ink: NDArray[np.bool_]) -> _Pieces:
        """Find them."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
        pixels = np.maximum(1, np.bincount(labels.ravel(), minlength=count))
        width, height = (
            np.asarray(stats[:, column], np.int32) for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)
        )
        return _Pieces(np.asarray(labels, np.int32), width, height, pixels)

    def mean(self, plane: NDArray[np.float32]) -> NDArray[np.float64]:
        """The mean of a plane over each."""
        sums = np.bincount(self.labels.ravel(), plane.ravel(), len(self.pixels))
        return np.asarray(sums / self.pixels)

    def printed(self, print_plane: NDArray[np.float32]) -> int:
        """How many are print."""
        of_a_letter = (self.height >= LOWEST_PIECE_PIXELS) & (self.height < HIGHEST_PIECE_PIXELS)
        return int((of_a_letter & (self.mean(print_plane) > ERASED_FROM))[1:].sum())


def _erased_pixels(pieces: _Pieces, unwanted: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Decide component by component what is erased of a small page: bool, h×w."""
    mean = pieces.mean(unwanted)
    longest = np.maximum(pieces.width, pieces.height)
    is_small = longest < LARGEST_COMPONENT_SHARE * max(pieces.labels.shape)
    whole = is_small & (np.abs(mean - ERASED_FROM) > SURE_MARGIN)
    whole[0] = False
    square = np.ones((3, 3), np.uint8)
    dropped = (whole & (mean > ERASED_FROM))[pieces.labels].astype(np.uint8)
    kept = (whole & (mean < ERASED_FROM))[pieces.labels].astype(np.uint8)
    gone = cv2.dilate(dropped, square, iterations=2) > 0
    stays = cv2.dilate(kept, square) > 0
    return np.asarray(((unwanted > ERASED_FROM) | gone) & ~stays)


def _painted(
    page: NDArray[np.uint8], erased: NDArray[np.bool_], unknown: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Paint what is erased on the page as the paper around it.

    Args:
        page: uint8, h×w, grey.
        erased: bool, of a small copy.
        unknown: bool, of the copy: pixels that show no paper.
    """
    height, width = page.shape
    rows, columns = max(1, erased.shape[0] // _FILL_SHRINK), max(1, erased.shape[1] // _FILL_SHRINK)
    small = cv2.resize(page, (erased.shape[1], erased.shape[0]), interpolation=cv2.INTER_AREA)
    near = cv2.dilate(unknown.astype(np.uint8), np.ones((5, 5), np.uint8))
    known = (1 - near).astype(np.float32)
    values = cv2.resize(small * known, (columns, rows), interpolation=cv2.INTER_AREA)
    weights = cv2.resize(known, (columns, rows), interpolation=cv2.INTER_AREA)
    default = float(np.median(small[known > 0])) if known.any() else 255.0
    sums = values + default * np.float32(1e-4)
    counts = weights + np.float32(1e-4)
    for window in (3, 9, 27):
        wider_sums, wider_counts = cv2.blur(sums, (window, window)), cv2.blur(counts, (window, window))
        lacking = counts < 0.05
        sums = np.where(lacking, wider_sums, sums)
        counts = np.where(lacking, wider_counts, counts)
    paper = cv2.blur((sums / counts).astype(np.float32), (3, 3))
    mask = cv2.resize(erased.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    full = cv2.resize(
        np.clip(paper, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(np.where(mask, full, page), np.uint8)
