"""Form furniture: rules, boxes, combs and grids go out of the ink; the letters on them stay whole.

A rule is long and thin, straight or gently bent, and of one width. It is looked for in the ink averaged
over narrow columns, where it is a run from column to column, and followed as a path. Along that path the
ink is straightened into a strip, which shows how wide the rule is and whether it is one at all. It is
taken out of every column of the strip in which no stroke leaves it, so that what crosses or touches a
rule stays as it was. Upright rules are the same on the ink turned over its diagonal.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import (
    INK_LEVEL,
    LEAST_LETTER,
    Component,
    Sizes,
    contour_boxes,
    measure_sizes,
)

COLUMN = 1 / 8
"""Width in letter heights of the columns in which rules are looked for: a stroke or so."""

FAINT = 56
"""Ink averaged over a column (0–255) from which a rule may run through it: a dotted one covers a quarter."""

LEAST_RUN = 0.7
"""Letter heights of the runs that rules are put together from; a rule that slopes has many short ones."""

BRIDGE = 0.3
"""Letter heights of paper that a run may skip: between dots, and where the scanner lost the rule."""

LEAST_RULE = 3.0
"""Letter heights from which a rule is one by its length alone; the bar of a letter is at most two."""

THICKEST = 0.26
"""Widest rule in letter heights: a frame beside small print; wider are brushes, blocks and shadows."""

WIDTH_SLACK = 0.35
"""Share of its usual width, or of the usual step between its dots, by which a rule may be uneven."""

LEAST_EVEN = 0.65
"""Share of a rule that is so even, and keeps to its path as closely; strokes are met in the rest."""

LEAST_UNBROKEN = 2.2
"""Letter heights of a rule without a gap: the bars of letters side by side meet for less."""

DOT_STEP = 0.32
"""Letter heights from dot to dot; letters stand farther apart."""

LARGEST_DOT = 0.16
"""Letter heights: the bars of AAAAAA are longer."""

CERTAIN = 8.0
"""Letter heights from which a line is a rule however often it is broken."""

LEAST_DOTS = 12
"""Dots at one distance make a dotted rule; fewer are letters' feet."""

LEAST_COVER = 0.8
"""Share of a rule's columns, strokes aside, in which its ink is seen."""

MOST_CROSSED = 0.7
"""Share of a rule's columns that strokes may leave; where there are more it is a row of print."""

EDGE = 3
"""Half widths from the page's edge within which a rule is that edge, and strokes only end at it."""

USUAL = 75.0
"""Percentile of the ink in each row of a rule's strip that is the rule's own; strokes are stronger."""

LEAVES = 0.2
"""Strokes by which ink goes on beyond the rule where a stroke leaves it: unevenness is less."""

SMOOTHING = 1.5
"""Letter heights of path over which a rule keeps its direction."""

STEEPEST = 0.1
"""Rows by which a rule may fall a column, once the page's skew is out."""

LEAST_CELL = 0.6
"""Letter heights: the narrowest cell of a comb."""

WIDEST_CELL = 4.0
"""Letter heights: the widest cell of a comb or table whose walls are looked for where they don't show."""

NEXT_WALLS = 5
"""One of so many walls to the right of a wall is the next: letters may stand between."""

UNEVEN = 0.15
"""Letter heights by which a wall may stand off its place in a comb."""

LEAST_WALLS = 0.7
"""Share of the walls of a comb that are seen; a stroke over a wall may hide it."""

LARGEST_GUESS = 1 / 8
"""Share of the page's longer side that a letter is taken to be where what was measured is larger: a grid."""

LEAST_STROKES = 5.0
"""Height in strokes of a line of letters that stand on one rule: a lone rule has one, its own."""

MEETS = 0.25
"""Letter heights within which the end of a wall lies at the rule that it stands on."""

_FREE = 2
"""Pixels on each side of a rule over which its soft edge runs out."""


@dataclass(frozen=True, slots=True)
class FormLines:
    """Ink without the furniture of its form.

    Attributes:
        mask: uint8, h×w, 0 paper … 255 ink: what was written.
        removed: uint8, h×w, the ink that was taken out.
    """

    mask: NDArray[np.uint8] = field(compare=False, repr=False)
    removed: NDArray[np.uint8] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Path:
    """A rule from left to right: `y` (float64) is its middle at each column from `start` on; its width."""

    start: int
    y: NDArray[np.float64]
    width: float = 0.0

    @property
    def stop(self) -> int:
        return self.start + len(self.y)


def remove_form_lines(ink: NDArray[np.uint8], sizes: Sizes) -> FormLines:
    """Take rules, boxes, combs and grids out of the ink.

    Args:
        ink: uint8, h×w, soft ink.
        sizes: of the page's letters and strokes, in pixels of the ink.
    """
    turned = _turned(ink)
    level, upright = _find_runs(ink, sizes), _find_runs(turned, sizes)
    least = LEAST_RULE * sizes.letter
    rules = tuple(
        _measured(each, [runs.trace(run) for run in runs.runs if run[2] >= least], sizes)
        for each, runs in ((ink, level), (turned, upright))
    )
    if not any(rules):
        return FormLines(ink, np.zeros_like(ink))
    sides = _walls(ink, level, rules[1], sizes), _walls(turned, upright, rules[0], sizes)
    mask = ink.copy()
    beyond = 1 + round(max(rule.width for rule in (*rules[0], *rules[1])))
    for found, walls in zip(rules, sides, strict=True):
        for rule in (*found, *walls):
            _erase(mask, _longer(rule, beyond, mask.shape[1]), sizes)
        mask = _turned(mask)  # After both it is upright again.
    return FormLines(mask, cv2.subtract(ink, mask).astype(np.uint8, copy=False))


def guess_sizes(components: Sequence[Component], side: int) -> Sizes | None:
    """Guess how large letters are on a page that may be one grid, in which no letter stands alone.

    Args:
        components: the page's components with its furniture.
        side: the page's longer side in pixels.

    Returns:
        The sizes, or None where nothing has the shape of a letter or of a grid that letters touch.
    """
    seen = measure_sizes(components)
    if seen is None:  # Every letter stands on a rule: together they are as high as the letters are.
        high = [
            component
            for component in components
            if component.height >= max(LEAST_LETTER, LEAST_STROKES * component.stroke)
        ]
        if not high:
            return None
        letter, stroke = np.median(
            [(component.height, component.stroke) for component in high], axis=0
        ).tolist()
        seen = Sizes(letter, stroke)
    letter = min(seen.letter, LARGEST_GUESS * side)
    return Sizes(letter, min(seen.stroke, THICKEST * letter))


_Run = tuple[int, int, int, int, NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Where rules from left to right may be, in ink averaged over columns of `column` pixels.

    Attributes:
        small: uint8, h×n, the averaged ink.
        column: pixels of ink in one column of it.
        smoothing: columns over which a path is smoothed.
        runs: of each one: left, top, width, height, and its outline (int32, n×1×2) in columns and rows;
            left and width in pixels of the ink.
    """

    small: NDArray[np.uint8]
    column: int
    smoothing: int
    runs: list[_Run]

    def trace(self, run: _Run) -> _Path:
        """Follow the middle of a run."""
        left, top, width, high, outline = run
        x, wide = left // self.column, width // self.column
        own = np.zeros((high, wide), np.uint8)
        cv2.drawContours(own, [outline], 0, 255, cv2.FILLED, offset=(-x, -top))
        weight = cv2.bitwise_and(own, self.small[top : top + high, x : x + wide]).astype(np.float64)
        total = weight.sum(axis=0)
        at = np.flatnonzero(total)
        middle = (weight[:, at] * np.arange(high)[:, None]).sum(axis=0) / total[at]
        middles = _smooth(np.interp(np.arange(wide), at, top + middle), self.smoothing)
        places = left + (np.arange(wide) + 0.5) * self.column - 0.5
        return _Path(left, np.interp(np.arange(left, left + width), places, middles))


def _find_runs(ink: NDArray[np.uint8], sizes: Sizes) -> _Runs:
    """Find what may be a rule from left to right: all that is long enough for the side of a box."""
    column = max(1, round(COLUMN * sizes.letter))
    columns = ink.shape[1] // column
    run = max(3, round(LEAST_RUN * sizes.letter / column))
    nothing = _Runs(np.zeros((0, 0), np.uint8), column, 1, [])
    if columns < run:
        return nothing
    small = _columns(ink, column, columns)
    _, seen = cv2.threshold(small, FAINT, 255, cv2.THRESH_BINARY)
    letter_run = np.ones((1, round(sizes.letter / column) | 1), np.uint8)
    thickest = max(3, round(THICKEST * sizes.letter))
    thick = cv2.morphologyEx(seen, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    thin = cv2.subtract(seen, thick)
    # Over a letter the rule goes on as ink; over paper it may stop no longer than between two dots.
    along = cv2.bitwise_and(cv2.morphologyEx(thin, cv2.MORPH_CLOSE, letter_run), seen)
    near = cv2.dilate(along, np.ones((3, 1), np.uint8))  # A rule that slopes goes on in the next row.
    bridge = max(1, round(BRIDGE * sizes.letter / column))
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, bridge + 1), np.uint8))
    near = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if not near.any():
        return nothing
    outlines, links = cv2.findContours(near, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    boxes = contour_boxes(outlines)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    is_outer = np.reshape(links, (-1, 4))[:, 3] < 0
    low = np.flatnonzero(is_outer & (height <= thickest + 2 + STEEPEST * width * column)).tolist()
    places = np.column_stack((boxes[:, 0] * column, boxes[:, 1], width * column, height)).tolist()
    found = [(*places[index], np.asarray(outlines[index], np.int32)) for index in low]
    return _Runs(small, column, round(SMOOTHING * sizes.letter / column), found)


def _columns(ink: NDArray[np.uint8], column: int, columns: int) -> NDArray[np.uint8]:
    """Average the ink over columns of so many pixels."""
    whole = ink[:, : column * columns]
    # Every other pixel's middle lies between two: there the linear kernel is their mean, and quick.
    how = cv2.INTER_LINEAR if column == 2 else cv2.INTER_AREA
    return cv2.resize(whole, (columns, ink.shape[0]), interpolation=how).astype(np.uint8, copy=False)


def _turned(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn ink over its diagonal, so that its columns lie one after the other in memory."""
    return cv2.transpose(ink).astype(np.uint8, copy=False)


def _smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Running median, then running mean, the ends carried on in their direction."""
    window = min(window | 1, (len(values) - 1) | 1)
    if window < 3:
        return values
    half = window // 2
    around = np.lib.stride_tricks.sliding_window_view(_carried_on(values, half), window)
    medians = np.sort(around, axis=1)[:, half]
    return np.convolve(_carried_on(medians, half), np.full(window, 1 / window), "valid")


def _carried_on(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """Values with so many more at both ends: their neighbours, mirrored at the end itself."""
    before, after = 2 * values[0] - values[by:0:-1], 2 * values[-1] - values[-2 : -by - 2 : -1]
    return np.concatenate((before, values, after))


def _strip(ink: NDArray[np.uint8], path: _Path, reach: int) -> NDArray[np.uint8]:
    """Straighten the ink along a path: row `reach` of the strip is the path, paper lies beyond the page."""
    upper = np.floor(path.y)
    part = np.rint(256 * (path.y - upper)).astype(np.uint16)
    rows = upper.astype(np.intp) + np.arange(-reach, reach + 2)[:, None]
    columns = np.arange(path.start, path.stop)
    if rows[0].min() < 0 or rows[-1].max() >= len(ink):
        inside = (rows >= 0) & (rows < len(ink))
        whole = np.where(inside, ink[rows.clip(0, len(ink) - 1), columns], 0).astype(np.uint16)
    else:
        whole = ink.take(rows * ink.shape[1] + columns).astype(np.uint16)
    strip = whole[1:] * part
    whole *= 256 - part  # At most 255 × 256: sixteen bits hold it.
    strip += whole[:-1]
    strip >>= 8
    return strip.astype(np.uint8)


def _measured(ink: NDArray[np.uint8], paths: Sequence[_Path], sizes: Sizes) -> list[_Path]:
    """Follow each rule exactly and measure its width, and leave out what is none."""
    found = (_follow(ink, path, sizes) for path in paths)
    return [rule for rule in found if rule is not None]


def _follow(ink: NDArray[np.uint8], path: _Path, sizes: Sizes) -> _Path | None:
    """Follow a rule exactly and measure its width; None where it is none."""
    thickest = max(3, round(THICKEST * sizes.letter))
    reach = thickest + 1
    strip = _strip(ink, path, reach)
    strongest = strip[reach // 2 : -(reach // 2)].max(axis=0)
    level = float(np.median(strongest[strongest >= FAINT])) / 2 if (strongest >= FAINT).any() else FAINT
    dark = strip >= max(FAINT / 2, level)
    dark = _at_the_path(dark)
    thick = dark.sum(axis=0)
    crossed = thick > thickest
    thin = (thick > 0) & ~crossed
    if crossed.mean() > MOST_CROSSED or not thin.any():
        return None
    widths = thick[thin]
    usual = float(np.median(widths))
    if (widths <= usual + max(1.0, WIDTH_SLACK * usual)).mean() < LEAST_EVEN:
        return None
    is_dotted = _is_dotted(thin, sizes)
    if not is_dotted and not _is_line(thick > 0, crossed, sizes):
        return None
    column = max(1, round(COLUMN * sizes.letter))
    count = len(thin) // column
    weight = np.where(dark & thin, strip, 0)[:, : count * column].astype(np.float64)
    weights = weight.sum(axis=0)
    offset = np.arange(-reach, reach + 1.0) @ weight + path.y[: count * column] * weights
    total = weights.reshape(count, column).sum(axis=1)
    at = np.flatnonzero(total)
    if len(at) < 2:
        return None
    middles = offset.reshape(count, column).sum(axis=1)[at] / total[at]
    seen = np.interp(np.arange(count), at, middles)
    middles = _smooth(seen, round(SMOOTHING * sizes.letter / column))
    strays = np.abs(seen - middles)[at] > max(1.0, WIDTH_SLACK * usual)
    if not is_dotted and strays.mean() > 1 - LEAST_EVEN:
        return None
    start, stop = max(0, path.start - column), min(ink.shape[1], path.stop + column)  # Its ends lie between.
    places = path.start + (np.arange(count) + 0.5) * column - 0.5
    width = float(np.percentile(weights[thin[: count * column]], 60)) / 255
    rule = _Path(start, np.interp(np.arange(start, stop), places, middles), max(1.0, width))
    lit = np.flatnonzero((_strip(ink, rule, max(1, round(width / 2))) >= INK_LEVEL // 2).any(axis=0))
    return _Path(start + int(lit[0]), rule.y[lit[0] : lit[-1] + 1], rule.width) if lit.size else None


def _at_the_path(dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each column of a strip the run of ink that is nearest to its middle row; none where all are far."""
    rows = np.abs(np.arange(len(dark), dtype=np.int16) - len(dark) // 2)[:, None]
    away = np.where(dark, rows, np.int16(len(dark)))
    nearest = away.argmin(axis=0)[None]
    is_near = np.take_along_axis(away, nearest, axis=0) <= len(dark) // 4
    changes = np.vstack((dark[:1], dark[1:] != dark[:-1]))
    runs = np.cumsum(changes, axis=0, dtype=np.int16)
    run: NDArray[np.bool_] = dark & is_near & (runs == np.take_along_axis(runs, nearest, axis=0))
    return run


def _longest(ink: NDArray[np.bool_]) -> int:
    """Length of the longest run of ink."""
    paper = np.flatnonzero(~np.concatenate(([False], ink, [False])))
    return int(np.diff(paper).max()) - 1


def _is_line(ink: NDArray[np.bool_], crossed: NDArray[np.bool_], sizes: Sizes) -> bool:
    """Whether ink along a path is a line, strokes aside: no bars of letters side by side."""
    unbroken = min(LEAST_UNBROKEN * sizes.letter, LEAST_COVER * len(ink))
    is_whole = _longest(ink) >= unbroken or len(ink) >= CERTAIN * sizes.letter
    return is_whole and bool(ink[~crossed].mean() >= LEAST_COVER)


def _is_dotted(ink: NDArray[np.bool_], sizes: Sizes) -> bool:
    """Whether ink along a path is dots at one distance."""
    edges = np.diff(np.concatenate(([False], ink, [False])).astype(np.int8))
    starts, stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    if len(starts) < LEAST_DOTS or ink.mean() > LEAST_COVER:
        return False
    for lengths, most in ((np.diff(starts), DOT_STEP), (stops - starts, LARGEST_DOT)):
        usual = float(np.median(lengths))
        even = np.abs(lengths - usual) <= max(1.0, WIDTH_SLACK * usual)
        if usual > most * sizes.letter or even.mean() < LEAST_EVEN:
            return False
    return True


def _walls(ink: NDArray[np.uint8], runs: _Runs, across: Sequence[_Path], sizes: Sizes) -> list[_Path]:
    """Which of the short runs are sides of boxes or walls of combs: they go from rule to rule across.

    A letter's stem may go as far. Sides stand where the rules end; walls stand at one distance.
    """
    between: dict[tuple[int, int], list[_Path]] = {}
    near = MEETS * sizes.letter
    crossings = _crossings(across, len(ink), runs.column, near)
    for run in runs.runs:
        left, top, width, high, _ = run
        reach = near + 2 * runs.column
        meets = _meets(crossings, (top + high / 2) / runs.column, left - reach, left + width + reach)
        if len(meets) < 2:
            continue
        path = runs.trace(run)
        for (above, first), (below, last) in itertools.pairwise(meets):
            start, stop = max(path.start, round(above)), min(path.stop, round(below))
            if stop - start < LEAST_RUN * sizes.letter:
                continue
            part = _Path(start, path.y[start - path.start : stop - path.start])
            wall = _follow(ink, part, sizes)
            if wall is None:
                continue
            if wall.start - above <= near and below - wall.stop <= near and _stands(ink, wall, near):
                between.setdefault((first, last), []).append(wall)
    walls = []
    for (first, last), found in between.items():
        one, other = across[first], across[last]
        span = min(one.start, other.start), max(one.stop, other.stop)
        places = np.array([float(np.mean(short.y)) for short in found])
        is_side = (places < span[0] + near) | (places > span[1] - near)
        cells = _cells(places, span, sizes)
        is_wall = is_side | (
            np.abs(places[:, None] - cells).min(axis=1, initial=np.inf) <= UNEVEN * sizes.letter
        )
        walls += [short for short, is_one in zip(found, is_wall.tolist(), strict=True) if is_one]
        thick = float(np.median([short.width for short in found]))
        ends = [(one.start + other.start + thick) / 2] * (abs(one.start - other.start) <= near)
        ends += [(one.stop + other.stop - thick) / 2] * (abs(one.stop - other.stop) <= near)
        due = np.concatenate((cells, ends))
        unseen = np.abs(due[:, None] - places).min(axis=1, initial=np.inf) > UNEVEN * sizes.letter
        hidden = [_between(one, other, place, thick) for place in due[unseen].tolist()]
        walls += [wall for wall in hidden if _stands(ink, wall, near)]  # Strokes lie over it.
    return walls


def _stands(ink: NDArray[np.uint8], wall: _Path, near: float) -> bool:
    """Whether a wall comes without a gap from the rules at its ends: a letter's stem stops before them."""
    strip = _strip(ink, wall, 1 + round(wall.width / 2)).max(axis=0) >= INK_LEVEL // 2
    return bool(strip[: round(near)].all() and strip[-round(near) :].all())


def _between(one: _Path, other: _Path, place: float, width: float) -> _Path:
    """A wall from rule to rule."""
    ends = sorted(float(np.interp(place, np.arange(rule.start, rule.stop), rule.y)) for rule in (one, other))
    return _Path(round(ends[0]), np.full(max(1, round(ends[1]) - round(ends[0])), place), width)


def _crossings(rules: Sequence[_Path], height: int, step: int, near: float) -> NDArray[np.float64]:
    """Where rules run: in a row a rule and a column each `step` pixels; not a number beyond its ends."""
    table = np.full((len(rules), height // step + 1), np.nan)
    places = np.arange(table.shape[1]) * step
    for row, rule in zip(table, rules, strict=True):
        within = (places >= rule.start - near) & (places <= rule.stop + near)
        row[within] = rule.y[(places[within] - rule.start).clip(0, len(rule.y) - 1)]
    return table


def _meets(crossings: NDArray[np.float64], y: float, start: float, stop: float) -> list[tuple[float, int]]:
    """Where a path meets rules that run across it: in which of its columns, and their numbers."""
    places = crossings[:, min(max(round(y), 0), crossings.shape[1] - 1)]
    met = np.flatnonzero((places >= start) & (places <= stop))
    return sorted(zip(places[met].tolist(), met.tolist(), strict=True)) if met.size > 1 else []


def _cells(places: NDArray[np.float64], span: tuple[int, int], sizes: Sizes) -> NDArray[np.float64]:
    """Where the walls of a comb stand: at one distance, hardly one missing; empty where there is no comb."""
    best, most = np.zeros(0), 0
    places = np.sort(places)
    slack = UNEVEN * sizes.letter
    for first in range(len(places)):
        for second in range(first + 1, min(len(places), first + NEXT_WALLS)):
            pitch = places[second] - places[first]
            if not LEAST_CELL * sizes.letter <= pitch <= WIDEST_CELL * sizes.letter:
                continue
            steps = np.rint((places - places[first]) / pitch)
            on = np.abs(places - places[first] - steps * pitch) <= slack
            count = len(np.unique(steps[on]))
            cells = steps[on].max() - steps[on].min() + 1
            if (
                count < max(3, LEAST_WALLS * cells)
                or count <= most
                or cells * pitch < 0.5 * (span[1] - span[0])
            ):
                continue
            slope, start = np.polyfit(steps[on], places[on], 1)
            low, high = (
                np.ceil((span[0] - slack - start) / slope),
                np.floor((span[1] + slack - start) / slope),
            )
            best, most = start + slope * np.arange(low, high + 1), count
    return best


def _longer(rule: _Path, by: int, end: int) -> _Path:
    """A rule that goes on at both ends, as walls go on through the rules that they stand on."""
    before, after = min(by, rule.start), max(0, min(by, end - rule.stop))
    return _Path(rule.start - before, np.pad(rule.y, (before, after), "edge"), rule.width)


def _erase(ink: NDArray[np.uint8], rule: _Path, sizes: Sizes) -> None:
    """Take a rule out of the ink, but for the columns in which a stroke leaves it."""
    reach = round(rule.width / 2) + 3
    strip = _strip(ink, rule, reach)
    calm = (strip[0] < INK_LEVEL) & (strip[-1] < INK_LEVEL) & (strip.max(axis=0) >= INK_LEVEL)
    usual = np.percentile(strip[:, calm], USUAL, axis=1) if calm.any() else np.zeros(len(strip))
    rows = np.flatnonzero(usual >= INK_LEVEL // 2) - reach
    half = round(rule.width / 2) if rows.size == 0 else int(max(-rows[0], rows[-1]))
    leaves = max(1, round(LEAVES * sizes.stroke))
    reach = half + leaves
    strip = _strip(ink, rule, reach)
    dark = strip >= INK_LEVEL
    stroke = np.logical_or(dark[: reach + 1].all(axis=0), dark[reach:].all(axis=0))
    first, last = -half - 1, half + 2
    top, bottom = float(np.median(rule.y)), ink.shape[0] - 1 - float(np.median(rule.y))
    if (
        min(top, bottom) <= EDGE * half and len(rule.y) >= LEAST_COVER * ink.shape[1]
    ):  # The page's edge: nothing comes from beyond it.
        stroke = np.zeros(len(rule.y), np.bool_)
        first, last = (-half * 2 * EDGE, last) if top < bottom else (first, half * 2 * EDGE)
    rows = np.rint(rule.y).astype(np.intp) + np.arange(first, last)[:, None]
    rows = rows[:, ~stroke].clip(0, ink.shape[0] - 1)
    ink[rows, np.arange(rule.start, rule.stop)[~stroke]] = 0
