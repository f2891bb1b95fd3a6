"""Finds where one word of a line ends and the next begins: the least gap between words, per page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component
from lettermill.segmentation.lines import line_height

USUAL_WORD_GAP_LETTERS = 0.8
"""Gap between words if the page's own gaps do not tell."""

LEAST_WORD_GAP_LETTERS, WIDEST_WORD_GAP_LETTERS = 0.3, 1.6
"""Range in which the page's own gaps may set the gap between words."""

LEAST_WORD_GAP_RATIO = 1.8
"""Gaps between words divided by those within, at least; with less the page has only one kind of gap."""

FEW_GAPS_DOUBT = 2.0
"""With n gaps the ratio must be 1 + 2/n times as clear: of a few gaps one is always the widest."""

LEAST_LINE_RATIO = 1.5
"""A gap between words divided by the median gap of its line, at least: some lines are letter-spaced."""

LEAST_GAPS = 3
"""Gaps from which the median shows how the line is spaced."""


def word_gap(lines: Sequence[Sequence[Component]]) -> float:
    """Find how wide the paper between two words is on this page.

    The gaps of all lines, in letter heights, are split in two where the variance between the two groups is
    greatest (Otsu 1979). The split counts only if the wider group is clearly wider.

    Args:
        lines: the page's lines.

    Returns:
        The least gap between words, in letter heights of its line.
    """
    gaps = np.sort(np.concatenate([np.zeros(0), *(gaps_of(line) for line in lines)]))
    gaps = gaps.clip(0, 2 * WIDEST_WORD_GAP_LETTERS)
    if gaps.size < 2:
        return USUAL_WORD_GAP_LETTERS
    fallback = max(USUAL_WORD_GAP_LETTERS, LEAST_WORD_GAP_RATIO * float(np.median(gaps)))
    counts = np.arange(1, gaps.size)
    low = np.cumsum(gaps)[:-1] / counts
    high = (gaps.sum() - np.cumsum(gaps)[:-1]) / (gaps.size - counts)
    between = counts * (gaps.size - counts) * (high - low) ** 2
    split = int(np.argmax(between))
    threshold = float(gaps[split] + gaps[split + 1]) / 2
    ratio = LEAST_WORD_GAP_RATIO * (1 + FEW_GAPS_DOUBT / gaps.size)
    is_clear = (
        high[split] >= ratio * low[split] and LEAST_WORD_GAP_LETTERS <= threshold <= WIDEST_WORD_GAP_LETTERS
    )
    return threshold if is_clear else fallback


def gaps_of(line: Sequence[Component]) -> NDArray[np.float64]:
    """The paper between neighbours of a line, in the line's letter heights; negative where they overlap."""
    lefts = np.array([component.left for component in line[1:]], np.float64)
    rights = np.array([component.right for component in line[:-1]], np.float64)
    return (lefts - rights) / line_height(line)


def split_words(line: Sequence[Component], gap: float) -> list[list[Component]]:
    """Split a line into words.

    Args:
        line: letters from left to right.
        gap: least paper between words, in letter heights of the line.

    Returns:
        The words from left to right, none of them empty.
    """
    words = [[line[0]]]
    gaps = gaps_of(line)
    if gaps.size >= LEAST_GAPS:
        gap = max(gap, LEAST_LINE_RATIO * float(np.median(gaps)))
    for component, distance in zip(line[1:], gaps, strict=True):
        if distance >= gap:
            words.append([])
        words[-1].append(component)
    return words
