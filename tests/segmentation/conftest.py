"""Pages drawn on the spot, with the boxes of their letters."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

PAPER, INK = 215, 40


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


@pytest.fixture(name="draw")
def draw_fixture() -> Callable[..., Drawn]:
    return draw


@pytest.fixture
def text_page() -> Drawn:
    return draw("MEND THE ROADS", "BEFORE WINTER", "AND COUNT", "7 BRIDGES TWICE")


@pytest.fixture
def real_pages() -> Path:
    root = os.environ.get("LETTERMILL_DATA")
    if not root or not (Path(root) / "pages").is_dir():
        pytest.skip("LETTERMILL_DATA names no folder with pages/: the real pages are not here")
    return Path(root) / "pages"
