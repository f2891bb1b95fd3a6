"""The boxes and combs of a blank form, to begin a template with.

Rules are long runs of print; a field is paper that they enclose. Cells of one size beside each other are a
comb.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.boxes import enclosing_box
from lettermill.segmentation.values import Box

DARK = 0.35
"""Darkness of print, as a share of the darkest."""

LEAST_RULE = 1 / 90
"""Shortest rule as a share of the longer side: 3 mm on A4; strokes of captions are shorter."""

LOWEST, HIGHEST = 1 / 70, 1 / 8
"""Heights of fields as shares of the longer side: 4 to 37 mm on A4; inside of letters there is less."""

NARROWEST = 0.45
"""Width of a field in its heights: the cell of a comb."""

LEAST_FILLED = 0.9
"""Share of its bounding box that a field covers: what is enclosed otherwise is no box."""

MOST_PRINT = 0.12
"""Share of a field that print may cover: a caption in its corner; where there is more it holds text."""

WIDEST_CELL = 1.6
"""Width of a comb's cell in its heights."""

WALL = 0.15
"""Width of the wall between two cells in their heights."""

UNEVEN = 0.15
"""Share by which the cells of a comb may differ in width."""


@dataclass(frozen=True, slots=True)
class FoundField:
    """A field on a blank form.

    Attributes:
        box: the paper inside of its frame, in pixels of the form.
        comb: how many cells it has; None for one box.
    """

    box: Box
    comb: int | None


def find_fields(blank: NDArray[np.uint8]) -> list[FoundField]:
    """Find the boxes and combs of a blank form that lies straight.

    Args:
        blank: uint8, h×w, grey, dark print on light paper.

    Returns:
        They, row by row, from left to right in each row.
    """
    side = max(blank.shape)
    paper = float(np.median(blank))
    darkness = np.clip(paper - blank.astype(np.float32), 0, None)
    printed = (darkness >= max(1.0, DARK * float(darkness.max()))).astype(np.uint8)
    rules = _rules(printed, max(9, round(LEAST_RULE * side)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - rules, connectivity=4)
    cells = []
    for label, (x, y, width, height, area) in enumerate(stats.tolist()):
        if label == 0 or not LOWEST * side <= height <= HIGHEST * side or width < NARROWEST * height:
            continue
        inside = labels[y : y + height, x : x + width] == label
        text = printed[y : y + height, x : x + width][inside].mean()
        if area >= LEAST_FILLED * width * height and text <= MOST_PRINT:
            cells.append(Box(x, y, width, height))
    return [found for row in _rows(cells) for found in _fields(row)]


def _rules(printed: NDArray[np.uint8], least: int) -> NDArray[np.uint8]:
    """The rules of a form: 1 where there is one, also where it is broken for a pixel or two."""
    whole = cv2.morphologyEx(printed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    level = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
    upright = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    return cv2.bitwise_or(level, upright).astype(np.uint8, copy=False)


def _rows(cells: Sequence[Box]) -> list[list[Box]]:
    """Cells that stand beside each other, from top to bottom."""
    rows: list[list[Box]] = []
    for cell in sorted(cells, key=lambda box: (box.y + box.height / 2, box.x)):
        middle = cell.y + cell.height / 2
        first = rows[-1][0] if rows else None
        if first and abs(first.y + first.height / 2 - middle) < min(first.height, cell.height) / 2:
            rows[-1].append(cell)
        else:
            rows.append([cell])
    return [sorted(row, key=lambda box: box.x) for row in rows]


def _fields(row: Sequence[Box]) -> list[FoundField]:
    """The fields of a row: cells that belong together are one."""
    groups = [[row[0]]]
    for before, cell in itertools.pairwise(row):
        if _is_next_cell(before, cell):
            groups[-1].append(cell)
        else:
            groups.append([cell])
    return [FoundField(enclosing_box(group), len(group) if len(group) > 1 else None) for group in groups]


def _is_next_cell(one: Box, other: Box) -> bool:
    """Whether two boxes are neighbours in a comb."""
    height = max(one.height, other.height)
    return (
        other.x - (one.x + one.width) <= WALL * height
        and abs(one.y - other.y) <= UNEVEN * height
        and abs(one.height - other.height) <= UNEVEN * height
        and abs(one.width - other.width) <= UNEVEN * max(one.width, other.width)
        and max(one.width, other.width) <= WIDEST_CELL * height
    )
