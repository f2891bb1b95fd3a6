"""Finds letters that are struck through, by the form lines that were removed.

A strike looks like a short rule and is removed like one. Unlike a rule it runs through the middle of letters,
ends with them, and stands alone: no other rule is as long, and no upright rule stands at its ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL, Component, Sizes
from lettermill.segmentation.form_lines import FormLines, LinePath

FURTHEST_END_LETTERS = 0.9
"""How far a strike reaches beyond the first and the last letter, at most; a rule reaches farther."""

MIDDLE_LETTERS = 0.3
"""Distance of a strike from the middle of a letter, at most, as a share of the letter's height."""

LEAST_STRUCK_SHARE = 0.8
"""Share of the letters along a strike through whose middle it runs."""

LEAST_PEN_STROKES = 0.6
"""Width of a strike that was surely drawn with the pen; a thinner line may be a rule."""

NEXT_LETTER_LETTERS = 0.5
"""Paper between two letters of one word, at most."""

LEAST_THROUGH_SHARE = 0.9
"""Share of the way from the end of a strike through the next letter that is ink if the strike goes on."""

SAME_END_LETTERS = 0.35
"""Distance within which two lines begin and end together, like the rules of a form."""

ANOTHER_ROW_LETTERS = 0.8
"""Distance between two lines from which they do not strike the same letters."""


def find_strikes(
    rows: Sequence[Sequence[Component]], lines: FormLines, sizes: Sizes
) -> tuple[list[list[bool]], list[list[bool]]]:
    """Find the letters that are struck through.

    Args:
        rows: the page's letters, without form lines.
        lines: what was removed from the ink.
        sizes: of the page's letters and strokes.

    Returns:
        For each letter whether it is surely struck, and whether it may be: the line is thinner than the pen.
    """
    sure = [[False] * len(row) for row in rows]
    maybe = [[False] * len(row) for row in rows]
    if not lines.level:
        return sure, maybe
    ink = cv2.add(lines.mask, lines.removed).astype(np.uint8, copy=False)
    for line in lines.level:
        if not _stands_alone(line, lines, ink.shape[1], sizes.letter):
            continue
        flags = sure if line.width >= LEAST_PEN_STROKES * sizes.stroke else maybe
        for row, of_row in zip(rows, flags, strict=True):
            for number in _struck(row, line, ink, sizes.letter):
                of_row[number] = True
    return sure, maybe


def _stands_alone(line: LinePath, lines: FormLines, width: int, letter: float) -> bool:
    """Whether a line is not one of several rules, does not reach the page's edge and has no side of a box."""
    near, same = FURTHEST_END_LETTERS * letter, SAME_END_LETTERS * letter
    if line.start < same or line.stop > width - same:
        return False
    for other in lines.level:
        is_alike = abs(other.start - line.start) <= same and abs(other.stop - line.stop) <= same
        if is_alike and abs(other.y.mean() - line.y.mean()) > ANOTHER_ROW_LETTERS * letter:
            return False
    for side in lines.upright:
        x, y = float(side.y.mean()), float(line.y.mean())
        at_end = min(abs(x - line.start), abs(x - line.stop)) <= near
        if at_end and side.start - near <= y <= side.stop + near:
            return False
    return True


def _struck(row: Sequence[Component], line: LinePath, ink: NDArray[np.uint8], letter: float) -> list[int]:
    """Numbers of the letters of a row that a line strikes; none if it is no strike of that row."""
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in row], np.float64).reshape(-1, 4)
    left, top, right, bottom = boxes.T
    centre = ((left + right) / 2).astype(np.intp)
    along = np.flatnonzero((centre >= line.start) & (centre < line.stop))
    if not along.size:
        return []
    # A strike through the stems of an M was taken for its strokes: it is there, but not part of the line.
    first, last = int(along[0]), int(along[-1])
    near = NEXT_LETTER_LETTERS * letter
    while first > 0 and left[first] - right[first - 1] <= near and _goes_on(ink, boxes[first - 1], line):
        first -= 1
    end = len(row) - 1
    while last < end and left[last + 1] - right[last] <= near and _goes_on(ink, boxes[last + 1], line):
        last += 1
    struck = slice(first, last + 1)
    at: NDArray[np.float64] = line.y[(centre[struck] - line.start).clip(0, len(line.y) - 1)]
    off = np.abs(at - (top[struck] + bottom[struck]) / 2)
    is_through = off <= MIDDLE_LETTERS * (bottom[struck] - top[struck])
    beyond = max(left[first] - line.start, line.stop - right[last])
    if is_through.mean() < LEAST_STRUCK_SHARE or beyond > FURTHEST_END_LETTERS * letter:
        return []
    return list(range(first, last + 1))


def _goes_on(ink: NDArray[np.uint8], box: NDArray[np.float64], line: LinePath) -> bool:
    """Whether a line ends in a letter, or ink runs on from its end through all of the letter."""
    left, _, right, _ = box.astype(np.intp).tolist()
    if left < line.stop and right > line.start:
        return True
    start, stop, y = (left, line.start, line.y[0]) if left < line.start else (line.stop, right, line.y[-1])
    half = max(1.0, line.width / 2)
    rows = ink[max(0, round(y - half)) : round(y + half) + 1, start:stop]
    return bool(rows.size and (rows.max(axis=0) >= INK_LEVEL).mean() >= LEAST_THROUGH_SHARE)
