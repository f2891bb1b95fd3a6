"""Characters from components of ink: broken strokes and dots join their letter, marks that are no letter go.

Three steps. `drop_furniture` takes out rules, frames and what the edge of the page cuts. `join_strokes`
puts together components that lie over each other with a stroke or so of paper between them; it needs no
lines. `attach_marks` deals with what is still small: it knows the line's letters, so it can tell the dot
of an i from a full stop and the bar of a 5 from an accent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component, Sizes, gap_between, give_accent, join_components
from lettermill.segmentation.lines import line_height
from lettermill.segmentation.trace import UNSEEN, Trace

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

MEASURED = 0.5
"""Pixels by which a width that is counted in whole pixels may be too small: a slim I on a coarse scan."""

EMPTIEST_CORNER = 0.12
"""Where rules cross, less of the box than this is ink; the thinnest pen leaves more in a letter's box."""

LEAST_INK = 0.4
"""Smallest component in squares of the stroke's width: a dot is a square or more, scanner noise is less."""

JOIN_GAP = 1.6
"""Widest gap in strokes over which two components are one letter: a pen skips less, an accent stands off more."""

JOIN_OVERLAP = 0.6
"""Share of the narrower component's width that lies over the other one."""

JOIN_HEIGHT = 1.6
"""Highest letter in letter heights that joining may make: two lines are farther apart."""

DOT_GAP = 0.6
"""Widest gap in letter heights between the body of an i or j and its dot."""

NARROW = 0.6
"""A body so narrow, as a share of the line's letter height, may carry a dot: i, j, and a dotted capital I."""

ACCENTED = 0.8
"""A body so high, in the line's letter heights, is whole by itself: what stands above it is an accent."""

STEM_UPRIGHT = 1.5
"""The low stem of an i is at least so many times as high as it is wide; a dot is not."""

LEAST_DOTTED = 0.65
"""Least height in letter heights of a low stem with its dot: a colon and most semicolons are lower."""

DOT_SLACK = 0.25
"""How far in letter heights a dot may stand beside the body of its i, and how high a full stop may float."""

ACCENT_GAP = 0.5
"""Widest gap in letter heights between a letter and its accent."""

CEDILLA_GAP = 0.2
"""Widest gap in letter heights between a letter and its cedilla, which may overlap by as much."""

HIGHEST_ACCENT = 0.6
"""Highest accent in letter heights: a quick acute is half as long as its letter."""

BAND_GAP = 0.3
"""Widest gap in letter heights between a letter and a rest of it that lies over or under it in its line."""

BAND_SLACK, BAR_SLACK = 0.1, 0.25
"""How far in letter heights the middle of a rest may lie outside its line; a level bar is no accent."""

BAR = 3.0
"""A mark so many times as wide as high is a bar, of a T or E; a circumflex is higher."""

WIDEST_REST = 1.2
"""Widest rest of a letter in letter heights: an underline is longer."""

NEAREST = 4
"""Letters to either side that tell where a line begins and ends: few enough to follow a bend."""

STOP = 0.3
"""A full stop or comma is smaller than so many letter heights."""

INSIDE = 0.75
"""Share of a small component's width and height that lies in another's box where it is a part of that one."""

STEM_ASPECT = 0.4
"""Widest stem as a share of its height; it may lean."""

STEM_GAP = 0.6
"""Widest gap in strokes between a stem and the rest of its letter: neighbours seldom come so close."""

Boxes = NDArray[np.float64]
"""Boxes of n components, n×4: left, top, right, bottom."""

Rule = Callable[[Boxes, Boxes, Sizes], NDArray[np.bool_]]
"""Says of n pairs of components, the upper and the lower ones, which two go together."""

_PAIRS_AT_ONCE = 200_000

_SOLID = 2.4
"""Longer side of a body in its own strokes: a blob has two; half an i, scanned coarsely, barely more."""

_EMPTIEST = 0.04
"""Share of the box that is ink in something larger than two letters: less is a frame."""

_RULE_LENGTH = 4.0
"""Letter heights: a slim component longer than this is a rule, not a T's bar or an underlined I."""

_RULE_ASPECT = 6.0
"""Longer side in shorter sides from which a long component is slim; letters that run together are not."""


def drop_non_letters(
    components: Sequence[Component], sizes: Sizes, at_edge: NDArray[np.bool_], trace: Trace = UNSEEN
) -> list[Component]:
    """Leave out what can be no part of a letter.

    Args:
        components: the page's components.
        sizes: of its letters and strokes.
        at_edge: bool, one for each component: whether it touches the edge of the page.
        trace: is told what goes, and why.

    Returns:
        The components without noise, rules, frames, shadows and the rests of lines that the edge cuts.
    """
    kept: list[Component] = []
    specks: list[Component] = []
    lines_removed: list[Component] = []
    cut_off: list[Component] = []
    for component, cut in zip(components, at_edge.tolist(), strict=True):
        if component.area < LEAST_INK * sizes.stroke**2:
            specks.append(component)
        elif _is_line_or_drawing(component, sizes):
            lines_removed.append(component)
        elif cut and _is_cut(component, sizes.letter):
            cut_off.append(component)
        else:
            kept.append(component)
    trace.note("left out", lines_removed, "rules, frames, drawings")
    trace.note("left out", cut_off, "cut by the edge")
    trace.note("left out", specks, "specks")
    return kept


def _is_line_or_drawing(component: Component, sizes: Sizes) -> bool:
    """Whether a component is a rule, a frame or a drawing."""
    letter = sizes.letter
    longer, shorter = max(component.width, component.height), min(component.width, component.height)
    slack = MEASURED if longer <= JOIN_HEIGHT * letter else 0.0
    return (
        component.height > HIGHEST_BODY * letter
        or component.width > WIDEST_BODY * letter
        or (longer > _RULE_LENGTH * letter and longer > _RULE_ASPECT * shorter)
        or (longer > 2 * letter and component.fill < _EMPTIEST)
        or (longer > 0.5 * letter and shorter + slack < THINNEST * sizes.stroke)
        or (
            longer > 0.5 * letter
            and component.stroke + slack < THINNEST * sizes.stroke
            and _is_ruled(component, sizes)
        )
    )


def _is_ruled(component: Component, sizes: Sizes) -> bool:
    """Whether a component thinner than the pen is a rest of rules: one straight line, or an empty corner."""
    _, sides, _ = cv2.minAreaRect(component.contours[0])
    return min(sides) + 1 < sizes.stroke or component.fill < EMPTIEST_CORNER


def _is_cut(component: Component, letter: float) -> bool:
    """Whether a component at the edge of the page is the rest of a line beyond it, or the edge's shadow."""
    return component.height < EDGE_BODY * letter or max(component.width, component.height) > 2 * letter


def is_body(component: Component, sizes: Sizes) -> bool:
    """Whether a component is high and structured enough to be a letter or most of one."""
    return (
        component.height >= LEAST_BODY * sizes.letter
        and max(component.width, component.height) >= _SOLID * component.stroke
    )


def join_strokes(components: Sequence[Component], sizes: Sizes) -> list[Component]:
    """Join the components of letters that the pen or the scanner broke.

    Two components are one letter where the smaller lies in the other's box, or where they lie over each other
    by most of the narrower one's width with little paper between, and together are no higher than a
    letter. Two tall components side by side stay apart, however much their boxes overlap, unless the left one
    is a lone stem that all but touches the other: a B, D, K or R drawn with two strokes.

    Args:
        components: in the ink frame.
        sizes: of the page's letters and strokes.

    Returns:
        The letters and what stayed alone, from top to bottom.
    """
    joined = _join_pairs(components, sizes, _overlapping)
    joined = _join_pairs(joined, sizes, _dotted)
    return _join_pairs(joined, sizes, _stems, _is_stem_and_rest)


def _join_pairs(
    components: Sequence[Component],
    sizes: Sizes,
    are_one: Rule,
    surely: Callable[[Component, Component, Sizes], bool] = lambda *_: True,
) -> list[Component]:
    """Join the pairs of components that a rule names, as long as the letter is not too high.

    `surely` has the last word on a pair; it may be slow.
    """
    ordered = sorted(components, key=lambda component: (component.top, component.left))
    groups = [[component] for component in ordered]
    leaders = list(range(len(groups)))

    def leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]
            index = leaders[index]
        return index

    for upper, lower in _pairs(ordered, sizes, are_one):
        low, high = sorted((leader(upper), leader(lower)))
        if low == high or not surely(ordered[upper], ordered[lower], sizes):
            continue
        if not _is_one_height((*groups[low], *groups[high]), sizes):
            continue
        groups[low] += groups[high]
        groups[high] = []
        leaders[high] = low
    return [join_components(group) if len(group) > 1 else group[0] for group in groups if group]


def _pairs(ordered: Sequence[Component], sizes: Sizes, are_one: Rule) -> Iterator[tuple[int, int]]:
    """Give the pairs of components that a rule names, as numbers of the upper one and the lower one.

    A rule is asked of components that begin within the height of the highest letter and have nearly a column in
    common, of so many pairs at a time that memory stays small.

    Args:
        ordered: the components from top to bottom.
        sizes: of the page's letters and strokes.
        are_one: the rule.
    """
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in ordered], np.float64).reshape(-1, 4)
    first = np.searchsorted(boxes[:, 1], boxes[:, 1] - HIGHEST_BODY * sizes.letter)
    counts = np.arange(len(boxes)) - first
    ends = np.cumsum(counts)
    beside = max(DOT_SLACK * sizes.letter, STEM_GAP * sizes.stroke)
    start = 0
    while start < len(boxes):
        done = int(ends[start] - counts[start])
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, "right")))
        lower = np.repeat(np.arange(start, stop), counts[start:stop])
        upper = np.arange(done, ends[stop - 1]) - (ends - counts - first)[lower]
        apart = np.maximum(boxes[upper, 0], boxes[lower, 0]) - np.minimum(boxes[upper, 2], boxes[lower, 2])
        near = apart <= beside
        upper, lower = upper[near], lower[near]
        found = np.flatnonzero(are_one(boxes[upper], boxes[lower], sizes))
        yield from zip(upper[found].tolist(), lower[found].tolist(), strict=True)
        start = stop


def _overlapping(upper: Boxes, lower: Boxes, sizes: Sizes) -> NDArray[np.bool_]:
    """Whether one of two components lies in the other's box, or over it."""
    width = np.minimum(upper[:, 2] - upper[:, 0], lower[:, 2] - lower[:, 0])
    height = np.minimum(upper[:, 3] - upper[:, 1], lower[:, 3] - lower[:, 1])
    beside = np.minimum(upper[:, 2], lower[:, 2]) - np.maximum(upper[:, 0], lower[:, 0])
    below = np.minimum(upper[:, 3], lower[:, 3]) - np.maximum(upper[:, 1], lower[:, 1])
    tall = height > 0.5 * sizes.letter
    inside = (beside >= INSIDE * width) & (below >= INSIDE * height) & ~tall
    stacked = (below < 0.5 * height) | ~tall
    over = (beside >= JOIN_OVERLAP * width) & (below >= -JOIN_GAP * sizes.stroke) & stacked
    are_one: NDArray[np.bool_] = inside | (over & ~_may_be_accent(upper, lower, below, sizes))
    return are_one


def _may_be_accent(upper: Boxes, lower: Boxes, below: NDArray[np.float64], sizes: Sizes) -> NDArray[np.bool_]:
    """Whether one of two components is a whole letter and the other a mark that stands off it."""
    heights, widths = upper[:, 3] - upper[:, 1], upper[:, 2] - upper[:, 0]
    height, width = lower[:, 3] - lower[:, 1], lower[:, 2] - lower[:, 0]
    is_lower = heights < height
    mark, letter = np.where(is_lower, widths, width), np.where(is_lower, width, widths)
    low = np.minimum(heights, height)
    is_bar = (mark >= BAR * low) & (mark >= JOIN_OVERLAP * letter)
    fits: NDArray[np.bool_] = (
        (np.maximum(heights, height) >= ACCENTED * sizes.letter)
        & (low < LEAST_BODY * sizes.letter)
        & (below < 0)
        & (letter > NARROW * sizes.letter)
        & ~is_bar
    )
    return fits


def _dotted(upper: Boxes, lower: Boxes, sizes: Sizes) -> NDArray[np.bool_]:
    """Whether the upper one of two components is the dot of the other, an i's stem too low to be a letter."""
    left, top, right, bottom = upper.T
    width, height = lower[:, 2] - lower[:, 0], lower[:, 3] - lower[:, 1]
    middle = (left + right) / 2
    slack = DOT_SLACK * sizes.letter
    fits: NDArray[np.bool_] = (
        (height >= STEM_UPRIGHT * width)
        & (height <= LEAST_BODY * sizes.letter)
        & (np.maximum(right - left, bottom - top) <= STOP * sizes.letter)
        & (lower[:, 1] - bottom >= 0)
        & (lower[:, 1] - bottom <= DOT_GAP * sizes.letter)
        & (lower[:, 3] - top >= LEAST_DOTTED * sizes.letter)
        & (lower[:, 0] - slack <= middle)
        & (middle <= lower[:, 2] + slack)
    )
    return fits


def _stems(upper: Boxes, lower: Boxes, sizes: Sizes) -> NDArray[np.bool_]:
    """Whether two components stand so close that they make a letter if one is its stem."""
    beside = np.maximum(upper[:, 0], lower[:, 0]) - np.minimum(upper[:, 2], lower[:, 2])
    below = np.minimum(upper[:, 3], lower[:, 3]) - np.maximum(upper[:, 1], lower[:, 1])
    width = np.maximum(upper[:, 2], lower[:, 2]) - np.minimum(upper[:, 0], lower[:, 0])
    near: NDArray[np.bool_] = (
        (beside <= STEM_GAP * sizes.stroke) & (below >= 0.5 * sizes.letter) & (width <= 1.3 * sizes.letter)
    )
    return near


def _is_stem_and_rest(one: Component, other: Component, sizes: Sizes) -> bool:
    """Whether the left one of two components is a lone stem, and the right one the rest of its letter."""
    stem, rest = sorted((one, other), key=lambda component: component.left + component.right)
    return (
        stem.width <= STEM_ASPECT * stem.height
        and rest.width >= max(stem.width, 0.25 * sizes.letter)
        and gap_between(stem, rest) <= STEM_GAP * sizes.stroke
    )


def _is_one_height(components: Sequence[Component], sizes: Sizes) -> bool:
    """Whether components together are no higher than a letter, or than the highest of them and a little."""
    height = max(component.bottom for component in components) - min(
        component.top for component in components
    )
    return height <= max(JOIN_HEIGHT * sizes.letter, 1.1 * max(component.height for component in components))


def separate_accents(lines: Sequence[Sequence[Component]]) -> tuple[list[list[Component]], list[Component]]:
    """Take accents as high as a small letter out of the lines that they made.

    Args:
        lines: the page's lines of letters.

    Returns:
        The lines of letters, none of them empty, and the accents.
    """
    if not lines:
        return [], []
    places = _places(lines)
    accents = [
        component
        for line in lines
        for number, component in enumerate(line)
        if component.height <= HIGHEST_ACCENT * places.height.max()
        and _stands_free(line, number)
        and _above(component, places).any()
    ]
    taken = {id(component) for component in accents}
    kept = [[component for component in line if id(component) not in taken] for line in lines]
    return [line for line in kept if line], accents


def _stands_free(line: Sequence[Component], number: int) -> bool:
    """Whether a component's neighbours in its line are farther away than letters of its size would be."""
    component = line[number]
    before, after = line[:number][-1:], line[number + 1 :][:1]
    gaps = [component.left - other.right for other in before] + [
        other.left - component.right for other in after
    ]
    return all(gap > component.height for gap in gaps)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the page's letters stand: float64 arrays, one value for each letter, in the ink frame.

    Attributes:
        left, top, right, bottom: of the letter's box.
        height: of its line's typical letter.
        head, foot: where the letters around it begin and end.
    """

    left: NDArray[np.float64]
    top: NDArray[np.float64]
    right: NDArray[np.float64]
    bottom: NDArray[np.float64]
    height: NDArray[np.float64]
    head: NDArray[np.float64]
    foot: NDArray[np.float64]

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Which letters are as high as the others of their line, so that nothing above is their dot."""
        return self.bottom - self.top >= ACCENTED * self.height


def _places(lines: Sequence[Sequence[Component]]) -> _Places:
    """Say where letters stand."""
    boxes = np.array(
        [
            (component.left, component.top, component.right, component.bottom)
            for line in lines
            for component in line
        ],
        np.float64,
    ).reshape(-1, 4)
    ends = np.cumsum([len(line) for line in lines])[:-1]
    heights = [np.full(len(line), line_height(line)) for line in lines]
    heads = [_around(rows) for rows in np.split(boxes[:, 1], ends)]
    feet = [_around(rows) for rows in np.split(boxes[:, 3], ends)]
    return _Places(*boxes.T, *(np.concatenate(each) for each in (heights, heads, feet)))


def _around(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each row and those of the nearest letters of its line, so that a line may bend."""
    padded = np.pad(rows, NEAREST, "symmetric")
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAREST + 1)
    middles: NDArray[np.float64] = np.sort(near, axis=1)[:, NEAREST]
    return middles


def attach_marks(
    lines: Sequence[Sequence[Component]], marks: Sequence[Component], sizes: Sizes, trace: Trace = UNSEEN
) -> list[list[Component]]:
    """Give each mark to the letter that it is part of, or leave it out.

    The dot of an i and what is left of a stroke become ink of their letter. An accent goes with its letter,
    too, but stays apart from its ink.

    Args:
        lines: the page's lines of letters.
        marks: small components: dots, rests of strokes, accents, full stops, specks.
        sizes: of the page's letters and strokes.
        trace: is told which marks go.

    Returns:
        The same lines and letters in the same order, each letter with its marks.
    """
    letters = [component for line in lines for component in line]
    if not letters:
        return []
    places = _places(lines)
    loose: list[Component] = []
    accents: list[Component] = []
    for mark in marks:
        off = np.abs(places.left + places.right - mark.left - mark.right)
        owner = _nearest(_is_part(mark, places, sizes.stroke), off)
        if owner is not None:
            letters[owner] = join_components((letters[owner], mark))
            continue
        owner = _nearest(_is_accent(mark, places), off)
        if owner is not None:
            letters[owner] = give_accent(letters[owner], mark)
            accents.append(mark)
        else:
            loose.append(mark)
    trace.note("accents", accents)
    trace.note("left out", loose, "marks of no letter")
    ends = np.cumsum([len(line) for line in lines]).tolist()
    return [letters[end - len(line) : end] for line, end in zip(lines, ends, strict=True)]


def _nearest(fits: NDArray[np.bool_], off: NDArray[np.float64]) -> int | None:
    """Of the letters that fit the one that is least off, if any."""
    found = np.flatnonzero(fits)
    return int(found[np.argmin(off[found])]) if found.size else None


def _is_part(mark: Component, places: _Places, stroke: float) -> NDArray[np.bool_]:
    """For each letter: is the mark the dot of its i, or a rest of its strokes?"""
    left, right, height = places.left, places.right, places.height
    middle = (mark.left + mark.right) / 2
    above = places.top - mark.bottom
    beside = np.maximum(left - mark.right, mark.left - right)
    may_dot = (above >= 0) & (right - left <= NARROW * height) & (mark.width <= NARROW * height)
    slack = DOT_SLACK * height
    is_dot = may_dot & (above <= DOT_GAP * height) & (left - slack <= middle) & (middle <= right + slack)
    is_stop = (max(mark.width, mark.height) < STOP * height) & (mark.top > places.bottom - DOT_SLACK * height)
    close = (above <= JOIN_GAP * stroke) & (mark.bottom <= places.bottom + stroke)
    level = (mark.top + mark.bottom) / 2
    is_bar = mark.width >= BAR * mark.height
    room = (BAR_SLACK if is_bar else BAND_SLACK) * height
    in_band = (level >= places.head - room) & (level <= places.foot + room)
    in_band |= is_bar & (above >= 0) & (mark.width >= right - left)
    over = np.minimum(right, mark.right) - np.maximum(left, mark.left)
    covers = over >= JOIN_OVERLAP * np.minimum(right - left, mark.width)
    near = np.maximum(above, mark.top - places.bottom) <= BAND_GAP * height
    is_rest = covers & near & in_band & (mark.width <= WIDEST_REST * height)
    is_touched = ~may_dot & close & (beside <= np.where(is_stop, 0, stroke)) & ((above < 0) | in_band)
    fits: NDArray[np.bool_] = is_dot | is_rest | is_touched
    return fits


def _is_accent(mark: Component, places: _Places) -> NDArray[np.bool_]:
    """For each letter: is the mark its accent, or its cedilla?"""
    right, left = places.right, places.left
    middle = (mark.left + mark.right) / 2
    under = mark.top - places.bottom
    is_cedilla = (
        places.is_whole
        & (np.abs(under) <= CEDILLA_GAP * places.height)
        & (mark.bottom > places.foot + BAND_SLACK * places.height)
        & (mark.height <= HIGHEST_ACCENT * places.height)
        & (left <= middle)
        & (middle <= right)
    )
    # A full stop of the line above stands on that line.
    stop_of_other = (
        (np.maximum(left - mark.right, mark.left - right) <= places.height)
        & (mark.top < places.foot + BAND_SLACK * places.height)
        & (mark.bottom > places.head)
    )
    fits: NDArray[np.bool_] = is_cedilla
    if not stop_of_other.any():
        fits = fits | _above(mark, places)
    return fits


def _above(mark: Component, places: _Places) -> NDArray[np.bool_]:
    """For each letter: does the mark stand above it as an accent does?"""
    middle = (mark.left + mark.right) / 2
    gap = places.top - mark.bottom
    slack = DOT_SLACK * places.height
    fits: NDArray[np.bool_] = (
        places.is_whole
        & (gap >= -slack)
        & (gap <= ACCENT_GAP * places.height)
        & (mark.height <= HIGHEST_ACCENT * places.height)
        & (mark.width <= np.maximum(places.right - places.left, places.height))
        & (places.left - slack <= middle)
        & (middle <= places.right + slack)
    )
    return fits
