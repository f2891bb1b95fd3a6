"""Characters from pieces of ink: broken strokes and dots join their letter, marks that are no letter go.

Three steps. `drop_furniture` takes out rules, frames and what the edge of the page cuts. `join_strokes`
puts together pieces that lie over each other with a stroke or so of paper between them; it needs no
lines. `attach_marks` deals with what is still small: it knows the line's letters, so it can tell the dot
of an i from a full stop and the bar of a 5 from an accent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from segmentation.components import Piece, Sizes, gap_between, join
from segmentation.lines import line_height
from segmentation.trace import UNSEEN, Trace

LEAST_BODY = 0.4
"""Lowest body of a letter in letter heights: a small x-height; dots, commas and hyphens are lower."""

HIGHEST_BODY = 2.6
"""Highest letter in letter heights: a title over its text; beyond are rules, frames and drawings."""

WIDEST_BODY = 8.0
"""Widest body in letter heights: letters that run together; beyond are rules and shadows."""

EDGE_BODY = 0.7
"""What touches the edge of the page and is lower than this is the rest of a line that was cut off."""

THINNEST = 0.6
"""What is all along narrower than so many of the page's strokes was not drawn with its pen."""

EMPTIEST_CORNER = 0.12
"""Where rules cross, less of the box than this is ink; the thinnest pen leaves more in a letter's box."""

LEAST_INK = 0.4
"""Smallest piece in squares of the stroke's width: a dot is a square or more, scanner noise is less."""

JOIN_GAP = 1.6
"""Widest gap in strokes over which two pieces are one letter: a pen skips less, an accent stands off more."""

JOIN_OVERLAP = 0.6
"""Share of the narrower piece's width that lies over the other one."""

JOIN_HEIGHT = 1.6
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

INSIDE = 0.75
"""Share of a small piece's width and height that lies in another's box where it is a part of that one."""

STEM_ASPECT = 0.4
"""Widest stem as a share of its height; it may lean."""

STEM_GAP = 0.6
"""Widest gap in strokes between a stem and the rest of its letter: neighbours seldom come so close."""

Partners = Callable[[Sequence[Piece], NDArray[np.float64], Piece, Sizes], list[int]]
"""A rule: of some pieces, given with their boxes n×4 (left, top, right, bottom), which go with one more."""

_SOLID = 2.4
"""Longer side of a body in its own strokes: a blob has two; half an i, scanned coarsely, barely more."""

_EMPTIEST = 0.04
"""Share of the box that is ink in something larger than two letters: less is a frame."""

_RULE_LENGTH = 4.0
"""Letter heights: a slim piece longer than this is a rule, not a T's bar or an underlined I."""

_RULE_ASPECT = 6.0
"""Longer side in shorter sides from which a long piece is slim; letters that run together are not."""


def drop_furniture(
    pieces: Sequence[Piece], sizes: Sizes, at_edge: NDArray[np.bool_], trace: Trace = UNSEEN
) -> list[Piece]:
    """Leave out what can be no part of a letter.

    Args:
        pieces: the page's pieces.
        sizes: of its letters and strokes.
        at_edge: bool, one for each piece: whether it touches the edge of the page.
        trace: is told what goes, and why.

    Returns:
        The pieces without noise, rules, frames, shadows and the rests of lines that the edge cuts.
    """
    kept: list[Piece] = []
    specks: list[Piece] = []
    furniture: list[Piece] = []
    cut_off: list[Piece] = []
    for piece, cut in zip(pieces, at_edge.tolist(), strict=True):
        if piece.area < LEAST_INK * sizes.stroke**2:
            specks.append(piece)
        elif _is_furniture(piece, sizes):
            furniture.append(piece)
        elif cut and _is_cut(piece, sizes.letter):
            cut_off.append(piece)
        else:
            kept.append(piece)
    trace.note("left out", furniture, "rules, frames, drawings")
    trace.note("left out", cut_off, "cut by the edge")
    trace.note("left out", specks, "specks")
    return kept


def _is_furniture(piece: Piece, sizes: Sizes) -> bool:
    """Whether a piece is a rule, a frame or a drawing."""
    letter = sizes.letter
    longer, shorter = max(piece.width, piece.height), min(piece.width, piece.height)
    return (
        piece.height > HIGHEST_BODY * letter
        or piece.width > WIDEST_BODY * letter
        or (longer > _RULE_LENGTH * letter and longer > _RULE_ASPECT * shorter)
        or (longer > 2 * letter and piece.fill < _EMPTIEST)
        or (longer > 0.5 * letter and shorter < THINNEST * sizes.stroke)
        or (longer > 0.5 * letter and piece.stroke < THINNEST * sizes.stroke and _is_ruled(piece, sizes))
    )


def _is_ruled(piece: Piece, sizes: Sizes) -> bool:
    """Whether a piece thinner than the pen is a rest of rules: one straight line, or an empty corner."""
    _, sides, _ = cv2.minAreaRect(piece.contours[0])
    return min(sides) + 1 < sizes.stroke or piece.fill < EMPTIEST_CORNER


def _is_cut(piece: Piece, letter: float) -> bool:
    """Whether a piece at the edge of the page is the rest of a line beyond it, or the edge's shadow."""
    return piece.height < EDGE_BODY * letter or max(piece.width, piece.height) > 2 * letter


def is_body(piece: Piece, sizes: Sizes) -> bool:
    """Whether a piece is high and structured enough to be a letter or most of one."""
    return (
        piece.height >= LEAST_BODY * sizes.letter and max(piece.width, piece.height) >= _SOLID * piece.stroke
    )


def join_strokes(pieces: Sequence[Piece], sizes: Sizes) -> list[Piece]:
    """Join the pieces of letters that the pen or the scanner broke.

    Two pieces are one letter where the smaller lies in the other's box, or where they lie over each other
    by most of the narrower one's width with little paper between, and together are no higher than a
    letter. Two tall pieces side by side stay apart, however much their boxes overlap, unless the left one
    is a lone stem that all but touches the other: a B, D, K or R drawn with two strokes.

    Args:
        pieces: in the ink frame.
        sizes: of the page's letters and strokes.

    Returns:
        The letters and what stayed alone, from top to bottom.
    """
    joined = _join_pairs(pieces, sizes, _overlapping)
    return _join_pairs(joined, sizes, _stems)


def _join_pairs(pieces: Sequence[Piece], sizes: Sizes, partners: Partners) -> list[Piece]:
    """Join every piece to those that a rule calls its partners, as long as the letter is not too high."""
    ordered = sorted(pieces, key=lambda piece: (piece.top, piece.left))
    groups = [[piece] for piece in ordered]
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in ordered], np.float64).reshape(-1, 4)
    leaders = list(range(len(groups)))

    def leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]
            index = leaders[index]
        return index

    for index, piece in enumerate(ordered):
        first = int(np.searchsorted(boxes[:, 1], piece.top - HIGHEST_BODY * sizes.letter))
        for other in partners(ordered[first:index], boxes[first:index], piece, sizes):
            low, high = sorted((leader(index), leader(first + other)))
            if low == high or not _is_one_height((*groups[low], *groups[high]), sizes):
                continue
            groups[low] += groups[high]
            groups[high] = []
            leaders[high] = low
    return [join(group) if len(group) > 1 else group[0] for group in groups if group]


def _overlapping(_: Sequence[Piece], boxes: NDArray[np.float64], piece: Piece, sizes: Sizes) -> list[int]:
    """Which of the others lie in a piece's box, around it, or over or under it."""
    width = np.minimum(boxes[:, 2] - boxes[:, 0], piece.width)
    height = np.minimum(boxes[:, 3] - boxes[:, 1], piece.height)
    beside = np.minimum(boxes[:, 2], piece.right) - np.maximum(boxes[:, 0], piece.left)
    below = np.minimum(boxes[:, 3], piece.bottom) - np.maximum(boxes[:, 1], piece.top)
    tall = height > 0.5 * sizes.letter
    inside = (beside >= INSIDE * width) & (below >= INSIDE * height) & ~tall
    stacked = (below < 0.5 * height) | ~tall
    over = (beside >= JOIN_OVERLAP * width) & (below >= -JOIN_GAP * sizes.stroke) & stacked
    return [int(found) for found in np.flatnonzero(inside | over)]


def _stems(others: Sequence[Piece], boxes: NDArray[np.float64], piece: Piece, sizes: Sizes) -> list[int]:
    """Which of the others make a letter with a piece, one being the stem that all but touches the rest."""
    beside = np.maximum(boxes[:, 0], piece.left) - np.minimum(boxes[:, 2], piece.right)
    below = np.minimum(boxes[:, 3], piece.bottom) - np.maximum(boxes[:, 1], piece.top)
    width = np.maximum(boxes[:, 2], piece.right) - np.minimum(boxes[:, 0], piece.left)
    near = (beside <= STEM_GAP * sizes.stroke) & (below >= 0.5 * sizes.letter) & (width <= 1.3 * sizes.letter)
    return [
        found for found in np.flatnonzero(near).tolist() if _is_stem_and_rest(others[found], piece, sizes)
    ]


def _is_stem_and_rest(one: Piece, other: Piece, sizes: Sizes) -> bool:
    """Whether the left one of two pieces is a lone stem, and the right one the rest of its letter."""
    stem, rest = sorted((one, other), key=lambda piece: piece.left + piece.right)
    return (
        stem.width <= STEM_ASPECT * stem.height
        and rest.width >= max(stem.width, 0.25 * sizes.letter)
        and gap_between(stem, rest) <= STEM_GAP * sizes.stroke
    )


def _is_one_height(pieces: Sequence[Piece], sizes: Sizes) -> bool:
    """Whether pieces together are no higher than a letter, or than the highest of them and a little."""
    height = max(piece.bottom for piece in pieces) - min(piece.top for piece in pieces)
    return height <= max(JOIN_HEIGHT * sizes.letter, 1.1 * max(piece.height for piece in pieces))


def attach_marks(
    lines: Sequence[Sequence[Piece]], marks: Sequence[Piece], sizes: Sizes, trace: Trace = UNSEEN
) -> list[list[Piece]]:
    """Give each mark to the letter that it is part of, or leave it out.

    Args:
        lines: the page's lines of letters.
        marks: small pieces: dots, rests of strokes, accents, full stops, specks.
        sizes: of the page's letters and strokes.
        trace: is told which marks go.

    Returns:
        The same lines and letters in the same order, each letter with its marks.
    """
    bodies = [piece for line in lines for piece in line]
    if not bodies:
        return []
    heights = np.repeat([line_height(line) for line in lines], [len(line) for line in lines])
    boxes = np.array([(body.left, body.top, body.right, body.bottom) for body in bodies], np.float64)
    letters = list(bodies)
    loose: list[Piece] = []
    for mark in marks:
        fits = np.flatnonzero(_belongs(mark, boxes, heights, sizes.stroke))
        if fits.size:
            off = np.abs(boxes[fits, 0] + boxes[fits, 2] - mark.left - mark.right)
            owner = int(fits[np.argmin(off)])
            letters[owner] = join((letters[owner], mark))
        else:
            loose.append(mark)
    trace.note("left out", loose, "marks of no letter")
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
