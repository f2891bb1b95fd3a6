"""Finds where one word of a line ends and the next begins: the least gap between words, per page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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

LEAST_SHARE_AGAIN, DOUBT_AGAIN = 0.75, 2.0
"""Share of the variance between the two groups from which the narrower gaps are split again, and more doubt.

Gaps spread evenly, as between the letters of one hand, reach 0.75; two kinds of gaps reach more.
"""

LEAST_GAPS_AGAIN = 12
"""Gaps from which they are split again although the first split may be the right one."""

LEAST_LINE_RATIO = 1.5
"""A gap between words divided by the median gap of its line, at least: some lines are letter-spaced."""

LEAST_GAPS = 3
"""Gaps from which the median shows how the line is spaced."""


def word_gap(lines: Sequence[Sequence[Component]]) -> float:
    """Find how wide the paper between two words is on this page.

    The gaps of all lines, in letter heights, are split in two where the variance between the two groups is
    greatest (Otsu 1979). The split counts only if the wider group is clearly wider. If that group holds the
    gaps between columns, the gaps between words are still among the narrower ones: these are split again,
    as long as they are two clear groups themselves.

    Args:
        lines: the page's lines.

    Returns:
        The least gap between words, in letter heights of its line.
    """
    gaps = np.sort(np.concatenate([np.zeros(0), *(gaps_of(line) for line in lines)]))
    gaps = gaps.clip(0, 2 * WIDEST_WORD_GAP_LETTERS)
    if gaps.size < 2:
        return USUAL_WORD_GAP_LETTERS
    found = max(USUAL_WORD_GAP_LETTERS, LEAST_WORD_GAP_RATIO * float(np.median(gaps)))
    least_gaps, least_share, doubt = 2, 0.0, FEW_GAPS_DOUBT
    while gaps.size >= least_gaps:
        split = _split(gaps)
        if split.threshold < LEAST_WORD_GAP_LETTERS or split.share < least_share:
            break
        if split.threshold <= WIDEST_WORD_GAP_LETTERS:
            if split.ratio < LEAST_WORD_GAP_RATIO * (1 + doubt / gaps.size):
                break
            found, least_gaps = split.threshold, LEAST_GAPS_AGAIN
        gaps = gaps[: split.size]
        least_share, doubt = LEAST_SHARE_AGAIN, DOUBT_AGAIN * FEW_GAPS_DOUBT
    return found


class _Split(NamedTuple):
    """Gaps split into narrower and wider ones.

    Attributes:
        size: how many are narrower.
        threshold: half-way between the widest of these and the next.
        ratio: mean of the wider ones divided by that of the narrower ones.
        share: of all variance, 0–1, what is between the two groups: 0.75 if the gaps are spread evenly.
    """

    size: int
    threshold: float
    ratio: float
    share: float


def _split(gaps: NDArray[np.float64]) -> _Split:
    """Split sorted gaps, two or more, where the variance between the two groups is greatest."""
    counts = np.arange(1, gaps.size)
    sums = np.cumsum(gaps)[:-1]
    low, high = sums / counts, (gaps.sum() - sums) / (gaps.size - counts)
    between = counts * (gaps.size - counts) * (high - low) ** 2
    split = int(np.argmax(between))
    all_variance = gaps.size**2 * float(gaps.var())
    return _Split(
        split + 1,
        float(gaps[split] + gaps[split + 1]) / 2,
        float(high[split] / low[split]) if low[split] > 0 else np.inf,
        float(between[split]) / all_variance if all_variance > 0 else 0.0,
    )


def gaps_of(line: Sequence[Component]) -> NDArray[np.float64]:
    """The paper between neighbours of a line, in the line's letter heights; negative where they overlap."""
    lefts = np.array([component.left for component in line[1:]], np.float64)
    rights = np.array([component.right for component in line[:-1]], np.float64)
    return (lefts - rights) / line_height(line)


def split_words(line: Sequence[Component], gap: float, steps: Sequence[int | None]) -> list[list[Component]]:
    """Split a line into words.

    Args:
        line: letters from left to right.
        gap: least paper between words, in letter heights of the line.
        steps: how many cells each letter is after the one before it, None where there are none: an empty cell
            ends a word, paper between neighbouring cells does not.

    Returns:
        The words from left to right, none of them empty.
    """
    words = [[line[0]]]
    gaps = gaps_of(line)
    if gaps.size >= LEAST_GAPS:
        gap = max(gap, LEAST_LINE_RATIO * float(np.median(gaps)))
    for component, distance, step in zip(line[1:], gaps, steps, strict=True):
        if distance >= gap if step is None else step > 1:
            words.append([])
        words[-1].append(component)
    return words
