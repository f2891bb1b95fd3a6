"""Groups connected components into characters: joins broken strokes and dots, drops what is not a letter.

Works in four steps. `drop_non_letters` removes form lines, frames and what the edge of the page cuts.
`join_strokes` joins components above each other with about a stroke of paper between them; it needs no
lines. `attach_marks` handles what is still small: it knows the line's letters, so it can tell the dot of an
i from a full stop and the bar of a 5 from an accent. `drop_strays` drops folds and edges of the sheet, which
only their rows tell from an I.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import (
    Component,
    Sizes,
    draw_component,
    gap_between,
    give_accent,
    join_components,
)
from lettermill.segmentation.large_letters import find_large_letters
from lettermill.segmentation.lines import line_height
from lettermill.segmentation.trace import UNSEEN, Trace

LEAST_BODY_LETTERS = 0.4
"""Lowest body of a letter: a small x-height; dots, commas and hyphens are lower."""

HIGHEST_BODY_LETTERS = 2.6
"""Highest letter of usual text; anything higher is a form line, a frame or a drawing, or in a large line."""

WIDEST_BODY_LETTERS = 8.0
"""Widest body: letters that run together; anything wider is a form line or a shadow."""

LEAST_EDGE_BODY_LETTERS = 0.7
"""A component at the edge of the page that is lower than this belongs to a line that the edge cuts."""

THINNEST_STROKES = 0.6
"""A component that is narrower than this all along was not drawn with the page's pen."""

WIDTH_ERROR_PIXELS = 0.5
"""How much too small a width counted in whole pixels may be: a slim I on a coarse scan."""

LEAST_CORNER_FILL_SHARE = 0.12
"""Where form lines cross, less of the box is ink; the thinnest pen leaves more in a letter's box."""

LEAST_INK_SQUARE_STROKES = 0.4
"""Smallest component, in squares of the stroke's width: a dot has one or more, scanner noise less."""

JOIN_GAP_STROKES = 1.6
"""Widest gap between two components of one letter: a pen skips less, an accent is farther off."""

JOIN_OVERLAP_SHARE = 0.6
"""Share of the narrower component's width that lies over the other one."""

JOIN_HEIGHT_LETTERS = 1.6
"""Highest letter that joining may make: two lines are farther apart."""

DOT_GAP_LETTERS = 0.6
"""Widest gap between the body of an i or j and its dot."""

NARROW_LETTERS = 0.6
"""Widest body that may carry a dot, in letter heights of the line: i, j, and a dotted capital I."""

WHOLE_LETTERS = 0.8
"""Height, in the line's letter heights, from which a body is a whole letter: marks above are accents."""

LEAST_STEM_RATIO = 1.5
"""Height divided by width of the low stem of an i; a dot has less."""

LEAST_DOTTED_LETTERS = 0.65
"""Least height of a low stem with its dot: a colon and most semicolons are lower."""

DOT_SLACK_LETTERS = 0.25
"""How far a dot may be beside the body of its i, and how high a full stop may float."""

ACCENT_GAP_LETTERS = 0.5
"""Widest gap between a letter and its accent."""

CEDILLA_GAP_LETTERS = 0.2
"""Widest gap between a letter and its cedilla, which may overlap by as much."""

HIGHEST_ACCENT_LETTERS = 0.6
"""Highest accent: a quick acute is half as long as its letter."""

BAND_GAP_LETTERS = 0.3
"""Widest gap between a letter and a fragment of it above or below it in its line."""

BAND_SLACK_LETTERS, BAR_SLACK_LETTERS = 0.1, 0.25
"""How far the middle of a fragment, or of a bar, may lie outside its line; a level bar is no accent."""

BAR_RATIO = 3.0
"""Width divided by height of a bar, of a T or E; a circumflex is higher."""

WIDEST_FRAGMENT_LETTERS = 1.2
"""Widest fragment of a letter: an underline is longer."""

NEIGHBOURS_PER_SIDE = 4
"""Letters to either side that show where a line begins and ends: few enough to follow a bend."""

LARGEST_STOP_LETTERS = 0.3
"""A full stop or comma is smaller than this."""

INSIDE_SHARE = 0.75
"""Share of a small component's width and height that lies in another's box if it is part of that one."""

WIDEST_STEM_RATIO = 0.4
"""Width divided by height of the widest stem; it may lean."""

STEM_GAP_STROKES = 0.6
"""Widest gap between a stem and the rest of its letter: neighbours seldom come so close."""

LONE_LETTERS = 1.2
"""Paper on both sides of a component that is alone in its row: letters and words are nearer to each other."""

TALLEST_LONE_LETTERS = 1.6
"""Highest bar alone in its row that is an I or a 1; higher ones are folds, edges of the sheet, margins."""

SLENDER_RATIO = 3.0
"""Length divided by width of a bar, at least."""

FAINT_SHARE = 0.8
"""Ink of a bar alone in its row, as a share of the page's usual ink, below which it is a fold's shadow."""

THICKEST_LONE_STROKES = 2.5
"""Widest stroke of a component alone in its row; a corner of a scanner's lid, a hole or tape is wider."""

Boxes = NDArray[np.float64]
"""Boxes of n components, n×4: left, top, right, bottom."""

Rule = Callable[[Boxes, Boxes, Sizes], NDArray[np.bool_]]
"""Says of n pairs of components, the upper and the lower ones, which two belong together."""

_PAIRS_AT_ONCE = 200_000
"""Pairs of components compared at a time, to keep memory small."""

_SOLID_STROKES = 2.4
"""Longer side of a body in its own strokes: a blob has two; half an i, scanned coarsely, barely more."""

_LEAST_FILL_SHARE = 0.04
"""Share of the box that is ink in something larger than two letters: a frame has less."""

_FORM_LINE_LETTERS = 4.0
"""A slim component longer than this is a form line, not a T's bar or an underlined I."""

_FORM_LINE_RATIO = 6.0
"""Longer side divided by the shorter from which a long component is slim; letters that touch are not."""


def drop_non_letters(
    components: Sequence[Component], sizes: Sizes, at_edge: NDArray[np.bool_], trace: Trace = UNSEEN
) -> list[Component]:
    """Drop what cannot be part of a letter.

    Args:
        components: of the page.
        sizes: of its letters and strokes.
        at_edge: bool, one for each component: whether it touches the edge of the page.
        trace: receives what is dropped, and why.

    Returns:
        The components without noise, form lines, frames, shadows and lines that the edge cuts.
    """
    kept: list[Component] = []
    specks: list[Component] = []
    form_lines: list[Component] = []
    cut_off: list[Component] = []
    large = find_large_letters(components, HIGHEST_BODY_LETTERS * sizes.letter)
    for component, cut, is_large in zip(components, at_edge.tolist(), large.tolist(), strict=True):
        if component.area < LEAST_INK_SQUARE_STROKES * sizes.stroke**2:
            specks.append(component)
        elif is_large and not cut:
            kept.append(component)
        elif _is_line_or_drawing(component, sizes):
            form_lines.append(component)
        elif cut and _is_cut(component, sizes.letter):
            cut_off.append(component)
        else:
            kept.append(component)
    trace.note("left out", form_lines, "form lines, frames, drawings")
    trace.note("left out", cut_off, "cut by the edge")
    trace.note("left out", specks, "specks")
    return kept


def _is_line_or_drawing(component: Component, sizes: Sizes) -> bool:
    """Whether a component is a form line, a frame or a drawing."""
    letter = sizes.letter
    longer, shorter = max(component.width, component.height), min(component.width, component.height)
    slack = WIDTH_ERROR_PIXELS if longer <= JOIN_HEIGHT_LETTERS * letter else 0.0
    return (
        component.height > HIGHEST_BODY_LETTERS * letter
        or component.width > WIDEST_BODY_LETTERS * letter
        or component.is_net
        or (longer > _FORM_LINE_LETTERS * letter and longer > _FORM_LINE_RATIO * shorter)
        or (longer > 2 * letter and component.fill < _LEAST_FILL_SHARE)
        or (longer > 0.5 * letter and shorter + slack < THINNEST_STROKES * sizes.stroke)
        or (
            longer > 0.5 * letter
            and component.stroke + slack < THINNEST_STROKES * sizes.stroke
            and _is_line_remnant(component, sizes)
        )
    )


def _is_line_remnant(component: Component, sizes: Sizes) -> bool:
    """Whether a component thinner than the pen remains of form lines: a straight line, or an empty corner."""
    _, sides, _ = cv2.minAreaRect(component.contours[0])
    return min(sides) + 1 < sizes.stroke or component.fill < LEAST_CORNER_FILL_SHARE


def _is_cut(component: Component, letter: float) -> bool:
    """Whether a component at the edge of the page belongs to a line beyond it, or is the edge's shadow."""
    return (
        component.height < LEAST_EDGE_BODY_LETTERS * letter
        or max(component.width, component.height) > 2 * letter
    )


def is_body(component: Component, sizes: Sizes) -> bool:
    """Whether a component is high and structured enough to be a letter or most of one."""
    return (
        component.height >= LEAST_BODY_LETTERS * sizes.letter
        and max(component.width, component.height) >= _SOLID_STROKES * component.stroke
    )


def join_strokes(components: Sequence[Component], sizes: Sizes) -> list[Component]:
    """Join the components of letters that the pen or the scanner broke.

    Two components are one letter if the smaller lies in the other's box, or if they lie over each other by
    most of the narrower one's width with little paper between, and together are no higher than a letter.
    Two tall components side by side stay apart, however much their boxes overlap, unless the left one is a
    lone stem that all but touches the other: a B, D, K or R drawn with two strokes.

    Args:
        components: in the ink frame.
        sizes: of the page's letters and strokes.

    Returns:
        The letters, and the components that were not joined, from top to bottom.
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
    """Join the pairs of components that a rule names, unless the letter would be too high.

    `surely` decides last on each pair; it may be slow.
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
    """Yield the pairs of components that a rule names, as numbers of the upper one and the lower one.

    Asks the rule only about components that begin within the height of the highest letter and almost share
    a column, for a limited number of pairs at a time so that memory stays small.

    Args:
        ordered: the components from top to bottom.
        sizes: of the page's letters and strokes.
        are_one: the rule.
    """
    boxes = np.array([(p.left, p.top, p.right, p.bottom) for p in ordered], np.float64).reshape(-1, 4)
    first = np.searchsorted(boxes[:, 1], boxes[:, 1] - HIGHEST_BODY_LETTERS * sizes.letter)
    counts = np.arange(len(boxes)) - first
    ends = np.cumsum(counts)
    beside = max(DOT_SLACK_LETTERS * sizes.letter, STEM_GAP_STROKES * sizes.stroke)
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
    inside = (beside >= INSIDE_SHARE * width) & (below >= INSIDE_SHARE * height) & ~tall
    stacked = (below < 0.5 * height) | ~tall
    over = (beside >= JOIN_OVERLAP_SHARE * width) & (below >= -JOIN_GAP_STROKES * sizes.stroke) & stacked
    are_one: NDArray[np.bool_] = inside | (over & ~_may_be_accent(upper, lower, below, sizes))
    return are_one


def _may_be_accent(upper: Boxes, lower: Boxes, below: NDArray[np.float64], sizes: Sizes) -> NDArray[np.bool_]:
    """Whether one of two components is a whole letter and the other a mark apart from it."""
    heights, widths = upper[:, 3] - upper[:, 1], upper[:, 2] - upper[:, 0]
    height, width = lower[:, 3] - lower[:, 1], lower[:, 2] - lower[:, 0]
    is_lower = heights < height
    mark, letter = np.where(is_lower, widths, width), np.where(is_lower, width, widths)
    low = np.minimum(heights, height)
    is_bar = (mark >= BAR_RATIO * low) & (mark >= JOIN_OVERLAP_SHARE * letter)
    fits: NDArray[np.bool_] = (
        (np.maximum(heights, height) >= WHOLE_LETTERS * sizes.letter)
        & (low < LEAST_BODY_LETTERS * sizes.letter)
        & (below < 0)
        & (letter > NARROW_LETTERS * sizes.letter)
        & ~is_bar
    )
    return fits


def _dotted(upper: Boxes, lower: Boxes, sizes: Sizes) -> NDArray[np.bool_]:
    """Whether the upper one of two components is the dot of the other, an i's stem too low to be a letter."""
    left, top, right, bottom = upper.T
    width, height = lower[:, 2] - lower[:, 0], lower[:, 3] - lower[:, 1]
    middle = (left + right) / 2
    slack = DOT_SLACK_LETTERS * sizes.letter
    fits: NDArray[np.bool_] = (
        (height >= LEAST_STEM_RATIO * width)
        & (height <= LEAST_BODY_LETTERS * sizes.letter)
        & (np.maximum(right - left, bottom - top) <= LARGEST_STOP_LETTERS * sizes.letter)
        & (lower[:, 1] - bottom >= 0)
        & (lower[:, 1] - bottom <= DOT_GAP_LETTERS * sizes.letter)
        & (lower[:, 3] - top >= LEAST_DOTTED_LETTERS * sizes.letter)
        & (lower[:, 0] - slack <= middle)
        & (middle <= lower[:, 2] + slack)
    )
    return fits


def _stems(upper: Boxes, lower: Boxes, sizes: Sizes) -> NDArray[np.bool_]:
    """Whether two components are so close that they make a letter if one is its stem."""
    beside = np.maximum(upper[:, 0], lower[:, 0]) - np.minimum(upper[:, 2], lower[:, 2])
    below = np.minimum(upper[:, 3], lower[:, 3]) - np.maximum(upper[:, 1], lower[:, 1])
    width = np.maximum(upper[:, 2], lower[:, 2]) - np.minimum(upper[:, 0], lower[:, 0])
    near: NDArray[np.bool_] = (
        (beside <= STEM_GAP_STROKES * sizes.stroke)
        & (below >= 0.5 * sizes.letter)
        & (width <= 1.3 * sizes.letter)
    )
    return near


def _is_stem_and_rest(one: Component, other: Component, sizes: Sizes) -> bool:
    """Whether the left one of two components is a lone stem, and the right one the rest of its letter."""
    stem, rest = sorted((one, other), key=lambda component: component.left + component.right)
    return (
        stem.width <= WIDEST_STEM_RATIO * stem.height
        and rest.width >= max(stem.width, 0.25 * sizes.letter)
        and gap_between(stem, rest) <= STEM_GAP_STROKES * sizes.stroke
    )


def _is_one_height(components: Sequence[Component], sizes: Sizes) -> bool:
    """Whether components together are no higher than a letter, or than the highest of them and a little."""
    height = max(component.bottom for component in components) - min(
        component.top for component in components
    )
    return height <= max(
        JOIN_HEIGHT_LETTERS * sizes.letter, 1.1 * max(component.height for component in components)
    )


def separate_accents(lines: Sequence[Sequence[Component]]) -> tuple[list[list[Component]], list[Component]]:
    """Take accents as high as a small letter out of the lines that they formed.

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
        if component.height <= HIGHEST_ACCENT_LETTERS * places.height.max()
        and _stands_free(line, number)
        and _above(component, places).any()
    ]
    taken = {id(component) for component in accents}
    kept = [[component for component in line if id(component) not in taken] for line in lines]
    return [line for line in kept if line], accents


def _stands_free(line: Sequence[Component], number: int) -> bool:
    """Whether a component's neighbours in its line are farther away than letters of its size would be."""
    return _is_alone(line, number, line[number].height)


def _is_alone(line: Sequence[Component], number: int, distance: float) -> bool:
    """Whether a component's neighbours in its line are farther away than a distance in pixels."""
    component = line[number]
    before, after = line[:number][-1:], line[number + 1 :][:1]
    gaps = [component.left - other.right for other in before] + [
        other.left - component.right for other in after
    ]
    return all(gap > distance for gap in gaps)


def drop_strays(
    lines: Sequence[Sequence[Component]], ink: NDArray[np.uint8], sizes: Sizes, trace: Trace = UNSEEN
) -> list[list[Component]]:
    """Drop folds, edges of the sheet and holes that are alone in their row, or stand far from its letters.

    Args:
        lines: the page's lines of letters.
        ink: uint8, h×w, the soft foreground mask.
        sizes: of the page's letters and strokes.
        trace: receives what is dropped.

    Returns:
        The lines without them, none of them empty.
    """
    lone = [
        component
        for line in lines
        for number, component in enumerate(line)
        if _is_alone(line, number, LONE_LETTERS * max(sizes.letter, line_height(line)))
    ]
    if not lone:
        return [list(line) for line in lines]
    usual = float(np.median([_ink_level(component, ink) for line in lines for component in line]))
    strays = [one for one in lone if _is_stray(one, sizes, _ink_level(one, ink) < FAINT_SHARE * usual)]
    trace.note("left out", strays, "folds, edges, holes")
    dropped = {id(stray) for stray in strays}
    kept = [[component for component in line if id(component) not in dropped] for line in lines]
    return [line for line in kept if line]


def _is_stray(component: Component, sizes: Sizes, is_faint: bool) -> bool:
    """Whether a component alone in its row is no letter: a tall or faint bar, or a blot."""
    if component.stroke > THICKEST_LONE_STROKES * sizes.stroke:
        return True
    _, sides, _ = cv2.minAreaRect(np.concatenate(component.contours))
    is_bar = max(sides) + 1 >= SLENDER_RATIO * (min(sides) + 1)
    return is_bar and (is_faint or component.height > TALLEST_LONE_LETTERS * sizes.letter)


def _ink_level(component: Component, ink: NDArray[np.uint8]) -> float:
    """Mean of a component's ink, 0–255."""
    drawing = draw_component(component, component.left, component.top, component.width, component.height)
    own = ink[component.top : component.bottom, component.left : component.right]
    return float(cv2.mean(own, drawing)[0])


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the page's letters are: float64 arrays, one value for each letter, in the ink frame.

    Attributes:
        left, top, right, bottom: of the letter's box.
        height: of its line's typical letter.
        head, foot: rows in which the letters around it begin and end.
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
        return self.bottom - self.top >= WHOLE_LETTERS * self.height


def _places(lines: Sequence[Sequence[Component]]) -> _Places:
    """Collect where the letters of all lines are."""
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
    # Mirrored at both ends, as np.pad does it, which takes longer than all the rest.
    places = np.arange(-NEIGHBOURS_PER_SIDE, len(rows) + NEIGHBOURS_PER_SIDE) % (2 * len(rows))
    padded = rows[np.minimum(places, 2 * len(rows) - 1 - places)]
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS_PER_SIDE + 1)
    middles: NDArray[np.float64] = np.sort(near, axis=1)[:, NEIGHBOURS_PER_SIDE]
    return middles


def attach_marks(
    lines: Sequence[Sequence[Component]], marks: Sequence[Component], sizes: Sizes, trace: Trace = UNSEEN
) -> list[list[Component]]:
    """Attach each mark to the letter that it belongs to, or drop it.

    The dot of an i and what is left of a stroke become ink of their letter. An accent also goes with its
    letter, but stays apart from its ink.

    Args:
        lines: the page's lines of letters.
        marks: small components: dots, fragments of strokes, accents, full stops, specks.
        sizes: of the page's letters and strokes.
        trace: receives the marks that are dropped.

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
    """The index of the least distant letter among those that fit, or None."""
    found = np.flatnonzero(fits)
    return int(found[np.argmin(off[found])]) if found.size else None


def _is_part(mark: Component, places: _Places, stroke: float) -> NDArray[np.bool_]:
    """For each letter: is the mark the dot of its i, or a fragment of its strokes?"""
    left, right, height = places.left, places.right, places.height
    middle = (mark.left + mark.right) / 2
    above = places.top - mark.bottom
    beside = np.maximum(left - mark.right, mark.left - right)
    may_dot = (
        (above >= 0) & (right - left <= NARROW_LETTERS * height) & (mark.width <= NARROW_LETTERS * height)
    )
    slack = DOT_SLACK_LETTERS * height
    is_dot = (
        may_dot & (above <= DOT_GAP_LETTERS * height) & (left - slack <= middle) & (middle <= right + slack)
    )
    is_stop = (max(mark.width, mark.height) < LARGEST_STOP_LETTERS * height) & (
        mark.top > places.bottom - DOT_SLACK_LETTERS * height
    )

    close = (above <= JOIN_GAP_STROKES * stroke) & (mark.bottom <= places.bottom + stroke)
    level = (mark.top + mark.bottom) / 2
    is_bar = mark.width >= BAR_RATIO * mark.height
    room = (BAR_SLACK_LETTERS if is_bar else BAND_SLACK_LETTERS) * height
    in_band = (level >= places.head - room) & (level <= places.foot + room)
    in_band |= is_bar & (above >= 0) & (mark.width >= right - left)

    over = np.minimum(right, mark.right) - np.maximum(left, mark.left)
    covers = over >= JOIN_OVERLAP_SHARE * np.minimum(right - left, mark.width)
    near = np.maximum(above, mark.top - places.bottom) <= BAND_GAP_LETTERS * height
    is_fragment = covers & near & in_band & (mark.width <= WIDEST_FRAGMENT_LETTERS * height)
    is_touched = ~may_dot & close & (beside <= np.where(is_stop, 0, stroke)) & ((above < 0) | in_band)
    fits: NDArray[np.bool_] = is_dot | is_fragment | is_touched
    return fits


def _is_accent(mark: Component, places: _Places) -> NDArray[np.bool_]:
    """For each letter: is the mark its accent, or its cedilla?"""
    right, left = places.right, places.left
    middle = (mark.left + mark.right) / 2
    under = mark.top - places.bottom
    is_cedilla = (
        places.is_whole
        & (np.abs(under) <= CEDILLA_GAP_LETTERS * places.height)
        & (mark.bottom > places.foot + BAND_SLACK_LETTERS * places.height)
        & (mark.height <= HIGHEST_ACCENT_LETTERS * places.height)
        & (left <= middle)
        & (middle <= right)
    )
    # A mark at the foot of the line above is that line's full stop.
    stop_of_other = (
        (np.maximum(left - mark.right, mark.left - right) <= places.height)
        & (mark.top < places.foot + BAND_SLACK_LETTERS * places.height)
        & (mark.bottom > places.head)
    )
    fits: NDArray[np.bool_] = is_cedilla
    if not stop_of_other.any():
        fits = fits | _above(mark, places)
    return fits


def _above(mark: Component, places: _Places) -> NDArray[np.bool_]:
    """For each letter: is the mark above it where an accent would be?"""
    middle = (mark.left + mark.right) / 2
    gap = places.top - mark.bottom
    slack = DOT_SLACK_LETTERS * places.height
    fits: NDArray[np.bool_] = (
        places.is_whole
        & (gap >= -slack)
        & (gap <= ACCENT_GAP_LETTERS * places.height)
        & (mark.height <= HIGHEST_ACCENT_LETTERS * places.height)
        & (mark.width <= np.maximum(places.right - places.left, places.height))
        & (places.left - slack <= middle)
        & (middle <= places.right + slack)
    )
    return fits
