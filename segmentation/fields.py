"""Finds the boxes and combs of a blank form, as a first draft of a template.

Form lines are long runs of print; a field is paper that they enclose. Cells of one size beside each other
are a comb.
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

PRINT_DARKNESS_SHARE = 0.35
"""Darkness of print, as a share of the darkest."""

LEAST_FORM_LINE_SHARE = 1 / 90
"""Shortest form line as a share of the longer side: 3 mm on A4; strokes of captions are shorter."""

LOWEST_FIELD_SHARE, HIGHEST_FIELD_SHARE = 1 / 70, 1 / 8
"""Heights of fields as shares of the longer side: 4 to 37 mm on A4; the insides of letters are lower."""

NARROWEST_FIELD_RATIO = 0.45
"""Width of a field divided by its height: the cell of a comb."""

LEAST_FILLED_SHARE = 0.9
"""Share of its bounding box that a field covers: other enclosed areas are no boxes."""

MOST_PRINT_SHARE = 0.12
"""Share of a field that print may cover: a caption in its corner; if there is more, it holds text."""

WIDEST_CELL_RATIO = 1.6
"""Width of a comb's cell divided by its height."""

WIDEST_WALL_RATIO = 0.15
"""Width of the wall between two cells divided by their height."""

UNEVEN_SHARE = 0.15
"""Share by which the cells of a comb may differ in size and place."""


@dataclass(frozen=True, slots=True)
class FoundField:
    """A field on a blank form.

    Attributes:
        box: the paper inside its frame, in pixels of the form.
        comb: number of its cells; None for a single box.
    """

    box: Box
    comb: int | None


def find_fields(blank: NDArray[np.uint8]) -> list[FoundField]:
    """Find the boxes and combs of a blank form that is not skewed.

    Args:
        blank: uint8, h×w, grey, dark print on light paper.

    Returns:
        The fields row by row, from left to right in each row.
    """
    side = max(blank.shape)
    paper = float(np.median(blank))
    darkness = np.clip(paper - blank.astype(np.float32), 0, None)
    is_print = (darkness >= max(1.0, PRINT_DARKNESS_SHARE * float(darkness.max()))).astype(np.uint8)
    form_lines = long_runs(is_print, max(9, round(LEAST_FORM_LINE_SHARE * side)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - form_lines, connectivity=4)
    cells = []
    for label, (x, y, width, height, area) in enumerate(stats.tolist()):
        if (
            label == 0
            or not LOWEST_FIELD_SHARE * side <= height <= HIGHEST_FIELD_SHARE * side
            or width < NARROWEST_FIELD_RATIO * height
        ):
            continue
        inside = labels[y : y + height, x : x + width] == label
        text = is_print[y : y + height, x : x + width][inside].mean()
        if area >= LEAST_FILLED_SHARE * width * height and text <= MOST_PRINT_SHARE:
            cells.append(Box(x, y, width, height))
    return [found for row in _rows(cells) for found in _fields(row)]


def long_runs(is_print: NDArray[np.uint8], least: int) -> NDArray[np.uint8]:
    """Mark with 1 the runs of print that are long enough, also where they are broken for a pixel or two."""
    whole = cv2.morphologyEx(is_print, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    level = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
    upright = cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    return cv2.bitwise_or(level, upright).astype(np.uint8, copy=False)


def _rows(cells: Sequence[Box]) -> list[list[Box]]:
    """Group cells that are beside each other into rows, from top to bottom."""
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
    """Join the cells of a row that belong together into fields."""
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
        other.x - (one.x + one.width) <= WIDEST_WALL_RATIO * height
        and abs(one.y - other.y) <= UNEVEN_SHARE * height
        and abs(one.height - other.height) <= UNEVEN_SHARE * height
        and abs(one.width - other.width) <= UNEVEN_SHARE * max(one.width, other.width)
        and max(one.width, other.width) <= WIDEST_CELL_RATIO * height
    )
