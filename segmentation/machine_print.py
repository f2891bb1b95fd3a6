"""Tells machine-printed captions from hand-print, and finds rows that the edge of the image cuts.

A letter of type has straight, upright and level edges in places that are the same in every text face; in
handwriting they are elsewhere. Each letter is described by histograms of the directions of its edges (after
Dalal and Triggs 2005, doi:10.1109/CVPR.2005.177) and classified by a small network. Along a line the
evidence of neighbours is added up, since a single letter seldom tells but a word does.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL, Component
from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.lines import STACKED_SHARE, line_height, offset, share_covered
from lettermill.segmentation.word_gaps import gaps_of

CELLS_PER_SIDE = 4
"""Cells of a glyph along each side: 7 pixels, about two strokes, each with a histogram of its own."""

DIRECTIONS = 8
"""Directions of an edge that are told apart, 22.5° each; light to dark and dark to light are the same.

It must be a power of two, because directions wrap around by their lowest bits.
"""

SMOOTHING_PIXELS = 1.0
"""Blur of the glyph before its edges are taken: it evens out the steps of small letters."""

STRONGEST_LOG_ODDS = 4.0
"""Limit of one letter's log-odds: no letter may outvote its word."""

MIDDLE_LOG_ODDS = (-0.25, 1.0)
"""Bounds of the log-odds at which a page's print and hand-print meet: half-way between the two kinds.

A neat hand beside clear type needs a stricter limit than a wild one beside poor type.
"""

SWITCH_LOG_ODDS = 6.0
"""Cost of a change from print to hand or back between letters that touch."""

GAP_WEIGHT = 3.0
"""How a gap makes a change likelier: a row's widest, one letter height wide, leaves a quarter of the cost."""

WIDEST_GAP_LETTERS = 2.0
"""Width from which gaps count as equal: any of them may separate a caption from its entry."""

COLON_LOG_ODDS = 4.0
"""What a colon adds to the letter before it: captions often end so, people seldom write one."""

LARGEST_DOT_SHARE = 0.35
"""Longest side of a colon's dot as a share of the height of the letter before it."""

DOTS_ALIKE_RATIO = 1.7
"""Ratio of the sides of a colon's two dots, at most, give or take a pixel."""

DOT_LEVELS = (INK_LEVEL // 2, INK_LEVEL)
"""Ink levels at which dots are searched for: a dot of two pixels is never full black, two near ones blur."""

COLON_ROOM_LETTERS = 0.9
"""Paper that a colon needs; between the digits of a time there is less."""

START_LOG_ODDS = 4.0
"""Evidence that a run at the start of a row needs to be dropped; people's letters seldom reach it."""

WITHIN_LOG_ODDS = 7.0
"""The same for a run after hand-print: a caption is rarer there, and two neat letters happen more often."""

IN_FRONT_LOG_ODDS = 1.5
"""The same for a run where captions are, in front of or above hand-print that looks different.

Also after hand-print, if a run is far lower, beyond a wide gap, and ends with a colon.
"""

CONTRAST_LOG_ODDS = 3.0
"""Mean by which such a run differs from the hand-print; a neat writer's first word does not."""

LOW_CAPTION_RATIO = 0.7
"""Height of a caption in the middle of a row divided by that of the hand-print before it, at most."""

SET_OFF_RATIO = 2.0
"""The gap after a caption divided by the widest gap between its letters, at least."""

STAYING_LOG_ODDS = 2.0
"""Cost of print that continues after a colon: an empty entry and the next caption."""

STAMP_LETTERS = 1.5
"""Distance from the page's left edge within which part of a stamp may precede a caption."""

STAMP_HEIGHT_RATIO = 1.2
"""Height of a stamp divided by that of the letter after it, from which the two look different."""

COLON_HEIGHT_SHARE, COLON_WIDTH_RATIO = 0.9, 0.5
"""Height of a colon as a share of the letter before it, and its width divided by its own height, at most."""

APART_LOG_ODDS, APART_IN_PLACE_LOG_ODDS, APART_IN_SIZE_LOG_ODDS = 3.0, 2.0, 1.5
"""Mean difference between what is dropped and what is kept; less if print starts its rows or differs in size.

If they are closer, one hand wrote both: neat writing scatters to either side of a line between the two.
"""

SAME_SIZE_RATIO = 1.15
"""Ratio of typical heights up to which a page's print and hand-print are equally high."""

CAPTION_WIDTH_SHARE = 0.4
"""Share of the page's width that the widest printed line fills at most if captions wait for an entry.

It only counts if nothing is hand-print: wider print is then what the page is about.
"""

LESSER_SHARE = 0.5
"""Share of the one line's hand-print below which a row above or below it does not belong to it."""

STRAY_SHARE = 0.25
"""The same for a row beside the line that shares no height with it."""

CUT_SHARE = 0.4
"""Share of a row's letters that touch the upper or lower edge from which the whole row counts as cut."""

_GLYPHS_AT_ONCE = 128
"""Glyphs that are described at a time: the arrays in between are some seventy times as large."""

_WEIGHTS = Path(__file__).with_name("machine_print.npz")


def find_machine_print(
    rows: Sequence[Sequence[Component]],
    odds: NDArray[np.float64],
    width: int,
    before_colon: Sequence[Sequence[bool]],
) -> list[list[bool]]:
    """Find the letters of a page that are machine-printed captions.

    If no letters are clearly hand-print, print that leaves little room for an entry is not a caption but what
    the page is about, so none is reported.

    Args:
        rows: the lines, letters from left to right.
        odds: float64, one for each letter of all rows in their order, as `machine_print_odds` gives them.
        width: of the ink frame in pixels.
        before_colon: for each row, for each letter, whether a colon follows it.

    Returns:
        For each row, for each letter, whether it belongs to a printed run.
    """
    if not rows:
        return []
    odds = np.clip(odds, -STRONGEST_LOG_ODDS, STRONGEST_LOG_ODDS)
    hand = float(odds[odds < 0].mean()) if (odds < 0).any() else 0.0
    print_ = float(odds[odds > 0].mean()) if (odds > 0).any() else 0.0
    middle = float(np.clip((hand + print_) / 2, *MIDDLE_LOG_ODDS))
    odds, hand = odds - middle, hand - middle

    parts = np.split(odds, np.cumsum([len(row) for row in rows])[:-1])
    evidence = [float(part.sum()) for part in parts]
    marked = [_with_marks(*each) for each in zip(rows, parts, before_colon, strict=True)]
    odds = np.concatenate([part for part, _ in marked])
    found = [
        _machine_print_in(row, *each, hand if min(evidence[number:]) < -START_LOG_ODDS else 0.0)
        for number, (row, each) in enumerate(zip(rows, marked, strict=True))
    ]

    flags = np.concatenate(found)
    left = -odds[~flags].sum()
    runs = [list(itertools.compress(row, printed)) for row, printed in zip(rows, found, strict=True)]
    widest = max((max(letter.right for letter in run) - run[0].left for run in runs if run), default=0)
    fills_page = left < START_LOG_ODDS and widest > CAPTION_WIDTH_SHARE * width
    if fills_page or not _are_apart(rows, odds, found):
        return [[False] * len(row) for row in rows]
    return [printed.tolist() for printed in found]


def _are_apart(
    rows: Sequence[Sequence[Component]], odds: NDArray[np.float64], found: Sequence[NDArray[np.bool_]]
) -> bool:
    """Whether the supposed print differs so much from the rest that no one hand wrote both."""
    printed = np.concatenate(found)
    if not printed.any() or printed.all():
        return True
    heights = np.array([letter.height for row in rows for letter in row])
    ratio = float(np.median(heights[printed]) / np.median(heights[~printed]))
    in_place = all((np.diff(row.astype(np.int8)) <= 0).all() for row in found)
    least = APART_IN_PLACE_LOG_ODDS if in_place else APART_LOG_ODDS
    if not 1 / SAME_SIZE_RATIO <= ratio <= SAME_SIZE_RATIO:
        least = APART_IN_SIZE_LOG_ODDS
    return bool(odds[printed].mean() - odds[~printed].mean() >= least)


def _machine_print_in(
    row: Sequence[Component], odds: NDArray[np.float64], ends: NDArray[np.bool_], hand: float
) -> NDArray[np.bool_]:
    """Find the printed letters of a row: Viterbi's best sequence, then only runs that are clearly print.

    Args:
        row: letters from left to right.
        odds: float64, one for each: log-odds of print.
        ends: bool, one for each: whether a caption ends with it.
        hand: mean log-odds of the page's hand-print if there is any in this row or below it, else 0.
    """
    gaps = gaps_of(row)
    open_gaps = np.clip(gaps, 0, WIDEST_GAP_LETTERS)
    costs = SWITCH_LOG_ODDS / (1 + GAP_WEIGHT * open_gaps**2 / open_gaps.max(initial=1))
    staying = np.where(ends, STAYING_LOG_ODDS, 0)[:-1]
    costs[ends[:-1]] = 0
    printed = _best_sequence(odds, costs, staying)

    for run in np.split(np.arange(len(row)), np.flatnonzero(np.diff(printed)) + 1):
        inside, after = gaps[run[:-1]], gaps[run[-1] :][:1]
        if run[0] == 0:
            in_place = (run.size > 1 or odds[0] >= COLON_LOG_ODDS) and (
                after >= SET_OFF_RATIO * inside.max(initial=0)
            ).all()
        else:
            in_place = run.size > 1 and ends[run[-1]] and _is_low_and_set_off(row, run)
        in_front = in_place and odds[run[0]] != 0 and odds[run].mean() >= hand + CONTRAST_LOG_ODDS
        least = IN_FRONT_LOG_ODDS if in_front else WITHIN_LOG_ODDS if run[0] else START_LOG_ODDS
        if odds[run].sum() < least:
            printed[run] = False
    return printed


def _is_low_and_set_off(row: Sequence[Component], run: NDArray[np.intp]) -> bool:
    """Whether a run within a row is far lower than what precedes it, beyond a wide gap."""
    before = row[: run[0]]
    height, usual = line_height([row[number] for number in run]), line_height(before)
    gap = row[run[0]].left - before[-1].right
    return height <= LOW_CAPTION_RATIO * usual and gap >= usual


def _best_sequence(
    odds: NDArray[np.float64], costs: NDArray[np.float64], staying: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Find the most likely sequence of print (True) and hand-print with Viterbi's algorithm.

    Args:
        odds: float64, n: log-odds of print.
        costs: float64, n - 1: of a change between each letter and the next.
        staying: float64, n - 1: of print that continues there.
    """
    best = [0.0, float(odds[0])]
    came: list[tuple[int, int]] = []
    for cost, stay, odd in zip(costs.tolist(), staying.tolist(), odds[1:].tolist(), strict=True):
        to_hand, to_print = best[1] - cost, best[0] - cost
        continues = best[1] - stay
        came.append((int(to_hand > best[0]), int(continues >= to_print)))
        best = [max(best[0], to_hand), max(continues, to_print) + odd]

    state = int(best[1] > best[0])
    states = [state]
    for choice in reversed(came):
        state = choice[state]
        states.append(state)
    return np.array(states[::-1], np.bool_)


def _with_marks(
    row: Sequence[Component], odds: NDArray[np.float64], before_colon: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Credit a colon to the letter before it, and let parts of stamps say nothing against print.

    Args:
        row: letters from left to right.
        odds: float64, one for each: log-odds of print.
        before_colon: for each, whether a colon follows.

    Returns:
        The adjusted log-odds, and for each letter whether a caption ends with it.
    """
    pairs = list(itertools.pairwise(row))
    is_colon = np.array([False, *(itertools.starmap(_is_colon_of, pairs))]) & [False, *before_colon[:-1]]
    odds = np.where(is_colon, 0, odds + COLON_LOG_ODDS * np.array(before_colon))
    near = STAMP_LETTERS * line_height(row)
    for number, (letter, after) in enumerate(pairs):
        if letter.left >= near:
            break
        if letter.left <= 1 or letter.height > STAMP_HEIGHT_RATIO * after.height or letter.right > after.left:
            odds[number] = max(0, odds[number])
    return odds, is_colon | (np.array(before_colon) & ~np.append(is_colon[1:], False))


def find_colons(rows: Sequence[Sequence[Component]], ink: NDArray[np.uint8]) -> list[list[bool]]:
    """Find the letters that a colon follows.

    Args:
        rows: the lines, letters from left to right.
        ink: uint8, h×w, the whole foreground mask: small dots are in no component.

    Returns:
        For each row, for each letter, whether exactly two similar dots, one above the other, follow it within
        its height.
    """
    return [
        [
            room >= COLON_ROOM_LETTERS * letter.height and _has_colon(letter, room, ink)
            for letter, room in zip(row, _room_after(row).tolist(), strict=True)
        ]
        for row in rows
    ]


def _room_after(row: Sequence[Component]) -> NDArray[np.int64]:
    """Columns from each letter to the next that is not a colon, but no more than about a letter's height."""
    rights = np.array([letter.right for letter in row], np.int64)
    lefts = np.sort(np.array([letter.left for letter in row if not _may_be_colon(letter)], np.int64))
    after = np.searchsorted(lefts, rights)
    most = [round((1 + LARGEST_DOT_SHARE / 2) * letter.height) for letter in row]
    return np.asarray(np.minimum(np.append(lefts, np.iinfo(np.int32).max)[after] - rights, most))


def _may_be_colon(letter: Component) -> bool:
    """Whether a letter is narrow enough for a colon."""
    return letter.width <= COLON_WIDTH_RATIO * letter.height


def _is_colon_of(letter: Component, after: Component) -> bool:
    """Whether the component after a letter that a colon follows is that colon."""
    return (
        _may_be_colon(after)
        and after.height <= COLON_HEIGHT_SHARE * letter.height
        and after.left <= letter.right + letter.height
    )


def _has_colon(letter: Component, room: int, ink: NDArray[np.uint8]) -> bool:
    """Whether exactly two similar dots, one above the other, follow a letter within `room` columns."""
    margin = round(LARGEST_DOT_SHARE / 2 * letter.height)
    window = ink[max(0, letter.top - margin) : letter.bottom + margin, letter.right : letter.right + room]
    if not (window[:, 1:] >= DOT_LEVELS[0]).any():
        return False
    return any(_is_colon(window >= level, LARGEST_DOT_SHARE * letter.height) for level in DOT_LEVELS)


def _is_colon(window: NDArray[np.bool_], longest: float) -> bool:
    """Whether a window contains exactly two similar dots, one above the other, none longer than `longest`."""
    outlines, _ = cv2.findContours(window.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    height, width = window.shape
    dots = []
    for outline in outlines:
        left, top, wide, tall = cv2.boundingRect(outline)
        # What touches the window's border belongs to something else.
        if left > 0 and top > 0 and left + wide < width and top + tall < height:
            dots.append((left, top, wide, tall))
    if len(dots) != 2:
        return False
    (left, top, *sides), (other_left, other_top, *other_sides) = dots
    sides += other_sides
    return bool(
        max(sides) <= min(longest, DOTS_ALIKE_RATIO * min(sides) + 1)
        and abs(left - other_left) <= min(sides)
        and abs(top - other_top) > max(sides)
    )


def machine_print_odds(glyphs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Compute for each letter how likely it is machine print.

    Args:
        glyphs: uint8, 28×28 each, as `segmentation.glyph.normalise` gives them.

    Returns:
        float64, one for each glyph: log-odds of print against hand, seen alone.
    """
    weights = _weights()
    odds = [np.zeros(0)]
    for start in range(0, len(glyphs), _GLYPHS_AT_ONCE):
        seen = edge_histograms(glyphs[start : start + _GLYPHS_AT_ONCE])
        hidden = np.maximum(seen @ weights["hidden"] + weights["hidden_bias"], 0)
        odds.append(hidden @ weights["output"] + weights["output_bias"])
    return np.concatenate(odds)


@functools.cache
def _weights() -> dict[str, NDArray[np.float32]]:
    """Read the network's weights, once."""
    with np.load(_WEIGHTS) as arrays:
        return {name: arrays[name] for name in arrays.files}


def edge_histograms(glyphs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Histograms of the directions of each glyph's edges: float32, n×128, roots of shares of the whole."""
    count = len(glyphs)
    # All glyphs in one strip: their empty borders are wider than the reach of the blur and the slope.
    strip = cv2.GaussianBlur(np.concatenate(glyphs, axis=1), (0, 0), SMOOTHING_PIXELS)
    across, down = (slope.astype(np.float32) for slope in cv2.spatialGradient(strip))
    strength, angle = (np.asarray(values, np.float32) for values in cv2.cartToPolar(across, down))
    angle *= np.float32(DIRECTIONS / np.pi)
    low = angle.astype(np.int32)
    # Split each edge between the two nearest directions; after the last direction comes the first.
    upper = strength * (angle - low)
    side = np.arange(GLYPH_SIZE) // (GLYPH_SIZE // CELLS_PER_SIDE)
    columns = (np.arange(count)[:, None] * CELLS_PER_SIDE * CELLS_PER_SIDE + side).ravel()
    cells = (columns + side[:, None] * CELLS_PER_SIDE) * DIRECTIONS
    size = count * CELLS_PER_SIDE * CELLS_PER_SIDE * DIRECTIONS
    sums = np.bincount((cells + (low & DIRECTIONS - 1)).ravel(), (strength - upper).ravel(), size)
    sums += np.bincount((cells + (low + 1 & DIRECTIONS - 1)).ravel(), upper.ravel(), size)
    shares = sums.reshape(count, -1)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
    roots: NDArray[np.float32] = np.sqrt(shares).astype(np.float32)
    return roots


def find_cut_rows(rows: Sequence[Sequence[Component]], at_edge: Sequence[Sequence[bool]]) -> list[bool]:
    """Find the rows that the upper or lower edge of the image cuts.

    Args:
        rows: the lines, letters from left to right.
        at_edge: for each row, for each letter, whether it touches the upper or lower edge.

    Returns:
        For each row, whether it belongs to a line beyond the edge. If every row is cut, the least cut one
        is taken for what the image is to show.
    """
    shares = [float(np.mean(touches)) for touches in at_edge]
    least = min(shares, default=0.0)
    return [share >= CUT_SHARE and share > least for share in shares]


def find_stray_rows(rows: Sequence[Sequence[Component]], odds: NDArray[np.float64]) -> list[bool]:
    """Find the rows that are not the one line that an image shows: captions above, stamps, parts of others.

    The line is the row with the most hand-print: the sum over its letters of height times the probability
    of hand-print. A row above or below it must have half as much to be kept, and a row that shares no
    height with it a quarter; the letters of an uneven line share height with their neighbours.

    Args:
        rows: the image's rows, letters from left to right.
        odds: float64, one for each letter of all rows in their order, as `machine_print_odds` gives them.

    Returns:
        For each row, whether it is to be left out.
    """
    if not rows:
        return []
    by_hand = 1 / (1 + np.exp(np.clip(odds, -STRONGEST_LOG_ODDS, STRONGEST_LOG_ODDS)))
    heights = np.array([letter.height for row in rows for letter in row])
    numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    hand = np.bincount(numbers, heights * by_hand)
    shares = hand / hand.max()
    line = rows[int(shares.argmax())]
    letter = line_height(line)
    return [
        share < 1
        and (
            (share < LESSER_SHARE and share_covered(row, line) > STACKED_SHARE)
            or (share < STRAY_SHARE and 1 < offset(row, line, letter) < np.inf)
        )
        for row, share in zip(rows, shares.tolist(), strict=True)
    ]
