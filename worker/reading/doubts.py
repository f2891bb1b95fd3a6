"""Lowers the confidence of letters whose ink may not be theirs alone: struck through or scribbled over.

The network reads an X over another letter as an X, and knows nothing of a line that was removed from a word.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL
from lettermill.segmentation.values import Candidate
from lettermill.worker.reading.classifier import Ranking

TRUST = 0.5
"""Factor of the confidence of a letter in doubt: about half of such letters on real forms are right."""

HOLES = {"A": 1, "B": 2, "D": 1, "O": 1, "P": 1, "Q": 2, "R": 1, "0": 2, "4": 1, "6": 1, "8": 2, "9": 1}
"""Holes that a character encloses; any other has none. A 0 may be struck, which makes two."""

MOST_EXTRA_HOLES = 1
"""Holes more than that which a loop of the pen adds; a second letter or a scribble adds more."""

HIGHEST_X_LETTERS = 1.25
"""Height of an X in its line: a higher one may cross out a letter that its strokes hide."""

_LEAST_HOLE_PIXELS = 1.0
"""Area of the smallest hole in a glyph of 28×28 pixels, along the pixels of ink around it."""


def lower_doubtful(
    candidates: Sequence[Candidate],
    rankings: Sequence[Ranking],
    letter_height: float,
    struck: Sequence[tuple[int, int, int, int]],
) -> list[Ranking]:
    """Lower the confidences of letters that are not to be trusted.

    Args:
        candidates: the letters of a reading.
        rankings: what each may be.
        letter_height: of their line's typical letter, in pixels of the ink frame.
        struck: boxes of letters that may be struck through, in the ink frame.

    Returns:
        The rankings, with the same characters.
    """
    return [
        tuple((character, round(TRUST * confidence, 6)) for character, confidence in ranking)
        if _is_struck(candidate, struck)
        or _is_cross(candidate, ranking[0][0], letter_height)
        or _has_holes(candidate.glyph, ranking[0][0])
        else ranking
        for candidate, ranking in zip(candidates, rankings, strict=True)
    ]


def _is_struck(candidate: Candidate, struck: Sequence[tuple[int, int, int, int]]) -> bool:
    """Whether the middle of a candidate lies in one of the boxes."""
    height, width = candidate.ink.shape
    x, y = candidate.left + width / 2, candidate.top + height / 2
    return any(left <= x < right and top <= y < bottom for left, top, right, bottom in struck)


def _is_cross(candidate: Candidate, character: str, letter_height: float) -> bool:
    """Whether a candidate is so high an X that it may cross another letter out."""
    # The ink of a candidate has a margin of one pixel on each side.
    return character == "X" and candidate.ink.shape[0] - 2 > HIGHEST_X_LETTERS * letter_height


def _has_holes(glyph: NDArray[np.uint8], character: str) -> bool:
    """Whether a glyph encloses more holes than the character that it was read as can have."""
    _, ink = cv2.threshold(glyph, INK_LEVEL - 1, 255, cv2.THRESH_BINARY)
    contours, links = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    most = HOLES.get(character, 0) + MOST_EXTRA_HOLES
    if len(contours) <= most + 1:
        return False
    is_inner = np.asarray(links).reshape(-1, 4)[:, 3] >= 0
    holes = [
        contour
        for contour, inner in zip(contours, is_inner.tolist(), strict=True)
        if inner and cv2.contourArea(contour) >= _LEAST_HOLE_PIXELS
    ]
    return len(holes) > most
