"""Registers a scan on its blank form: finds where each pixel of the blank is on the scan.

Coarse: SIFT features of both (Lowe 2004), which do not depend on scale and angle, are matched, and a
homography is fitted on which most matches agree (MAGSAC++, Barath et al. 2020). Fine: patches of the blank's
print, spread over the page, are searched for on the scan near where the homography puts them, to a fraction
of a pixel, and the homography is fitted again. Handwriting is on no blank: all it can do is hide print.

The same patches tell whether the scan is of this form at all: how many are found again, on the page and
around each field. Without them nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.values import Box

COARSE_SIDE_PIXELS = 1200
"""Longer side of the copies on which features are detected: on A4 print of 2 mm keeps 8 pixels."""

MOST_FEATURES = 3000
"""Strongest features of a page: some are the form's print, the rest handwriting."""

DISTINCT_SHARE = 0.8
"""Distance of a match as a share of that of the second nearest feature, at most (Lowe 2004)."""

LEAST_MATCHES = 12
"""Matches that must agree: eight numbers are fitted, and a few matches agree by chance."""

COARSE_ERROR_PIXELS = 4.0
"""Distance on the coarse copy within which a match agrees: paper bends."""

PATCH_SHARE = 1 / 45
"""Side of a patch of print as a share of the blank's longer side: a few letters of a caption."""

CELLS_PER_LONGER_SIDE = 16
"""Cells along the blank's longer side, each with its most distinct patch."""

LEAST_CORNER_SHARE = 0.02
"""Strength of a corner, as a share of the strongest, from which its place can be determined."""

REACH_SHARES = (1 / 150, 1 / 350)
"""Search range around a patch's place as a share of the longer side: first and second time."""

LEAST_CORRELATION = 0.4
"""Correlation from which a patch is found: handwriting over it lowers it, another form has less."""

IN_PLACE_SHARE = 1 / 900
"""Distance, as a share of the longer side, between a patch and where the others predict it, at most."""

LEAST_FOUND_SHARE = 0.6
"""Share of the patches that must be found; docs/forms.md has the measurements."""

LEAST_AT_FIELD_SHARE = 0.34
"""Share of the patches around a field that must be found: with fewer, the form may have changed there."""

STEEPEST_RATIO = 1.8
"""Ratio of the form's scales at two ends of the scan, at most."""

SCALE_BOUNDS = (0.2, 4.0)
"""Pixels of the scan per pixel of the blank: beyond these bounds nothing can be read."""


SAME_LEVELS, SAME_SHARE = 64, 3e-5
"""A scan is the blank itself if no more than this share of its pixels differs by more than these grey levels.

A letter is some 750 pixels at 300 dpi: 9e-5 of an A4 sheet.
"""


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank form, prepared for registration.

    Attributes:
        image: uint8, h×w, grey, dark print on light paper.
        patches: boxes of distinct print, spread over the page, in pixels of the image.
        corners: float32, m×2, the places of its features in pixels of the image.
        features: float32, m×128, their descriptors.
    """

    image: NDArray[np.uint8] = field(compare=False, repr=False)
    patches: tuple[Box, ...] = field(repr=False)
    corners: NDArray[np.float32] = field(compare=False, repr=False)
    features: NDArray[np.float32] = field(compare=False, repr=False)

    @property
    def side(self) -> int:
        """The longer side in pixels."""
        return int(max(self.image.shape))


@dataclass(frozen=True, slots=True)
class Registration:
    """How a scan lies on a blank.

    Attributes:
        to_scan: float64, 3×3, the homography from pixels of the blank (x, y, pixel centres) to the scan's.
        found: share (0–1) of the blank's patches that were found again.
        residual: median distance in pixels of the blank between where patches are and where they should be.
        lost: numbers of the fields around which the form's print was not found.
    """

    to_scan: NDArray[np.float64] = field(compare=False, repr=False)
    found: float
    residual: float
    lost: tuple[int, ...] = ()

    @property
    def matches(self) -> bool:
        """Whether the scan is of this form."""
        return self.found >= LEAST_FOUND_SHARE and not self.lost

    @property
    def degrees(self) -> float:
        """Degrees, -180 to 180, by which the form is rotated clockwise on the scan."""
        return float(np.degrees(np.arctan2(self.to_scan[1, 0], self.to_scan[0, 0])))


NOT_FOUND = Registration(np.eye(3), 0.0, float("inf"))
"""The result if nothing on the scan looks like the form."""


def prepare(image: NDArray[np.uint8]) -> Blank:
    """Find features and distinct patches of a blank form.

    Args:
        image: uint8, h×w, grey.

    Raises:
        ValueError: too little is printed on it to register a scan.
    """
    corners, features = _features(image)
    patches = _patches(image)
    if len(corners) < LEAST_MATCHES or len(patches) < LEAST_MATCHES:
        raise ValueError("too little is printed on it")
    return Blank(image, patches, corners, features)


def register(blank: Blank, scan: NDArray[np.uint8], fields: Sequence[Box] = ()) -> Registration:
    """Register a scan on a blank form.

    Args:
        blank: the form.
        scan: uint8, h×w, grey; rotated, scaled, skewed or photographed slightly from the side.
        fields: boxes on the blank around which the form must be as it is on the blank.

    Returns:
        How the scan lies; `matches` tells whether it is of this form.
    """
    to_scan = _coarse_homography(blank, scan)
    if to_scan is None:
        return NOT_FOUND

    centres = np.array([(box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2) for box in blank.patches])
    for reach in REACH_SHARES:
        moves, alike = _search_patches(blank, scan, to_scan, round(reach * blank.side))
        near = alike >= LEAST_CORRELATION
        if near.sum() < LEAST_MATCHES:
            return NOT_FOUND
        places = mapped(to_scan, centres + moves)
        better, _ = cv2.findHomography(
            centres[near],
            places[near],
            cv2.USAC_MAGSAC,
            2 * scale_of(to_scan, blank.image.shape) * IN_PLACE_SHARE * blank.side,
        )
        to_scan = np.asarray(better, np.float64)
        # OpenCV returns None if it finds no fit.
        if to_scan.shape != (3, 3) or not _is_plausible(to_scan, blank):
            return NOT_FOUND

    back = mapped(np.asarray(np.linalg.inv(to_scan), np.float64), places)
    apart = np.hypot(*(back - centres).T)
    found = near & (apart <= IN_PLACE_SHARE * blank.side)
    if not found.any():
        return NOT_FOUND
    lost = [number for number, box in enumerate(fields) if _is_lost(box, centres, found, blank)]
    return Registration(to_scan, float(found.mean()), float(np.median(apart[found])), tuple(lost))


def is_same(blank: Blank, scan: NDArray[np.uint8], to_scan: NDArray[np.float64]) -> bool:
    """Whether a scan is its blank form: saved anew perhaps, but nothing was written or printed on it since.

    Args:
        blank: the form.
        scan: uint8, h×w.
        to_scan: as `Registration.to_scan`.
    """
    height, width = blank.image.shape
    apart = cv2.absdiff(cut(scan, to_scan, Box(0, 0, width, height)), blank.image)
    return bool(np.mean(apart > SAME_LEVELS) <= SAME_SHARE)


def cut(
    scan: NDArray[np.uint8], to_scan: NDArray[np.float64], box: Box, scale: float = 1.0
) -> NDArray[np.uint8]:
    """Cut a part of the blank's area out of the scan, rectified to the blank's frame.

    Args:
        scan: uint8, h×w.
        to_scan: as `Registration.to_scan`.
        box: in pixels of the blank; it may reach beyond it.
        scale: pixels of the result per pixel of the blank.

    Returns:
        uint8, about `scale` times the box's size; beyond the scan its edge pixels are repeated.
    """
    size = max(1, round(scale * box.width)), max(1, round(scale * box.height))
    there = to_scan @ np.array(
        [[1 / scale, 0, box.x + 0.5 / scale - 0.5], [0, 1 / scale, box.y + 0.5 / scale - 0.5], [0, 0, 1]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    straight = cv2.warpPerspective(scan, there, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return straight.astype(np.uint8, copy=False)


def _features(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The strongest features: float32 places in pixels of the image, n×2, and their descriptors, n×128."""
    scale = min(1.0, COARSE_SIDE_PIXELS / max(image.shape))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    points, looks = cv2.SIFT_create(MOST_FEATURES).detectAndCompute(small, None)  # type: ignore[attr-defined]
    if looks is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    places = (np.array([point.pt for point in points]) + 0.5) / scale - 0.5
    return places.astype(np.float32), np.sqrt(looks / np.maximum(looks.sum(axis=1, keepdims=True), 1e-6))


def _coarse_homography(blank: Blank, scan: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The homography on which most matches of features agree; None if too few do."""
    corners, features = _features(scan)
    if len(corners) < LEAST_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(blank.features, features, k=2)
    close = [
        pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < DISTINCT_SHARE * pair[1].distance
    ]
    if len(close) < LEAST_MATCHES:
        return None
    here = blank.corners[[match.queryIdx for match in close]]
    there = corners[[match.trainIdx for match in close]]
    error = COARSE_ERROR_PIXELS * max(1.0, max(scan.shape) / COARSE_SIDE_PIXELS)
    found, inliers = cv2.findHomography(here, there, cv2.USAC_MAGSAC, error, maxIters=5000)
    if found is None or inliers.sum() < LEAST_MATCHES:
        return None
    to_scan = np.asarray(found, np.float64)
    return to_scan if _is_plausible(to_scan, blank) else None


def _is_plausible(to_scan: NDArray[np.float64], blank: Blank) -> bool:
    """Whether a camera can see a sheet of paper like this: not mirrored, not too small, not too steep."""
    height, width = blank.image.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    depths = corners @ to_scan[2, :2] + to_scan[2, 2]
    if not np.isfinite(to_scan).all() or depths.min() <= 0 or depths.max() > STEEPEST_RATIO * depths.min():
        return False
    sides = np.roll(places := mapped(to_scan, corners), -1, axis=0) - places
    turned = np.roll(sides, -1, axis=0)
    if (sides[:, 0] * turned[:, 1] - sides[:, 1] * turned[:, 0] <= 0).any():
        return False
    sizes = np.hypot(*sides.T) / (width, height, width, height)
    return bool(
        sizes.min() >= SCALE_BOUNDS[0]
        and sizes.max() <= SCALE_BOUNDS[1]
        and sizes.max() <= STEEPEST_RATIO * sizes.min()
    )


def scale_of(to_scan: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Return the pixels of the scan per pixel at the middle of a blank of that shape (h×w)."""
    height, width = shape
    middle = np.array([(width / 2, height / 2), (width / 2 + 1, height / 2), (width / 2, height / 2 + 1)])
    origin, right, down = mapped(to_scan, middle)
    (a, b), (c, d) = right - origin, down - origin
    return float(np.sqrt(abs(a * d - b * c)))


def mapped(homography: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (float64, n×2) by a homography (float64, 3×3)."""
    lifted = np.column_stack((points, np.ones(len(points)))) @ homography.T
    places: NDArray[np.float64] = lifted[:, :2] / lifted[:, 2:]
    return places


def _patches(image: NDArray[np.uint8]) -> tuple[Box, ...]:
    """The most distinct patch of print of each cell of a grid, if its place can be determined."""
    side = max(image.shape)
    size = round(PATCH_SHARE * side)
    blur = max(1.0, size / 20)
    soft = cv2.GaussianBlur(image, (0, 0), blur)
    strength = cv2.cornerMinEigenVal(soft, max(3, size | 1))
    margin = round(REACH_SHARES[0] * side) + size // 2 + 1
    strength[:margin], strength[-margin:], strength[:, :margin], strength[:, -margin:] = 0, 0, 0, 0
    least = (
        LEAST_CORNER_SHARE * float(np.percentile(strength[strength > 0], 99.9))
        if (strength > 0).any()
        else np.inf
    )

    step = side / CELLS_PER_LONGER_SIDE
    found = []
    for top in np.arange(0, image.shape[0], step):
        for left in np.arange(0, image.shape[1], step):
            cell = strength[round(top) : round(top + step), round(left) : round(left + step)]
            if cell.size and cell.max() >= least:
                row, column = np.unravel_index(int(cell.argmax()), cell.shape)
                found.append(
                    Box(round(left) + int(column) - size // 2, round(top) + int(row) - size // 2, size, size)
                )
    return tuple(found)


def _search_patches(
    blank: Blank, scan: NDArray[np.uint8], to_scan: NDArray[np.float64], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Search for each patch around its place.

    Returns:
        Its offset, float64, n×2, pixels of the blank, and the correlation there, float64, n.
    """
    # If the scan has fewer pixels, blur the blank until it is as soft as the scan.
    scale = min(1.0, scale_of(to_scan, blank.image.shape))
    sharp = (
        blank.image if scale > 0.9 else cv2.GaussianBlur(blank.image, (0, 0), 0.5 * np.sqrt(scale**-2 - 1))
    )
    straight = cut(scan, to_scan, Box(0, 0, blank.image.shape[1], blank.image.shape[0]))
    moves, alike = [], []
    for box in blank.patches:
        patch = sharp[box.y : box.y + box.height, box.x : box.x + box.width]
        around = straight[
            box.y - reach : box.y + box.height + reach, box.x - reach : box.x + box.width + reach
        ]
        scores = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED).astype(np.float32, copy=False)
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        right, down = _peak(scores[row], int(column)), _peak(scores[:, column], int(row))
        moves.append((column + right - reach, row + down - reach))
        alike.append(float(scores[row, column]))
    return np.array(moves, np.float64), np.array(alike, np.float64)


def _peak(values: NDArray[np.float32], index: int) -> float:
    """Where a peak is between its neighbours, -0.5 to 0.5: the vertex of the parabola through them."""
    if not 0 < index < len(values) - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else float(np.clip((left - right) / (2 * bend), -0.5, 0.5))


def _is_lost(box: Box, centres: NDArray[np.float64], found: NDArray[np.bool_], blank: Blank) -> bool:
    """Whether the print in and around a field was not found."""
    margin = blank.side / CELLS_PER_LONGER_SIDE / 2
    inside = (
        (centres[:, 0] >= box.x - margin)
        & (centres[:, 0] <= box.x + box.width + margin)
        & (centres[:, 1] >= box.y - margin)
        & (centres[:, 1] <= box.y + box.height + margin)
    )
    return bool(inside.any() and found[inside].mean() < LEAST_AT_FIELD_SHARE)
