"""Finds the small angle by which the text of a page is skewed, and deskews the foreground mask.

For each angle the tops and bottoms of the letters are projected along it. At the right angle they coincide
on few baselines and cap lines, so the sum of squares of the profile is highest (projection profile of
fiducial points, after Baird 1987, "The skew angle of printed documents").
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component, Sizes

WIDEST_DEGREES = 20.0
"""Skew to either side that is searched: no sheet is scanned or photographed more askew by accident."""

LEAST_DRIFT_LETTERS = 0.6
"""How far a line must fall across the page before deskewing is worth its blur."""

LEAST_LETTERS = 4
"""Fewer letters line up by chance at any angle; the page is then taken as upright."""

USUAL_DEGREES = 6.0
"""Standard deviation of the expected skew: if few letters allow several angles, the smaller one wins."""

FEW_LETTERS = 20
"""Number of letters up to which the expected skew counts fully; it counts less the more there are."""

_STEP_DEGREES = 0.2
"""Step of the search: across a full page it moves a letter by no more than the profile is smoothed over."""

_FINE_STEP_DEGREES = 0.02
"""Step of the search around the best angle."""

_PROJECTIONS_AT_ONCE = 100_000
"""Points times angles that are projected at a time: large enough for speed, small enough for memory."""

_BIN_LETTERS = 0.1
"""Width of a bin of the profile: about as uneven as hand-print is on its line."""


def find_skew(components: Sequence[Component], sizes: Sizes) -> float:
    """Find the angle of the text.

    Args:
        components: of the page, before deskewing.
        sizes: of its letters and strokes.

    Returns:
        Degrees within ±20, positive if lines fall to the right; 0.0 if there are too few letters.
    """
    letters = [
        component
        for component in components
        if 0.6 * sizes.letter <= component.height <= 1.7 * sizes.letter
        and component.width <= 3 * sizes.letter
    ]
    if len(letters) < LEAST_LETTERS:
        return 0.0
    middles = np.array([(component.left + component.right) / 2 for component in letters])
    bottoms = np.array([component.bottom for component in letters], np.float64)
    tops = np.array([component.top for component in letters], np.float64)
    bin_size = _BIN_LETTERS * sizes.letter

    def sharpness(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sharpness(middles, bottoms, degrees, bin_size) + _sharpness(middles, tops, degrees, bin_size)

    coarse = np.asarray(
        np.arange(-round(WIDEST_DEGREES / _STEP_DEGREES), round(WIDEST_DEGREES / _STEP_DEGREES) + 1)
        * _STEP_DEGREES,
        np.float64,
    )
    likely = np.exp(-((coarse / USUAL_DEGREES) ** 2) / 2 * min(1.0, FEW_LETTERS / len(letters)))
    best = float(coarse[int(np.argmax(likely * sharpness(coarse)))])
    fine = np.asarray(best + np.arange(-10, 11) * _FINE_STEP_DEGREES, np.float64)
    scores = sharpness(fine)
    weights = np.clip(scores - 0.98 * scores.max(), 0, None)
    return float(np.clip((fine * weights).sum() / weights.sum(), -WIDEST_DEGREES, WIDEST_DEGREES))


def _sharpness(
    x: NDArray[np.float64], y: NDArray[np.float64], degrees: NDArray[np.float64], bin_size: float
) -> NDArray[np.float64]:
    """Sum of squares of the profile that points make when they are projected along each angle."""
    found = [np.zeros(0)]
    at_once = max(1, _PROJECTIONS_AT_ONCE // len(x))
    for start in range(0, len(degrees), at_once):
        angles = np.deg2rad(degrees[start : start + at_once, None])
        across = (y * np.cos(angles) - x * np.sin(angles)) / bin_size
        across -= across.min(axis=1, keepdims=True) - 1
        low = across.astype(np.intp)
        part = across - low
        size = int(low.max()) + 3
        low += size * np.arange(len(angles))[:, None]
        counts = np.bincount(low.ravel(), (1 - part).ravel(), size * len(angles))
        counts += np.bincount(low.ravel() + 1, part.ravel(), size * len(angles))
        profile = counts.reshape(-1, size)
        smooth = profile / 2
        smooth[:, 1:] += profile[:, :-1] / 4
        smooth[:, :-1] += profile[:, 1:] / 4
        found.append((smooth**2).sum(axis=1))
    return np.concatenate(found)


def deskew(
    ink: NDArray[np.uint8], degrees: float, letter: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Rotate a foreground mask upright on a canvas that holds all of it.

    Args:
        ink: uint8, h×w.
        degrees: the skew to remove, as `find_skew` gives it.
        letter: height of a letter in pixels; nothing is rotated if lines fall by less than 0.6 of it across
            the width.

    Returns:
        The deskewed mask, uint8, and the float64 2×3 affine map from its coordinates back to those of `ink`.
    """
    height, width = ink.shape
    if width * abs(np.tan(np.deg2rad(degrees))) < LEAST_DRIFT_LETTERS * letter:
        return ink, np.eye(2, 3)
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    new_width = int(np.ceil(width * abs(cosine) + height * abs(sine)))
    new_height = int(np.ceil(width * abs(sine) + height * abs(cosine)))
    back = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    centre = np.array([(new_width - 1) / 2, (new_height - 1) / 2])
    back[:, 2] = np.array([(width - 1) / 2, (height - 1) / 2]) - back[:, :2] @ centre
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    upright = cv2.warpAffine(ink, back, (new_width, new_height), flags=flags)
    return upright.astype(np.uint8, copy=False), back
