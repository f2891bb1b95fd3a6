"""Tells columns of text from the rows of a table by their white space, and finds the lines in reading order.

Cuts a page as the recursive X-Y cut does (Nagy and Seth 1984, "Hierarchical representation of optically
scanned documents"), on the boxes of its letters: across where rows of white run through, then down where one
gutter runs through several bands at once. A gutter alone does not tell how to read, since tables have gutters
too: `_are_columns` decides.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import find_lines

GUTTER_LETTERS = 1.5
"""White between columns: a gap between words is narrower, or stops at the next line."""

LEAST_COLUMN_LINES = 3
"""Lines of a column: with two, the gaps are below each other by chance."""

LEAST_LETTERS_PER_LINE = 4
"""Letters in a column's typical line: fewer are numbers, ticks or the cells of a grid."""

SAME_ROW_LETTERS = 0.35
"""Vertical distance within one row of a table; lines are two letter heights apart."""

LINED_UP_SHARE = 0.7
"""Share of lines with a partner beside them in a table; if lines are placed at random, a third have one."""

FULL_LINE_SHARE, TEXT_LETTERS_PER_LINE = 0.75, 10
"""Running text fills this share of its column, with this many letters in a typical line; cells do not."""

Strip = tuple[float, float]
"""First and last column or row of white."""


class _Band(NamedTuple):
    """Letters between two rows of white, or several such bands, and the white that runs down all of them."""

    letters: list[Component]
    white: list[Strip]


def find_lines_in_columns(bodies: Sequence[Component], letter: float) -> list[list[Component]]:
    """Group letters into lines, column by column if the page has columns, else row by row.

    Args:
        bodies: the page's letters in the ink frame, in any order.
        letter: height of a typical letter in pixels.

    Returns:
        The lines in reading order, each with its letters from left to right.
    """
    lines: list[list[Component]] = []
    across: list[Component] = []
    for block in _blocks(bodies, letter):
        columns = _columns(block)
        if len(columns) < 2 or not _are_columns([find_lines(each, letter) for each in columns], letter):
            across += block.letters
            continue
        lines += find_lines(across, letter)
        across = []
        for column in columns:
            lines += find_lines_in_columns(column, letter)
    return lines + find_lines(across, letter)


def _blocks(bodies: Sequence[Component], letter: float) -> list[_Band]:
    """Cut letters across at rows of white, then rejoin bands through which one gutter runs."""
    blocks: list[_Band] = []
    for band in _split(bodies, 1, 0.0):
        white = _white(band, GUTTER_LETTERS * letter)
        if blocks:
            common = _common(blocks[-1].white, white, GUTTER_LETTERS * letter)
            together = _Band(blocks[-1].letters + band, common)
            if len(_columns(together)) > 1:
                blocks[-1] = together
                continue
        blocks.append(_Band(band, white))
    return blocks


def _split(bodies: Sequence[Component], axis: int, least: float) -> list[list[Component]]:
    """Split letters where more than `least` pixels of an axis (0 across, 1 down) are free of them."""
    groups: list[list[Component]] = []
    end = -np.inf
    spans = [
        (component.top, component.bottom) if axis else (component.left, component.right)
        for component in bodies
    ]
    for index in sorted(range(len(bodies)), key=spans.__getitem__):
        low, high = spans[index]
        if low - end > least:
            groups.append([])
        groups[-1].append(bodies[index])
        end = max(end, high)
    return groups


def _white(band: Sequence[Component], least: float) -> list[Strip]:
    """Strips of white that run down a band, including its margins."""
    groups = _split(band, 0, least)
    lows = [min(component.left for component in group) for group in groups]
    highs = [max(component.right for component in group) for group in groups]
    return list(zip([-np.inf, *highs], [*lows, np.inf], strict=True))


def _common(ones: Sequence[Strip], others: Sequence[Strip], least: float) -> list[Strip]:
    """The intersections of strips that are at least `least` wide."""
    shared = [(max(one[0], other[0]), min(one[1], other[1])) for one in ones for other in others]
    return [strip for strip in shared if strip[1] - strip[0] >= least]


def _columns(block: _Band) -> list[list[Component]]:
    """Split a block at its gutters."""
    cuts = sorted((low + high) / 2 for low, high in block.white if np.isfinite(low) and np.isfinite(high))
    columns: list[list[Component]] = [[] for _ in range(len(cuts) + 1)]
    for component in block.letters:
        columns[bisect.bisect_left(cuts, (component.left + component.right) / 2)].append(component)
    return [column for column in columns if column]


def _are_columns(columns: Sequence[Sequence[Sequence[Component]]], letter: float) -> bool:
    """Whether columns, given as their lines, are read one after the other rather than row by row."""
    for lines in columns:
        if (
            len(lines) < LEAST_COLUMN_LINES
            or np.median([len(line) for line in lines]) < LEAST_LETTERS_PER_LINE
        ):
            return False
    lined_up = [_lined_up(one, other, letter) for one, other in itertools.pairwise(columns)]
    return min(lined_up) < LINED_UP_SHARE or all(_is_running_text(lines) for lines in columns)


def _lined_up(
    left: Sequence[Sequence[Component]], right: Sequence[Sequence[Component]], letter: float
) -> float:
    """Share of the lines of the shorter column that continue beyond the gutter at the same height."""
    ends = np.array([np.median([(p.top + p.bottom) / 2 for p in line[-3:]]) for line in left])
    starts = np.array([np.median([(p.top + p.bottom) / 2 for p in line[:3]]) for line in right])
    near = np.abs(ends[:, None] - starts) <= SAME_ROW_LETTERS * letter
    return float(min(near.any(axis=1).sum(), near.any(axis=0).sum()) / min(len(ends), len(starts)))


def _is_running_text(lines: Sequence[Sequence[Component]]) -> bool:
    """Whether the lines of a column were filled one after the other; the last one may be short."""
    left = min(line[0].left for line in lines)
    width = max(line[-1].right for line in lines) - left
    filled = [(line[-1].right - left) / width for line in lines[:-1]]
    letters = [len(line) for line in lines]
    return bool(np.median(filled) >= FULL_LINE_SHARE and np.median(letters) >= TEXT_LETTERS_PER_LINE)
