"""Lines, words and reading order of a page's characters, on the deskewed ink.

A line is followed from left to right: a letter joins the line whose last few letters share its height on
the page. Only those last letters count, so a line may bend, and no gap is too wide, so a title or a
table row stays together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.components import Piece

MEMORY = 4
"""Letters that tell where a line is: enough to even out a Q or a small o, few enough to follow a bend."""

LEAST_OVERLAP = 0.5
"""Share of the lower one's height that a letter and its line have in common."""

DISTANCE_COST = 0.01
"""Overlap that a line loses for each letter height between its last letter and the new one."""

ONE_LINE = 2.2
"""A page lower than so many letters has no room for two lines."""

USUAL_GAP = 0.8
"""Gap between words in letter heights where the page's own gaps don't tell."""

LEAST_GAP, WIDEST_GAP = 0.3, 1.6
"""Letter heights between which the page's own gaps may set the gap between words."""

GAP_RATIO = 2.0
"""Gaps between words are at least so many times as wide as those within, or the page has only one kind."""


def find_lines(bodies: Sequence[Piece], letter: float) -> list[list[Piece]]:
    """Put letters into lines.

    Args:
        bodies: the page's letters in the ink frame, in any order.
        letter: height of a typical letter in pixels.

    Returns:
        The lines from top to bottom, each with its letters from left to right.
    """
    lines: list[list[Piece]] = []
    ends = np.zeros((0, 3))
    for piece in sorted(bodies, key=_reading_key):
        fits = _fits(ends, piece, letter)
        best = int(np.argmax(fits)) if lines else -1
        if best >= 0 and fits[best] >= LEAST_OVERLAP:
            lines[best].append(piece)
            ends[best] = _end(lines[best])
        else:
            lines.append([piece])
            ends = np.vstack((ends, _end([piece])))
    return sorted(lines, key=lambda line: (_middle(line), line[0].left))


def _end(line: Sequence[Piece]) -> tuple[float, float, float]:
    """Where a line's last letters stand: their mean top, their mean bottom, and the last one's right."""
    last = line[-MEMORY:]
    top = sum(piece.top for piece in last) / len(last)
    bottom = sum(piece.bottom for piece in last) / len(last)
    return top, bottom, last[-1].right


def _fits(ends: NDArray[np.float64], piece: Piece, letter: float) -> NDArray[np.float64]:
    """How well a letter continues each line: the share of height in common less a little for distance."""
    top, bottom, right = ends.T
    shared = np.minimum(bottom, piece.bottom) - np.maximum(top, piece.top)
    lower = np.maximum(1.0, np.minimum(bottom - top, piece.height))
    fits: NDArray[np.float64] = shared / lower - DISTANCE_COST * np.maximum(0, piece.left - right) / letter
    return fits


def one_line(bodies: Sequence[Piece]) -> list[list[Piece]]:
    """Put all letters into one line, from left to right; no letters, no line."""
    return [sorted(bodies, key=_reading_key)] if bodies else []


def _reading_key(piece: Piece) -> tuple[int, int, int]:
    """Sort letters by their middle; the rest only makes the order certain."""
    return (piece.left + piece.right, piece.top, piece.bottom)


def _middle(line: Sequence[Piece]) -> float:
    """Mean height of a line on the page, in rows from the top."""
    return float(np.mean([(piece.top + piece.bottom) / 2 for piece in line]))


def line_height(line: Sequence[Piece]) -> float:
    """Height of a line's typical letter in pixels."""
    return float(np.median([piece.height for piece in line]))


def word_gap(lines: Sequence[Sequence[Piece]]) -> float:
    """Find how wide the paper between two words is on this page.

    The gaps of all lines, in letter heights, are split in two where the variance between the two groups
    is greatest (Otsu 1979). The split counts only where the wider group is clearly wider.

    Args:
        lines: the page's lines.

    Returns:
        The least gap between words, in letter heights of its line.
    """
    gaps = np.sort(np.concatenate([np.zeros(0), *(gaps_of(line) for line in lines)]))
    gaps = gaps.clip(0, 2 * WIDEST_GAP)
    if gaps.size < 2:
        return USUAL_GAP
    fallback = max(USUAL_GAP, GAP_RATIO * float(np.median(gaps)))
    counts = np.arange(1, gaps.size)
    low = np.cumsum(gaps)[:-1] / counts
    high = (gaps.sum() - np.cumsum(gaps)[:-1]) / (gaps.size - counts)
    between = counts * (gaps.size - counts) * (high - low) ** 2
    split = int(np.argmax(between))
    threshold = float(gaps[split] + gaps[split + 1]) / 2
    is_clear = high[split] >= GAP_RATIO * low[split] and LEAST_GAP <= threshold <= WIDEST_GAP
    return threshold if is_clear else fallback


def gaps_of(line: Sequence[Piece]) -> NDArray[np.float64]:
    """The paper between neighbours of a line, in the line's letter heights; negative where they overlap."""
    lefts = np.array([piece.left for piece in line[1:]], np.float64)
    rights = np.array([piece.right for piece in line[:-1]], np.float64)
    return (lefts - rights) / line_height(line)


def split_words(line: Sequence[Piece], gap: float) -> list[list[Piece]]:
    """Split a line into words.

    Args:
        line: letters from left to right.
        gap: least paper between words, in letter heights of the line.

    Returns:
        The words from left to right, none of them empty.
    """
    words = [[line[0]]]
    for piece, distance in zip(line[1:], gaps_of(line), strict=True):
        if distance >= gap:
            words.append([])
        words[-1].append(piece)
    return words
