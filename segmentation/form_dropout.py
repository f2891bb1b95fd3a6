"""Removes the printed form from a field of a scan, and keeps the strokes that cross it (form dropout).

The print is known from the blank form, so nothing has to be told from handwriting by its looks. Where the
blank is dark, the scan becomes paper; ink there that joins ink on both sides of the print is a stroke that
crosses it, and stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL

PRINT_DARKNESS_SHARE = 0.25
"""Darkness from which a pixel of the blank is print, as a share of its darkest print."""

STROKE_DARKNESS_SHARE = 0.35
"""Darkness from which a pixel of the scan is a stroke, as a share of the print's."""

PRINT_MARGIN_SHARE = 0.02
"""Margin around print that goes with it, as a share of the field's height: blur, registration error."""

LEAST_PRINT_LEVELS = 40
"""Grey levels below which nothing on the blank is print."""

PAPER_BLUR_SHARE = 0.2
"""Standard deviation of the window in which the paper is evenly bright, as a share of the field's height."""

LEAST_PAPER_SHARE = 1e-3
"""Share of the window in which paper must be seen."""

BRIDGE_WIDTHS = 1.6
"""Longest way of a stroke over print, in widths of the print."""

WIDEST_CROSSED_SHARE = 0.25
"""Widest print that a stroke crosses, as a share of the field's height: wider print is a caption."""


def drop_form(
    scan: NDArray[np.uint8], blank: NDArray[np.uint8], inside: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """Remove what is printed from a field.

    Args:
        scan: uint8, h×w, grey: the field as it was filled in, and some paper around it.
        blank: uint8, h×w: the same part of the blank form.
        inside: left, top, right, bottom of the field itself; ink whose middle is outside belongs to others.

    Returns:
        uint8, h×w: the writing alone, on its paper.
    """
    height = inside[3] - inside[1]
    around = _around(height)
    mask, ink, crossing = _parted(scan, blank, height)
    paper = _paper(scan, mask | _grown(ink, around), height)
    foreign = _foreign((ink & (1 - mask)) | crossing, inside)
    gone = (mask & (1 - crossing)) | _grown(foreign, around)
    return np.where(gone != 0, paper, scan).astype(np.uint8)


def written_share(
    scan: NDArray[np.uint8], blank: NDArray[np.uint8], inside: tuple[int, int, int, int]
) -> float:
    """Return the share (0–1) of a field's pixels that are ink and not print: of a tick box, how full it is.

    Args:
        scan: as in `drop_form`.
        blank: as in `drop_form`.
        inside: left, top, right, bottom of the field itself.
    """
    mask, ink, crossing = _parted(scan, blank, inside[3] - inside[1])
    left, top, right, bottom = inside
    written = (ink & (1 - mask)) | crossing
    return float(written[top:bottom, left:right].mean())


def _around(height: int) -> int:
    """Return the margin around print that goes with it, in pixels."""
    return 1 + round(PRINT_MARGIN_SHARE * height)


def _parted(
    scan: NDArray[np.uint8], blank: NDArray[np.uint8], height: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Mark with 1 the print and its margin, all ink, and the strokes that cross the print."""
    around = _around(height)
    core = _print_of(blank, height)
    mask = _grown(core, around)
    dark = cv2.subtract(_paper(scan, mask, height), scan).astype(np.uint8, copy=False)
    ink: NDArray[np.uint8] = (dark >= STROKE_DARKNESS_SHARE * _strength(dark, core)).astype(np.uint8)
    bridge = round(BRIDGE_WIDTHS * (_width(core, height) + 2 * around)) | 1
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(ink & (1 - mask), bridge, bridge, bridge, bridge, cv2.BORDER_CONSTANT, value=0),
        cv2.MORPH_CLOSE,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (bridge, bridge)),
    )[bridge:-bridge, bridge:-bridge]
    return mask, ink, closed.astype(np.uint8) & ink & mask


def _print_of(blank: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Mark with 1 where the blank is printed on; its paper is the lightest pixel nearby."""
    window = np.ones((height // 2 | 1, height // 2 | 1), np.uint8)
    darkness = cv2.subtract(cv2.dilate(blank, window), blank)
    return (darkness >= max(LEAST_PRINT_LEVELS, PRINT_DARKNESS_SHARE * int(darkness.max()))).astype(np.uint8)


def _grown(mask: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """Dilate a mask by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(mask, disc).astype(np.uint8, copy=False)


def _paper(scan: NDArray[np.uint8], covered: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The paper's brightness at each pixel, estimated from the paper visible near it."""
    seen = (1 - covered).astype(np.float32)
    if not seen.any():
        return scan
    sigma = PAPER_BLUR_SHARE * height
    weight = cv2.GaussianBlur(seen, (0, 0), sigma)
    light = cv2.GaussianBlur(scan * seen, (0, 0), sigma)
    mean = float(scan[covered == 0].mean())
    # If no paper is near, use the mean of all of it.
    paper = (light + LEAST_PAPER_SHARE * mean) / (weight + LEAST_PAPER_SHARE)
    return np.rint(paper).astype(np.uint8)


def _strength(dark: NDArray[np.uint8], core: NDArray[np.uint8]) -> float:
    """Darkness of print on this scan; a fixed grey level if the field has none."""
    seen = dark[core != 0]
    return float(np.percentile(seen, 75)) if seen.size else float(INK_LEVEL)


def _width(core: NDArray[np.uint8], height: int) -> float:
    """Width of the form lines: twice the typical distance of their middle from the paper."""
    if not core.any():
        return 0.0
    distance = cv2.distanceTransform(core, cv2.DIST_L2, 3)
    return min(2 * float(np.percentile(distance[core != 0], 90)), WIDEST_CROSSED_SHARE * height)


def _foreign(ink: NDArray[np.uint8], inside: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Mark with 1 the ink that reaches in from around the field."""
    _, labels, _, middles = cv2.connectedComponentsWithStats(ink, connectivity=8)
    left, top, right, bottom = inside
    x, y = middles[:, 0], middles[:, 1]
    is_foreign = (x < left) | (x > right) | (y < top) | (y > bottom)
    # Label 0 is the paper.
    is_foreign[0] = False
    foreign: NDArray[np.uint8] = is_foreign[labels].astype(np.uint8)
    return foreign
