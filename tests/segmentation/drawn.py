"""Draws pages and letters for the tests of segmentation, and counts what was found on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component
from lettermill.segmentation.values import Candidate, Segmentation

PAPER, INK = 215, 40

Page = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A page and what was written on it: for each line its words."""

    page: NDArray[np.uint8]
    lines: tuple[str, ...]

    @property
    def shape(self) -> list[list[int]]:
        """Letters in each word of each line."""
        return [[len(word) for word in line.split()] for line in self.lines]


def draw(
    *lines: str, letter: int = 40, stroke: int = 4, pitch: float = 2.2, gap: float = 0.25, word: float = 1.1
) -> Drawn:
    """Write lines of capitals, every letter apart from the next, gaps in letter heights."""
    scale = letter / cv2.getTextSize("H", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)[0][1]
    rows = []
    for line in lines:
        row = np.zeros((round(letter * pitch), 0), np.uint8)
        for part in line.split():
            for character in part:
                row = np.hstack((row, _stamp(character, scale, stroke, row.shape[0], letter)))
                row = np.hstack((row, np.zeros((row.shape[0], round(gap * letter)), np.uint8)))
            row = np.hstack((row, np.zeros((row.shape[0], round((word - gap) * letter)), np.uint8)))
        rows.append(row)
    width = max(row.shape[1] for row in rows)
    ink = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows])
    ink = np.pad(ink, letter)
    page = PAPER - cv2.GaussianBlur(ink, (0, 0), 0.7) * ((PAPER - INK) / 255)
    return Drawn(page.round().astype(np.uint8), lines)


def _stamp(character: str, scale: float, stroke: int, height: int, letter: int) -> NDArray[np.uint8]:
    """One character, cropped to its columns."""
    stamp = np.zeros((height, 3 * letter), np.uint8)
    foot = round(0.5 * (height + letter))
    cv2.putText(stamp, character, (letter, foot), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, stroke, cv2.LINE_AA)
    columns = np.flatnonzero(stamp.any(axis=0))
    return stamp[:, columns[0] : columns[-1] + 1]


Draw = Callable[..., Drawn]
"""What the fixture `draw` gives."""


def component(left: int, top: int, width: int = 14, height: int = 20) -> Component:
    """A component with the outline of its box."""
    corners = [
        (left, top),
        (left, top + height - 1),
        (left + width - 1, top + height - 1),
        (left + width - 1, top),
    ]
    contour = np.array(corners, np.int32).reshape(-1, 1, 2)
    around = 2.0 * (width + height)
    return Component(left, top, left + width, top + height, around, around, (contour,))


def shape_of(segmentation: Segmentation) -> list[list[int]]:
    """Letters in each word of each line."""
    return [[len(word.candidates) for word in line.words] for line in segmentation.lines]


def candidates_of(segmentation: Segmentation) -> list[Candidate]:
    """All candidates in reading order."""
    return [c for line in segmentation.lines for word in line.words for c in word.candidates]


def skewed(page: Page, degrees: float) -> Page:
    """The page rotated about its middle by a small angle; positive where its lines fall to the right."""
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(page, matrix, (width, height), borderValue=PAPER).astype(np.uint8)
