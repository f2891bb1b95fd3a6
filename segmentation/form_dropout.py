"""A field of a form without the form: what is printed on the blank goes, strokes over it stay.

What is printed is known from the blank, so nothing has to be told from handwriting by its looks. Where the
blank is dark, the scan becomes paper; ink there that joins ink on both sides of the print is a stroke that
crosses it, and stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL

PRINT = 0.25
"""Darkness from which a pixel of the blank is print, as a share of its darkest print."""

STROKE = 0.35
"""Darkness from which a pixel of the scan is a stroke, as a share of the print's."""

AROUND = 0.02
"""Share of the field's height around print that goes with it: blur, and what the registration leaves."""

FAINTEST_PRINT = 40
"""Grey levels below which nothing on the blank is print."""

PAPER_BLUR = 0.2
"""Standard deviation, in heights of the field, of the window in which the paper's brightness is the same."""

LEAST_WEIGHT = 1e-3
"""Share of the window in which paper must be seen."""

BRIDGE = 1.6
"""Widths of the print over which a stroke goes on to its other side."""

CROSSED = 0.25
"""Share of the field's height: print that is wider is a caption, and nothing goes on over it."""


def drop_form(
    scan: NDArray[np.uint8], blank: NDArray[np.uint8], inside: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """Take what is printed out of a field.

    Args:
        scan: uint8, h×w, grey: the field as it was filled, and some paper around it.
        blank: uint8, h×w: the same part of the blank form.
        inside: left, top, right, bottom of the field itself; ink whose middle lies outside belongs to others.

    Returns:
        uint8, h×w: the writing alone, on its paper.
    """
    height = inside[3] - inside[1]
    around = 1 + round(AROUND * height)
    core = _print_of(blank, height)
    mask = _grown(core, around)
    dark = cv2.subtract(_paper(scan, mask, height), scan).astype(np.uint8, copy=False)
    ink: NDArray[np.uint8] = (dark >= STROKE * _strength(dark, core)).astype(np.uint8)
    paper = _paper(scan, mask | _grown(ink, around), height)
    rest = ink & (1 - mask)
    bridge = round(BRIDGE * (_width(core, height) + 2 * around)) | 1
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(rest, bridge, bridge, bridge, bridge, cv2.BORDER_CONSTANT, value=0),
        cv2.MORPH_CLOSE,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (bridge, bridge)),
    )[bridge:-bridge, bridge:-bridge]
    crossing = closed.astype(np.uint8) & ink & mask
    foreign = _foreign(rest | crossing, inside)
    gone = (mask & (1 - crossing)) | _grown(foreign, around)
    return np.where(gone != 0, paper, scan).astype(np.uint8)


def _print_of(blank: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Where the blank is printed on: its paper is the lightest that is near."""
    window = np.ones((height // 2 | 1, height // 2 | 1), np.uint8)
    darkness = cv2.subtract(cv2.dilate(blank, window), blank)
    return (darkness >= max(FAINTEST_PRINT, PRINT * int(darkness.max()))).astype(np.uint8)


def _grown(mask: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(mask, disc).astype(np.uint8, copy=False)


def _paper(scan: NDArray[np.uint8], covered: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The paper's brightness at each pixel: that of the paper that can be seen near it."""
    seen = (1 - covered).astype(np.float32)
    if not seen.any():
        return scan
    sigma = PAPER_BLUR * height
    weight = cv2.GaussianBlur(seen, (0, 0), sigma)
    light = cv2.GaussianBlur(scan * seen, (0, 0), sigma)
    mean = float(scan[covered == 0].mean())
    # Where none is near, what there is on the whole.
    paper = (light + LEAST_WEIGHT * mean) / (weight + LEAST_WEIGHT)
    return np.rint(paper).astype(np.uint8)


def _strength(dark: NDArray[np.uint8], core: NDArray[np.uint8]) -> float:
    """How dark print is on this scan; a share of all grey levels where the field has none."""
    seen = dark[core != 0]
    return float(np.percentile(seen, 75)) if seen.size else float(INK_LEVEL)


def _width(core: NDArray[np.uint8], height: int) -> float:
    """How wide the rules are: twice the usual distance of their middle from the paper."""
    if not core.any():
        return 0.0
    distance = cv2.distanceTransform(core, cv2.DIST_L2, 3)
    return min(2 * float(np.percentile(distance[core != 0], 90)), CROSSED * height)


def _foreign(ink: NDArray[np.uint8], inside: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The ink that reaches in from around the field."""
    _, labels, _, middles = cv2.connectedComponentsWithStats(ink, connectivity=8)
    left, top, right, bottom = inside
    x, y = middles[:, 0], middles[:, 1]
    is_foreign = (x < left) | (x > right) | (y < top) | (y > bottom)
    is_foreign[0] = False  # The paper.
    foreign: NDArray[np.uint8] = is_foreign[labels].astype(np.uint8)
    return foreign
