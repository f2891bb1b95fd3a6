"""Characters from pieces of ink: broken strokes and dots join their letter, marks that are no letter go.

Three steps. `drop_furniture` takes out rules, frames and what the edge of the page cuts. `join_strokes`
puts together pieces that lie over each other with a stroke or so of paper between them; it needs no
lines. `attach_marks` deals with what is still small: it knows the line's letters, so it can tell the dot
of an i from a full stop and the bar of a 5 from an accent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.components import LEAST_LETTER, Piece, Sizes, join
from segmentation.lines import line_height

LEAST_BODY = 0.4
"""Lowest body of a letter in letter heights: a small x-height; dots, commas and hyphens are lower."""

HIGHEST_BODY = 2.6
"""Highest letter in letter heights: a title over its text; beyond are rules, frames and drawings."""

WIDEST_BODY = 8.0
"""Widest body in letter heights: letters that run together; beyond are rules and shadows."""

EDGE_BODY = 0.7
"""What touches the edge of the page and is lower than this is the rest of a line that was cut off."""

LEAST_INK = 0.4
"""Smallest piece in squares of the stroke's width: a dot is a square or more, scanner noise is less."""

JOIN_GAP = 1.6
"""Widest gap in strokes over which two pieces are one letter: a pen skips less, an accent stands off more."""

JOIN_OVERLAP = 0.6
"""Share of the narrower piece's width that lies over the other one."""

JOIN_HEIGHT = 1.3
"""Highest letter in letter heights that joining may make: two lines are farther apart."""

DOT_GAP = 0.6
"""Widest gap in letter heights between the body of an i or j and its dot."""

NARROW = 0.6
"""A body so narrow, as a share of the line's letter height, may carry a dot: i, j, and a dotted capital I."""

ACCENTED = 0.8
"""A body so high, in the line's letter heights, is whole by itself: what stands above it is an accent."""

DOT_SLACK = 0.25
"""How far in letter heights a dot may stand beside the body of its i, and how high a full stop may float."""

STOP = 0.3
"""A full stop or comma is smaller than so many letter heights."""

_SOLID = 2.4
_EMPTIEST = 0.04
_RULE_LENGTH = 4.0
_RULE_ASPECT = 6.0


def drop_furniture(pieces: Sequence[Piece], sizes: Sizes, at_edge: NDArray[np.bool_]) -> list[Piece]:
    """Leave out what can be no part of a letter.

    Args:
        pieces: the page's pieces.
        sizes: of its letters and strokes.
        at_edge: bool, one for each piece: whether it touches the edge of the page.

    Returns:
        The pieces without noise, rules, frames, shadows and the rests of lines that the edge cuts.
    """
    return [
        piece
        for piece, cut in zip(pieces, at_edge.tolist(), strict=True)
        if piece.area >= LEAST_INK * sizes.stroke**2
        and not _is_furniture(piece, sizes.letter)
        and not (cut and (piece.height < EDGE_BODY * sizes.letter or piece.height > 2 * sizes.letter))
    ]


def _is_furniture(piece: Piece, letter: float) -> bool:
    """Whether a piece is a rule, a frame or a drawing."""
    longer = max(piece.width, piece.height)
    return (
        piece.height > HIGHEST_BODY * letter
        or piece.width > WIDEST_BODY * letter
        or (longer > _RULE_LENGTH * letter and longer > _RULE_ASPECT * min(piece.width, piece.height))
        or (longer > 2 * letter and piece.fill < _EMPTIEST)
    )


def is_body(piece: Piece, sizes: Sizes) -> bool:
    """Whether a piece is high and structured enough to be a letter or most of one."""
    return (
        piece.height >= max(LEAST_LETTER, LEAST_BODY * sizes.letter)
        and max(piece.width, piece.height) >= _SOLID * piece.stroke
    )


def join_strokes(pieces: Sequence[Piece], sizes: Sizes) -> list[Piece]:
    """Join the pieces of letters that the pen or the scanner broke.

    Two pieces are one letter where the smaller lies in the other's box, or where they lie over each other
    by most of the narrower one's width with little paper between, and together are no higher than a
    letter. Two tall pieces side by side stay apart, however much they overlap.

    Args:
        pieces: in the ink frame.
        sizes: of the page's letters and strokes.

    Returns:
        The letters and what stayed alone, from top to bottom.
    """
    groups = [[piece] for piece in sorted(pieces, key=lambda piece: (piece.top, piece.left))]
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for (p,) in groups], np.float64).reshape(-1, 4)
    owner = list(range(len(groups)))
    for index in range(len(groups)):
        for other in _partners(boxes, index, sizes):
            first, second = sorted((owner[index], owner[other]))
            if first == second or not _is_one_height((*groups[first], *groups[second]), sizes):
                continue
            groups[first] += groups[second]
            groups[second] = []
            owner = [first if name == second else name for name in owner]
    return [join(group) if len(group) > 1 else group[0] for group in groups if group]


def _partners(boxes: NDArray[np.float64], index: int, sizes: Sizes) -> list[int]:
    """The earlier pieces that belong to the same letter as one; boxes are sorted by their top."""
    left, top, right, bottom = boxes[index]
    first = int(np.searchsorted(boxes[:, 1], top - HIGHEST_BODY * sizes.letter))
    others = boxes[first:index]
    width = np.minimum(others[:, 2] - others[:, 0], right - left)
    height = np.minimum(others[:, 3] - others[:, 1], bottom - top)
    beside = np.minimum(others[:, 2], right) - np.maximum(others[:, 0], left)
    below = np.minimum(others[:, 3], bottom) - np.maximum(others[:, 1], top)
    tall = height > 0.5 * sizes.letter
    inside = (beside >= 0.75 * width) & (below >= 0.75 * height) & ~tall
    over = (
        (beside >= JOIN_OVERLAP * width)
        & (below >= -JOIN_GAP * sizes.stroke)
        & ((below < 0.5 * height) | ~tall)
    )
    return [first + int(found) for found in np.flatnonzero(inside | over)]


def _is_one_height(pieces: Sequence[Piece], sizes: Sizes) -> bool:
    """Whether pieces together are no higher than a letter, or than the highest of them and a little."""
    height = max(piece.bottom for piece in pieces) - min(piece.top for piece in pieces)
    return height <= max(JOIN_HEIGHT * sizes.letter, 1.1 * max(piece.height for piece in pieces))


def attach_marks(lines: Sequence[Sequence[Piece]], marks: Sequence[Piece], sizes: Sizes) -> list[list[Piece]]:
    """Give each mark to the letter that it is part of, or leave it out.

    Args:
        lines: the page's lines of letters.
        marks: small pieces: dots, rests of strokes, accents, full stops, specks.
        sizes: of the page's letters and strokes.

    Returns:
        The same lines and letters in the same order, each letter with its marks.
    """
    bodies = [piece for line in lines for piece in line]
    if not bodies:
        return []
    heights = np.repeat([line_height(line) for line in lines], [len(line) for line in lines])
    boxes = np.array([(body.left, body.top, body.right, body.bottom) for body in bodies], np.float64)
    letters = list(bodies)
    for mark in marks:
        fits = np.flatnonzero(_belongs(mark, boxes, heights, sizes.stroke))
        if fits.size:
            off = np.abs(boxes[fits, 0] + boxes[fits, 2] - mark.left - mark.right)
            owner = int(fits[np.argmin(off)])
            letters[owner] = join((letters[owner], mark))
    ends = np.cumsum([len(line) for line in lines]).tolist()
    return [letters[end - len(line) : end] for line, end in zip(lines, ends, strict=True)]


def _belongs(
    mark: Piece, boxes: NDArray[np.float64], heights: NDArray[np.float64], stroke: float
) -> NDArray[np.bool_]:
    """For each letter: is the mark the dot of its i, or a stroke's rest close to its side or top?"""
    left, top, right, bottom = boxes.T
    middle = (mark.left + mark.right) / 2
    above = top - mark.bottom
    beside = np.maximum(left - mark.right, mark.left - right)
    may_dot = (above >= 0) & (right - left <= NARROW * heights) & (mark.width <= NARROW * heights)
    slack = DOT_SLACK * heights
    is_dot = may_dot & (above <= DOT_GAP * heights) & (left - slack <= middle) & (middle <= right + slack)
    is_accent = (above >= 0) & (bottom - top >= ACCENTED * heights)
    is_stop = (max(mark.width, mark.height) < STOP * heights) & (mark.top > bottom - DOT_SLACK * heights)
    close = (above <= JOIN_GAP * stroke) & (mark.bottom <= bottom + stroke)
    fits: NDArray[np.bool_] = is_dot | (
        ~may_dot & ~is_accent & close & (beside <= np.where(is_stop, 0, stroke))
    )
    return fits
