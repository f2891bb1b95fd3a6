"""Printed captions told from hand-print, and what the edge of the image cut off left out.

A letter of type has straight, upright and level edges in places that are the same in every text face; a
hand's are elsewhere. Each letter is described by histograms of the directions of its edges (after Dalal
and Triggs 2005, doi:10.1109/CVPR.2005.177), a small network weighs them, and along a line the evidence
of neighbours is added up: a single letter seldom tells, a word does.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segmentation.components import Piece
from segmentation.glyph import GLYPH_SIZE
from segmentation.lines import gaps_of

CELLS = 4
"""Cells of a glyph along each side: 7 pixels, about two strokes, each with a histogram of its own."""

DIRECTIONS = 8
"""Directions of an edge that are told apart, 22.5° each; light to dark and dark to light are the same."""

SMOOTHING = 1.0
"""Blur in pixels of the glyph before its edges are taken: it evens out the steps of small letters."""

STRONGEST = 4.0
"""Log-odds beyond which one letter counts no more: none may outvote its word."""

SWITCH, SWITCH_AT_GAP = 6.0, 2.5
"""Log-odds that it takes to change from print to hand or back within a word, and at a gap between words."""

WORD_GAP = 0.5
"""Gap in letter heights from which a change between print and hand is likely; captions end with one."""

LEAST_EVIDENCE = 3.0
"""Log-odds that a run needs to be dropped as printed."""

ROOM = 0.4
"""Share of the page's width that the widest printed line fills at most where captions wait for an entry.

It only counts where nothing is hand-print: then wider print is what the page is about."""

CUT_SHARE = 0.4
"""Share of a row's letters that touch the upper or lower edge from which all of it is taken as cut."""

_WEIGHTS = Path(__file__).with_name("printed.npz")


def find_printed(rows: Sequence[Sequence[Piece]], odds: NDArray[np.float64], width: int) -> list[list[bool]]:
    """Say which letters of a page are printed captions.

    Where no letters are clearly hand-print, print that leaves little room for an entry is no caption but what
    the page is about, so none is reported.

    Args:
        rows: the lines, letters from left to right.
        odds: float64, one for each letter of all rows in their order, as `print_odds` gives them.
        width: of the ink frame in pixels.

    Returns:
        For each row, for each letter, whether it belongs to a printed run.
    """
    if not rows:
        return []
    odds = np.clip(odds, -STRONGEST, STRONGEST)
    ends = np.cumsum([len(row) for row in rows])[:-1]
    found = [_printed_in(row, part) for row, part in zip(rows, np.split(odds, ends), strict=True)]
    hand = -odds[~np.concatenate(found)].sum()
    widest = max(max(letter.right for letter in row) - row[0].left for row in rows)
    if hand < LEAST_EVIDENCE and widest > ROOM * width:
        return [[False] * len(row) for row in rows]
    return [printed.tolist() for printed in found]


def _printed_in(row: Sequence[Piece], odds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Viterbi's best sequence of print and hand along a row, then only runs that are clearly print."""
    gaps = gaps_of(row)
    best = [0.0, float(odds[0])]
    came: list[tuple[int, int]] = []
    for gap, odd in zip(gaps.tolist(), odds[1:].tolist(), strict=True):
        cost = SWITCH_AT_GAP if gap >= WORD_GAP else SWITCH
        came.append((0 if best[0] >= best[1] - cost else 1, 1 if best[1] >= best[0] - cost else 0))
        best = [max(best[0], best[1] - cost), max(best[1], best[0] - cost) + odd]
    state = int(best[1] > best[0])
    states = [state]
    for choice in reversed(came):
        state = choice[state]
        states.append(state)
    states.reverse()
    printed = np.array(states, np.bool_)
    edges = np.flatnonzero(np.diff(printed)) + 1
    for run in np.split(np.arange(len(row)), edges):
        if printed[run[0]] and odds[run].sum() < LEAST_EVIDENCE:
            printed[run] = False
    return printed


def print_odds(glyphs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Weigh for each letter how likely it is printed.

    Args:
        glyphs: uint8, 28×28 each, as `segmentation.glyph.normalise` gives them.

    Returns:
        float64, one for each glyph: log-odds of print against hand, seen alone.
    """
    if not glyphs:
        return np.zeros(0)
    weights = _weights()
    hidden = np.maximum(_directions(glyphs) @ weights["hidden"] + weights["hidden_bias"], 0)
    odds: NDArray[np.float64] = (hidden @ weights["output"] + weights["output_bias"]).astype(np.float64)
    return odds


@functools.cache
def _weights() -> dict[str, NDArray[np.float32]]:
    """Read the network's weights, once."""
    with np.load(_WEIGHTS) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _directions(glyphs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Histograms of the directions of each glyph's edges, float32 n×128, roots of shares of the whole."""
    count = len(glyphs)
    # One below the other: a glyph's empty border is wider than the blur and the slope reach.
    strip = cv2.GaussianBlur(np.concatenate(glyphs), (0, 0), SMOOTHING)
    across, down = (cv2.Sobel(strip, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    strength, angle = (np.asarray(part, np.float32) for part in cv2.cartToPolar(across, down))
    there = np.flatnonzero(strength)
    strength, angle = strength.ravel()[there], angle.ravel()[there] * np.float32(DIRECTIONS / np.pi)
    low = angle.astype(np.intp)
    part = angle - low
    row, column = np.divmod(there, GLYPH_SIZE)
    side = GLYPH_SIZE // CELLS
    cell = (row // side * CELLS + column // side) * DIRECTIONS
    size = count * CELLS * CELLS * DIRECTIONS
    sums = np.zeros((2, size))
    sums[0] = np.bincount(cell + low % DIRECTIONS, strength * (1 - part), size)
    sums[1] = np.bincount(cell + (low + 1) % DIRECTIONS, strength * part, size)
    shares = sums.sum(axis=0).reshape(count, -1)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    roots: NDArray[np.float32] = np.sqrt(shares).astype(np.float32)
    return roots


def find_cut(rows: Sequence[Sequence[Piece]], at_edge: Sequence[Sequence[bool]]) -> list[bool]:
    """Say which rows the upper or lower edge of the image cuts.

    Args:
        rows: the lines, letters from left to right.
        at_edge: for each row, for each letter, whether it touches the upper or lower edge.

    Returns:
        For each row, whether it is the rest of a line beyond the edge. Where every row is cut, the least
        cut one is taken for what the image is to show.
    """
    shares = [float(np.mean(touches)) for touches in at_edge]
    least = min(shares, default=0.0)
    return [share >= CUT_SHARE and share > least for share in shares]
