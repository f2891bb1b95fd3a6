"""Makes a blank form of filled sheets: ink of the first sheet that is on the others, too, is the form.

All sheets are laid on the first. Its ink is confirmed where the others have ink within a pixel or two,
because no two sheets lie exactly alike. Writing is confirmed here and there, where people wrote on the same
spot, but print as a whole: so ink stays where most of the ink around it is confirmed. The lightest of all
sheets in each pixel, which is simpler, thins out every line that is half a pixel off on one sheet.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.fields import long_runs
from lettermill.segmentation.registration import cut, prepare, register
from lettermill.segmentation.values import Box

LEAST_FOUND_SHARE = 0.3
"""Share of the first sheet's patches that must be found on another: on a filled sheet many are writing."""

SHEETS_PER_GAP = 8
"""If there are this many sheets, one may lack a piece of print: a fold, a light spot, a stamp left out."""

REACH_SHARE = 1 / 1000
"""Distance within which ink confirms other ink, as a share of the form's longer side: 2 pixels at 200 dpi."""

WINDOW_SHARE = 1 / 120
"""Radius (standard deviation) of what is around a pixel, as a share of the longer side."""

LEAST_CONFIRMED_SHARE = 0.75
"""Share of the ink around a pixel that must be confirmed: of print nearly all is, of writing a third."""

SHORTEST_RUN_SHARE = 1 / 45
"""Length of confirmed ink that is a form line whatever is around it, as a share of the longer side."""

LEAST_LEVELS = 60
"""How much darker than its paper ink is, in grey levels of 255, after the light was evened out."""

PAPER_SHARE = 1 / 20
"""Side of the window in which a sheet's paper is evenly bright, as a share of the form's longer side."""


class AnotherForm(ValueError):
    """A sheet is not the form of the first one.

    Attributes:
        number: of the sheet, from 0.
    """

    def __init__(self, number: int) -> None:
        super().__init__("it is not the form of the first sheet")
        self.number = number


def shared_print(sheets: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return what some sheets of a form have in common: the blank form.

    Args:
        sheets: uint8, h×w each, grey, at least two, each filled with other words.

    Returns:
        uint8, in the frame of the first sheet, on white paper.

    Raises:
        AnotherForm: a sheet cannot be laid on the first.
        ValueError: too little is printed on the first.
    """
    first = _on_white(sheets[0])
    blank = prepare(sheets[0])
    side = max(first.shape)
    frame = Box(0, 0, first.shape[1], first.shape[0])
    reach = _disc(max(1, round(REACH_SHARE * side)))
    ink = _ink(first)
    seen = np.zeros(first.shape, np.uint8)
    for number, sheet in enumerate(sheets[1:], 1):
        found = register(blank, sheet)
        if found.found < LEAST_FOUND_SHARE:
            raise AnotherForm(number)
        seen += cv2.dilate(_ink(_on_white(cut(sheet, found.to_scan, frame))), reach).astype(np.uint8)
    confirmed = ink & (seen >= len(sheets) - 1 - len(sheets) // SHEETS_PER_GAP).astype(np.uint8)
    sigma = WINDOW_SHARE * side
    around, of_them = (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) for mask in (ink, confirmed))
    is_print = (of_them >= LEAST_CONFIRMED_SHARE * around) & (cv2.dilate(confirmed, reach) != 0)
    lines = long_runs(confirmed, max(9, round(SHORTEST_RUN_SHARE * side))) & ink
    kept = cv2.dilate((ink & is_print).astype(np.uint8) | lines, _disc(1))
    return np.where(kept != 0, first, 255).astype(np.uint8)


def _on_white(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divide a sheet by its paper, so that sheets that are lit differently can be compared."""
    side = round(PAPER_SHARE * max(sheet.shape)) | 1
    paper = cv2.blur(cv2.dilate(sheet, np.ones((side, side), np.uint8)), (side, side))
    lit = sheet.astype(np.float32) * 255 / np.maximum(paper, 1)
    return lit.clip(0, 255).astype(np.uint8)


def _ink(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark ink with 1."""
    return (sheet <= 255 - LEAST_LEVELS).astype(np.uint8)


def _disc(radius: int) -> NDArray[np.uint8]:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return disc.astype(np.uint8, copy=False)
