"""Finds the lines of a page's characters, in reading order, on the deskewed ink.

Follows a line from left to right: a letter joins the line whose last few letters share its height on the
page. Only those last letters count, so a line may bend, and no gap is too wide, so a title or a table row
stays together.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lettermill.segmentation.components import Component

REMEMBERED_LETTERS = 4
"""Last letters that show where a line is: they even out a Q or a small o, and still follow a bend."""

LEAST_OVERLAP_SHARE = 0.5
"""Share of the lower one's height that a letter and its line have in common."""

OVERLAP_LOST_PER_LETTER = 0.01
"""Overlap that a line loses for each letter height between its last letter and the new one."""

ONE_LINE_LETTERS = 2.2
"""A page lower than this has no room for two lines."""

OFF_LINE_LETTERS = 0.6
"""Distance of letters from a line that has gaps for them, at most."""

COLLISION_SHARE = 0.3
"""Share of a letter's width that its neighbour in the line may cover."""

STACKED_SHARE = 0.5
"""Share of a row's letters above or below another row from which the two are on top of each other."""

SLOPE_LETTERS = 8
"""Letters at the end of a line that show whether it rises or falls."""

SLOPE_DAMPING_LETTERS = 5.0
"""Length of level line by which the slope is damped, so that a few uneven letters change little."""

SLOPE_REACH_LETTERS = 3.0
"""Distance beyond a line's end up to which its slope is trusted."""


def find_lines(bodies: Sequence[Component], letter: float) -> list[list[Component]]:
    """Group letters into lines.

    Args:
        bodies: the page's letters in the ink frame, in any order.
        letter: height of a typical letter in pixels.

    Returns:
        The lines from top to bottom, each with its letters from left to right.
    """
    lines: list[list[Component]] = []
    ends: list[_End] = []
    for component in sorted(bodies, key=_reading_key):
        near = [
            (end.fits(component, letter), -number)
            for number, end in enumerate(ends)
            if end.highest < component.bottom and end.lowest > component.top
        ]
        fit, best = max(near, default=(0.0, 0))
        if fit >= LEAST_OVERLAP_SHARE:
            lines[-best].append(component)
            ends[-best] = _end_of(lines[-best], letter)
        else:
            lines.append([component])
            ends.append(_end_of([component], letter))
    return sorted(_merge(lines, letter), key=lambda line: (_middle(line), line[0].left))


def _merge(lines: list[list[Component]], letter: float) -> list[list[Component]]:
    """Merge a line with another one that left its letters out, the shortest line first.

    A letter far off its line starts a line of its own, and may take neighbours along. Two lines are one
    if the letters of the shorter are in gaps of the other and at its height.
    """
    merged: list[list[Component]] = []
    spans = np.zeros((0, 2))
    for line in sorted(lines, key=len, reverse=True):
        top, bottom = _span(line)
        near = np.flatnonzero((spans[:, 0] < bottom + letter) & (spans[:, 1] > top - letter)).tolist()
        distance, best = min(
            ((offset(line, merged[index], letter), index) for index in near), default=(np.inf, -1)
        )
        if distance <= OFF_LINE_LETTERS:
            merged[best] = sorted(merged[best] + line, key=_reading_key)
            spans[best] = _span(merged[best])
        else:
            merged.append(line)
            spans = np.vstack((spans, (top, bottom)))
    return merged


def _span(line: Sequence[Component]) -> tuple[int, int]:
    """First row of a line and the one past its last."""
    return min(component.top for component in line), max(component.bottom for component in line)


def offset(line: Sequence[Component], other: Sequence[Component], letter: float) -> float:
    """Median distance in letter heights of a line's letters from another line; infinite if they collide."""
    lefts = np.array([component.left for component in other], np.float64)
    rights = np.array([component.right for component in other], np.float64)
    middles = (lefts + rights) / 2
    heights = np.array([(component.top + component.bottom) / 2 for component in other])
    offsets = []
    for component in line:
        covered = np.minimum(rights, component.right) - np.maximum(lefts, component.left)
        if (covered > COLLISION_SHARE * np.minimum(rights - lefts, component.width)).any():
            return float("inf")
        near = np.argsort(np.abs(middles - (component.left + component.right) / 2), kind="stable")[
            :REMEMBERED_LETTERS
        ]
        offsets.append(abs((component.top + component.bottom) / 2 - float(heights[near].mean())))
    return float(np.median(offsets)) / letter


@dataclass(frozen=True, slots=True)
class _End:
    """How a line ends.

    Attributes:
        top, bottom, x: means of its last letters.
        right: right edge of its last letter.
        slope: rows by which it falls for each column.
        highest, lowest: rows between which a letter must lie in part to continue it.
    """

    top: float
    bottom: float
    x: float
    right: int
    slope: float
    highest: float
    lowest: float

    def fits(self, component: Component, letter: float) -> float:
        """Score how well a letter continues the line: the share of common height, a little less if far."""
        far = max(0, component.left - self.right) / letter
        fall = self.slope * min(
            (component.left + component.right) / 2 - self.x,
            self.right - self.x + SLOPE_REACH_LETTERS * letter,
        )
        shared = min(self.bottom + fall, component.bottom) - max(self.top + fall, component.top)
        lower = max(1.0, min(self.bottom - self.top, component.height))
        return shared / lower - OVERLAP_LOST_PER_LETTER * far


def _end_of(line: Sequence[Component], letter: float) -> _End:
    """Measure how a line ends."""
    last = line[-REMEMBERED_LETTERS:]
    top = sum([component.top for component in last]) / len(last)
    bottom = sum([component.bottom for component in last]) / len(last)
    x = sum([component.left + component.right for component in last]) / (2 * len(last))
    right = last[-1].right
    slope = _slope(line[-SLOPE_LETTERS:], letter)
    reach = abs(slope) * (right - x + SLOPE_REACH_LETTERS * letter)
    return _End(top, bottom, x, right, slope, top - reach, bottom + reach)


def _slope(letters: Sequence[Component], letter: float) -> float:
    """Rows by which letters fall for each column: least squares through their middles, damped to level."""
    x = [(component.left + component.right) / 2 for component in letters]
    y = [(component.top + component.bottom) / 2 for component in letters]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    fall = sum([(one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True)])
    spread = sum([(one - middle_x) ** 2 for one in x])
    return fall / (spread + (SLOPE_DAMPING_LETTERS * letter) ** 2)


def merge_into_one_line(rows: Sequence[Sequence[Component]]) -> list[list[Component]]:
    """Merge all rows into one line.

    Rows beside each other are read from left to right together, since a line may be written unevenly. Rows on
    top of each other are read one after the other, so that their letters never mix.

    Args:
        rows: the page's rows from top to bottom, each with its letters from left to right.

    Returns:
        One line, or none if there are no letters.
    """
    groups: list[list[Component]] = []
    for row in sorted(rows, key=len, reverse=True):
        beside = next((group for group in groups if share_covered(row, group) <= STACKED_SHARE), None)
        if beside is None:
            groups.append(sorted(row, key=_reading_key))
        else:
            beside[:] = sorted([*beside, *row], key=_reading_key)
    line = [component for group in sorted(groups, key=_middle) for component in group]
    return [line] if line else []


def share_covered(row: Sequence[Component], other: Sequence[Component]) -> float:
    """Share of a row's letters that are above or below a letter of another row."""
    lefts = np.array([component.left for component in other], np.float64)
    rights = np.array([component.right for component in other], np.float64)
    covered = [
        (
            np.minimum(rights, component.right) - np.maximum(lefts, component.left)
            > COLLISION_SHARE * np.minimum(rights - lefts, component.width)
        ).any()
        for component in row
    ]
    return float(np.mean(covered))


def _reading_key(component: Component) -> tuple[int, int, int]:
    """Sort letters by their middle; the rest only makes the order certain."""
    return (component.left + component.right, component.top, component.bottom)


def _middle(line: Sequence[Component]) -> float:
    """Mean height of a line on the page, in rows from the top."""
    return float(np.mean([(component.top + component.bottom) / 2 for component in line]))


def line_height(line: Sequence[Component]) -> float:
    """Height of a line's typical letter in pixels."""
    return float(statistics.median([component.height for component in line]))
