"""Removes form lines (rules, boxes, combs, grids) from the foreground mask; letters on them stay whole.

A form line is long and thin, straight or gently bent, and of one width. It is searched for in the ink
averaged over narrow columns, where it is a run from column to column, and followed as a path. Along that path
the ink is straightened into a strip, which shows how wide the line is and whether it is one at all. It is
removed in every column of the strip in which no stroke leaves it, so that whatever crosses or touches a form
line stays as it was. Upright form lines are found the same way on the transposed mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import level_percentile
from lettermill.segmentation.components import (
    INK_LEVEL,
    LEAST_LETTER_PIXELS,
    Component,
    Sizes,
    contour_boxes,
    measure_sizes,
)

COLUMN_LETTERS = 1 / 8
"""Width of the columns in which form lines are searched for: about a stroke."""

FAINT_LEVEL = 56
"""Ink averaged over a column (0–255) from which it may hold a form line: a dotted one covers a quarter."""

LEAST_RUN_LETTERS = 0.7
"""Length of the runs that form lines are joined from; a sloping form line has many short ones."""

BRIDGE_LETTERS = 0.3
"""Paper that a run may skip: between dots, and where the scanner lost the line."""

LEAST_LINE_LETTERS = 3.0
"""Length that suffices for a form line; the bar of a letter is at most two letter heights long."""

THICKEST_LETTERS = 0.26
"""Widest form line: a frame beside small print; anything wider is a brush stroke, a block or a shadow."""

WIDTH_SLACK_SHARE = 0.35
"""Share of its typical width, or of the typical step between its dots, by which a form line may be uneven."""

LEAST_EVEN_SHARE = 0.65
"""Share of a form line that is that even, and that keeps as close to its path; strokes cross the rest."""

SQUARED_LINES, SQUARE_LETTERS = 10, 2.5
"""Form lines each way, and the distance between them, at most, that make squared paper: it has no boxes."""

STEM_PIXELS = 3
"""Distance from the edge of a form line within which a stem on it shows."""

STEM_SLACK_PIXELS = 2.0
"""How much wider than a form line a stem on it is at least: a line of one pixel may cover three."""

UNEVEN_PERCENTILE = 10.0
"""Percentile of a short line's widths: a stem on a form line ends before the form lines that it stands on."""

LEAST_UNBROKEN_LETTERS = 2.2
"""Length of form line without a gap: the bars of letters side by side meet for less."""

DOT_STEP_LETTERS = 0.32
"""Distance from dot to dot, at most; letters are farther apart."""

LARGEST_DOT_LETTERS = 0.16
"""Longest dot: the bars of AAAAAA are longer."""

CERTAIN_LETTERS = 8.0
"""Length from which a line is a form line however often it is broken."""

LEAST_WHOLE_LETTERS, LEAST_WHOLE_EVEN_SHARE = 5.0, 0.4
"""Length without a gap from which less of a form line must be even: beside strokes the mask shows less."""

LEAST_DOTS = 12
"""Dots at equal distances that make a dotted form line; fewer are the feet of letters."""

LEAST_COVER_SHARE = 0.8
"""Share of a form line's columns, without those that strokes cross, in which its ink is seen."""

MOST_CROSSED_SHARE = 0.7
"""Share of a form line's columns that strokes may cross; if there are more, it is a row of print."""

EDGE_HALF_WIDTHS = 3
"""Half line widths from the page's edge within which a line is that edge, and strokes only end at it."""

OWN_INK_PERCENTILE = 75.0
"""Percentile of the ink in each row of the strip that is the form line's own; strokes are stronger."""

LEAVES_STROKES = 0.2
"""How far ink continues beyond the form line where a stroke leaves it: unevenness is less."""

PAPER_PIXELS = 3
"""Distance from the edge of a form line at which there is paper, beyond its soft edge."""

TONE_LETTERS = 4.0
"""Length of form line whose median darkness is its own; light changes little along it."""

LEAST_CALM_SHARE = 0.1
"""Share of that length that must be free of strokes."""

LEAST_TONE_LEVELS = 14.0
"""Grey levels by which a form line must differ from the paper for its darkness to be known."""

DARKER_RATIO = 1.4
"""Contrast of a pen that is darker than the form line under it, relative to the line's."""

LEAST_DARK_STROKES = 0.8
"""Length along a form line of the shortest stroke that is recognised by its darkness."""

SMOOTHING_LETTERS = 1.5
"""Length of path over which a form line keeps its direction."""

STEEPEST_ROWS_PER_COLUMN = 0.1
"""Slope that a form line may have once the page is deskewed."""

LEAST_CELL_LETTERS = 0.6
"""Narrowest cell of a comb."""

WIDEST_CELL_LETTERS = 4.0
"""Widest cell of a comb or table for which invisible walls are added."""

NEXT_WALLS = 5
"""One of this many candidates to the right of a wall is the next wall: letters may stand between."""

UNEVEN_LETTERS = 0.15
"""Distance of a wall from its place in a comb, at most."""

LEAST_WALLS_SHARE = 0.7
"""Share of the walls of a comb that are seen; a stroke over a wall may hide it."""

LARGEST_GUESS_SHARE = 1 / 8
"""Largest letter as a share of the page's longer side, even if larger components were measured: a grid."""

LEAST_ROW_STROKES = 5.0
"""Height of a row of letters that all touch one form line: a lone form line has one stroke, its own."""

MEETS_LETTERS = 0.25
"""Distance from the end of a wall to the form line that it stands on, at most."""


Edges = tuple[int, int, int, int]
"""Left, top, and one past right and bottom of a box."""


@dataclass(frozen=True, slots=True)
class LinePath:
    """A form line from left to right.

    Attributes:
        start: its first column.
        y: float64, its middle row at each column from `start` on.
        width: in pixels; 0 if not yet measured.
    """

    start: int
    y: NDArray[np.float64]
    width: float = 0.0

    @property
    def stop(self) -> int:
        """One past its last column."""
        return self.start + len(self.y)


@dataclass(frozen=True, slots=True)
class FormLines:
    """A foreground mask with its form lines removed.

    Attributes:
        mask: uint8, h×w, 0 paper … 255 ink: what was written.
        removed: uint8, h×w, the ink that was removed.
        level: the form lines from left to right, without the short ones from line to line.
        upright: the same from top to bottom, as they lie in the transposed mask.
    """

    mask: NDArray[np.uint8] = field(compare=False, repr=False)
    removed: NDArray[np.uint8] = field(compare=False, repr=False)
    level: tuple[LinePath, ...] = field(default=(), compare=False, repr=False)
    upright: tuple[LinePath, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _View:
    """The page, upright or transposed, so that the form lines in question run from left to right.

    Attributes:
        ink: uint8, h×w, soft foreground mask.
        grey: uint8, h×w, the page that it was made from; None if not known.
    """

    ink: NDArray[np.uint8]
    grey: NDArray[np.uint8] | None

    def contrast(self, line: LinePath) -> float:
        """Grey levels between a form line and the paper above and below it; 0 if not known."""
        if self.grey is None:
            return 0.0
        away = round(line.width / 2) + PAPER_PIXELS
        rows = np.rint(line.y).astype(np.intp) + np.array([[-away], [0], [away]])
        strip = self.grey[rows.clip(0, len(self.grey) - 1), np.arange(line.start, line.stop)]
        above, middle, below = (level_percentile(row, 50) for row in strip)
        return abs(middle - (above + below) / 2)


def remove_form_lines(
    ink: NDArray[np.uint8], sizes: Sizes, grey: NDArray[np.uint8] | None = None
) -> FormLines:
    """Remove rules, boxes, combs and grids from the foreground mask.

    Args:
        ink: uint8, h×w, soft foreground mask.
        sizes: of the page's letters and strokes, in pixels of the mask.
        grey: uint8, h×w, the page that the mask was made from: it shows where a pen is darker than the form
            lines. None to go by the mask alone.
    """
    views = _View(ink, grey), _View(_transposed(ink), None if grey is None else _transposed(grey))
    runs = [_find_runs(view.ink, sizes) for view in views]
    least = LEAST_LINE_LETTERS * sizes.letter
    level, upright = (
        _follow_all(view.ink, [of_view.trace(run) for run in of_view.runs if run[2] >= least], sizes)
        for view, of_view in zip(views, runs, strict=True)
    )
    if not level and not upright:
        return FormLines(ink, np.zeros_like(ink))

    contrasts = [views[0].contrast(line) for line in level] + [views[1].contrast(line) for line in upright]
    contrast = float(np.percentile(contrasts, OWN_INK_PERCENTILE))
    walls: tuple[list[LinePath], list[LinePath]] = [], []
    if not (_is_close(level, sizes) and _is_close(upright, sizes)):
        walls = (
            _walls(views[0], runs[0], level, upright, contrast, sizes),
            _walls(views[1], runs[1], upright, level, contrast, sizes),
        )
    beyond = 1 + round(max(line.width for line in (*level, *upright)))
    mask = ink.copy()
    for view, *found in zip(views, (level, upright), walls, strict=True):
        for line in itertools.chain(*found):
            _erase(mask, view.grey, _longer(line, beyond, mask.shape[1]), contrast, sizes)
        # After both passes it is upright again.
        mask = _transposed(mask)
    removed = cv2.subtract(ink, mask).astype(np.uint8, copy=False)
    return FormLines(mask, removed, tuple(level), tuple(upright))


def remove_boxes(
    lines: FormLines, boxes: Sequence[Sequence[Edges]], sizes: Sizes, grey: NDArray[np.uint8] | None = None
) -> FormLines:
    """Remove the sides of boxes, too, however short they are.

    Args:
        lines: what was removed before.
        boxes: of one row of boxes each.
        sizes: as for `remove_form_lines`.
        grey: as for `remove_form_lines`.
    """
    ink = cv2.add(lines.mask, lines.removed).astype(np.uint8, copy=False)
    mask = lines.mask.copy()
    for turned in (False, True):
        seen = _transposed(ink) if turned else ink
        mask = _transposed(mask) if turned else mask
        tone = None if grey is None else _transposed(grey) if turned else grey
        for row in boxes:
            sides = {side for box in row for side in _sides(_turned(box) if turned else box)}
            paths = [
                LinePath(max(0, start), np.full(min(stop, mask.shape[1]) - max(0, start), float(y)))
                for start, stop, y in sorted(sides)
            ]
            for path in paths:
                line = _follow(seen, path, sizes) if path.y.size else None
                # Sides may be missing; those too pale or too broken to follow are no ink that is read.
                if line is not None:
                    _erase(mask, tone, line, 0.0, sizes)
        mask = _transposed(mask) if turned else mask
    removed = cv2.subtract(ink, mask).astype(np.uint8, copy=False)
    return FormLines(mask, removed, lines.level, lines.upright)


def _turned(box: Edges) -> Edges:
    """A box in the transposed mask."""
    left, top, right, bottom = box
    return top, left, bottom, right


def _sides(box: Edges) -> list[tuple[int, int, int]]:
    """First column, one past the last, and row of a box's level sides."""
    left, top, right, bottom = box
    return [(left, right, top), (left, right, bottom)]


def guess_sizes(components: Sequence[Component], side: int) -> Sizes | None:
    """Guess the letter size on a page that may be one grid, in which no letter stands alone.

    Args:
        components: of the page, with its form lines.
        side: the page's longer side in pixels.

    Returns:
        The sizes, or None if nothing has the shape of a letter or of a grid that letters touch.
    """
    seen = measure_sizes(components)
    # Every letter touches a form line: together they are as high as the letters.
    if seen is None:
        high = [
            component
            for component in components
            if component.height >= max(LEAST_LETTER_PIXELS, LEAST_ROW_STROKES * component.stroke)
        ]
        if not high:
            return None
        letter, stroke = np.median(
            [(component.height, component.stroke) for component in high], axis=0
        ).tolist()
        seen = Sizes(letter, stroke)
    letter = min(seen.letter, LARGEST_GUESS_SHARE * side)
    return Sizes(letter, min(seen.stroke, THICKEST_LETTERS * letter))


_Run = tuple[int, int, int, int, NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Where form lines from left to right may be, in ink averaged over columns of `column` pixels.

    Attributes:
        small: uint8, h×n, the averaged ink.
        column: pixels of ink in one column of it.
        smoothing: columns over which a path is smoothed.
        runs: for each run its left, top, width, height, and its outline (int32, n×1×2) in columns and rows;
            left and width in pixels of the ink.
    """

    small: NDArray[np.uint8]
    column: int
    smoothing: int
    runs: list[_Run]

    def trace(self, run: _Run) -> LinePath:
        """Follow the middle of a run."""
        left, top, width, high, outline = run
        x, wide = left // self.column, width // self.column
        own = np.zeros((high, wide), np.uint8)
        cv2.drawContours(own, [outline], 0, 255, cv2.FILLED, offset=(-x, -top))
        weight = cv2.bitwise_and(own, self.small[top : top + high, x : x + wide]).astype(np.float64)
        # Dots above and below it alone make a run that has no ink of its own.
        weight = weight if weight.any() else own.astype(np.float64)
        total = weight.sum(axis=0)
        at = np.flatnonzero(total)
        middle = (weight[:, at] * np.arange(high)[:, None]).sum(axis=0) / total[at]
        middles = _smooth(np.interp(np.arange(wide), at, top + middle), self.smoothing)
        places = left + (np.arange(wide) + 0.5) * self.column - 0.5
        return LinePath(left, np.interp(np.arange(left, left + width), places, middles))


def _find_runs(ink: NDArray[np.uint8], sizes: Sizes) -> _Runs:
    """Find possible form lines from left to right: everything long enough for the side of a box."""
    column = max(1, round(COLUMN_LETTERS * sizes.letter))
    columns = ink.shape[1] // column
    run = max(3, round(LEAST_RUN_LETTERS * sizes.letter / column))
    nothing = _Runs(np.zeros((0, 0), np.uint8), column, 1, [])
    if columns < run:
        return nothing

    small = _columns(ink, column, columns)
    _, seen = cv2.threshold(small, FAINT_LEVEL, 255, cv2.THRESH_BINARY)
    letter_run = np.ones((1, round(sizes.letter / column) | 1), np.uint8)
    thickest = max(3, round(THICKEST_LETTERS * sizes.letter))
    thick = cv2.morphologyEx(seen, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    thin = cv2.subtract(seen, thick)

    # Over a letter the line continues as ink; over paper it may stop no longer than between two dots.
    along = cv2.bitwise_and(cv2.morphologyEx(thin, cv2.MORPH_CLOSE, letter_run), seen)
    # A sloping line continues in the next row.
    near = cv2.dilate(along, np.ones((3, 1), np.uint8))
    bridge = max(1, round(BRIDGE_LETTERS * sizes.letter / column))
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, bridge + 1), np.uint8))
    near = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if not near.any():
        return nothing

    outlines, links = cv2.findContours(near, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    boxes = contour_boxes(outlines)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    is_outer = np.reshape(links, (-1, 4))[:, 3] < 0
    low = np.flatnonzero(
        is_outer & (height <= thickest + 2 + STEEPEST_ROWS_PER_COLUMN * width * column)
    ).tolist()
    places = np.column_stack((boxes[:, 0] * column, boxes[:, 1], width * column, height)).tolist()
    found = [(*places[index], np.asarray(outlines[index], np.int32)) for index in low]
    return _Runs(small, column, round(SMOOTHING_LETTERS * sizes.letter / column), found)


def _columns(ink: NDArray[np.uint8], column: int, columns: int) -> NDArray[np.uint8]:
    """Average the ink over columns of the given width in pixels."""
    whole = ink[:, : column * columns]
    # Halving: each new pixel's centre lies between two old ones, where linear interpolation is their mean.
    how = cv2.INTER_LINEAR if column == 2 else cv2.INTER_AREA
    return cv2.resize(whole, (columns, ink.shape[0]), interpolation=how).astype(np.uint8, copy=False)


def _transposed(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Transpose a mask, so that its columns are contiguous in memory."""
    return cv2.transpose(ink).astype(np.uint8, copy=False)


def _smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Running median, then running mean, with the ends extrapolated in their direction."""
    window = min(window | 1, (len(values) - 1) | 1)
    if window < 3:
        return values
    half = window // 2
    around = np.lib.stride_tricks.sliding_window_view(_extrapolated(values, half), window)
    medians = np.sort(around, axis=1)[:, half]
    return np.convolve(_extrapolated(medians, half), np.full(window, 1 / window), "valid")


def _extrapolated(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """Extend values by `by` at both ends with their neighbours, mirrored through the end itself."""
    before, after = 2 * values[0] - values[by:0:-1], 2 * values[-1] - values[-2 : -by - 2 : -1]
    return np.concatenate((before, values, after))


def _strip(ink: NDArray[np.uint8], path: LinePath, reach: int) -> NDArray[np.uint8]:
    """Straighten the ink along a path: row `reach` of the strip is the path; beyond the page is paper."""
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
    # At most 255 × 256, which fits sixteen bits.
    whole *= 256 - part
    strip += whole[:-1]
    strip >>= 8
    return strip.astype(np.uint8)


def _follow_all(ink: NDArray[np.uint8], paths: Sequence[LinePath], sizes: Sizes) -> list[LinePath]:
    """Follow each path exactly and measure its width; drop paths that are not form lines."""
    found = (_follow(ink, path, sizes) for path in paths)
    return [line for line in found if line is not None]


def _follow(ink: NDArray[np.uint8], path: LinePath, sizes: Sizes) -> LinePath | None:
    """Follow a form line exactly and measure its width; None if it is not one."""
    thickest = max(3, round(THICKEST_LETTERS * sizes.letter))
    reach = thickest + 1
    strip = _strip(ink, path, reach)
    strongest = strip[reach // 2 : -(reach // 2)].max(axis=0)
    seen = strongest[strongest >= FAINT_LEVEL]
    level = level_percentile(seen, 50) / 2 if seen.size else FAINT_LEVEL
    dark = _at_the_path(strip >= max(FAINT_LEVEL / 2, level))

    thick = dark.sum(axis=0)
    crossed = thick > thickest
    thin = (thick > 0) & ~crossed
    if crossed.mean() > MOST_CROSSED_SHARE or not thin.any():
        return None

    widths = thick[_away_from(crossed, thin, sizes)]
    usual = level_percentile(widths, 50)
    even = np.count_nonzero(widths <= usual + max(1.0, WIDTH_SLACK_SHARE * usual)) / len(widths)
    whole = LEAST_WHOLE_LETTERS * sizes.letter
    if even < LEAST_EVEN_SHARE and (even < LEAST_WHOLE_EVEN_SHARE or _longest(thick > 0) < whole):
        return None
    is_dotted = _is_dotted(thin, sizes)
    if not is_dotted and not _is_line(thick > 0, crossed, sizes):
        return None

    column = max(1, round(COLUMN_LETTERS * sizes.letter))
    count = len(thin) // column
    weight = np.where(dark & thin, strip, 0)[:, : count * column].astype(np.float64)
    weights = weight.sum(axis=0)
    offset = np.arange(-reach, reach + 1.0) @ weight + path.y[: count * column] * weights
    total = weights.reshape(count, column).sum(axis=1)
    at = np.flatnonzero(total)
    if len(at) < 2:
        return None
    middles = offset.reshape(count, column).sum(axis=1)[at] / total[at]
    rough = np.interp(np.arange(count), at, middles)
    middles = _smooth(rough, round(SMOOTHING_LETTERS * sizes.letter / column))
    strays = np.abs(rough - middles)[at] > max(1.0, WIDTH_SLACK_SHARE * usual)
    if not is_dotted and strays.mean() > 1 - LEAST_EVEN_SHARE:
        return None

    # The ends of the line are within a column of those of the path.
    start, stop = max(0, path.start - column), min(ink.shape[1], path.stop + column)
    places = path.start + (np.arange(count) + 0.5) * column - 0.5
    width = float(np.percentile(weights[thin[: count * column]], 60)) / 255
    line = LinePath(start, np.interp(np.arange(start, stop), places, middles), max(1.0, width))
    lit = np.flatnonzero((_strip(ink, line, max(1, round(width / 2))) >= INK_LEVEL // 2).any(axis=0))
    return LinePath(start + int(lit[0]), line.y[lit[0] : lit[-1] + 1], line.width) if lit.size else None


def _away_from(crossed: NDArray[np.bool_], thin: NDArray[np.bool_], sizes: Sizes) -> NDArray[np.bool_]:
    """The thin columns of a strip without those beside a stroke that crosses it, unless few are left."""
    if not crossed.any():
        return thin
    beside = cv2.dilate(crossed.view(np.uint8)[None], np.ones((1, 2 * round(sizes.stroke) + 1), np.uint8))
    away: NDArray[np.bool_] = thin & (beside[0] == 0)
    return away if np.count_nonzero(away) >= LEAST_CALM_SHARE * len(thin) else thin


def _at_the_path(dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The run of ink nearest to the middle row in each column of a strip, unless it is far from it."""
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
    """Whether ink along a path, without crossing strokes, is a line, not the bars of letters side by side."""
    unbroken = min(LEAST_UNBROKEN_LETTERS * sizes.letter, LEAST_COVER_SHARE * len(ink))
    is_whole = _longest(ink) >= unbroken or len(ink) >= CERTAIN_LETTERS * sizes.letter
    return is_whole and bool(ink[~crossed].mean() >= LEAST_COVER_SHARE)


def _is_dotted(ink: NDArray[np.bool_], sizes: Sizes) -> bool:
    """Whether ink along a path is dots at equal distances."""
    edges = np.diff(np.concatenate(([False], ink, [False])).astype(np.int8))
    starts, stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    if len(starts) < LEAST_DOTS or ink.mean() > LEAST_COVER_SHARE:
        return False
    for lengths, most in ((np.diff(starts), DOT_STEP_LETTERS), (stops - starts, LARGEST_DOT_LETTERS)):
        usual = float(np.median(lengths))
        even = np.abs(lengths - usual) <= max(1.0, WIDTH_SLACK_SHARE * usual)
        if usual > most * sizes.letter or even.mean() < LEAST_EVEN_SHARE:
            return False
    return True


def _is_close(lines: Sequence[LinePath], sizes: Sizes) -> bool:
    """Whether form lines that run the same way are as many and as close as on squared paper."""
    places = np.sort([float(line.y.mean()) for line in lines])
    return len(lines) >= SQUARED_LINES and bool(np.median(np.diff(places)) <= SQUARE_LETTERS * sizes.letter)


def _walls(
    view: _View,
    runs: _Runs,
    along: Sequence[LinePath],
    across: Sequence[LinePath],
    contrast: float,
    sizes: Sizes,
) -> list[LinePath]:
    """Find which of the short runs are sides of boxes or walls of combs.

    They reach from form line to form line. A letter's stem may reach as far, but sides are where the form
    lines end, and walls are at equal distances. Beside a form line that runs the same way, as in squared
    paper, a short run is a stem.
    """
    between: dict[tuple[int, int], list[LinePath]] = {}
    near = MEETS_LETTERS * sizes.letter
    crossings = _crossings(across, len(view.ink), runs.column, near)
    beside = _crossings(along, view.ink.shape[1], runs.column, 0)
    for run in runs.runs:
        left, top, width, high, _ = run
        reach = near + 2 * runs.column
        meets = _meets(crossings, (top + high / 2) / runs.column, left - reach, left + width + reach)
        if len(meets) < 2:
            continue
        path = runs.trace(run)
        for (above, first), (below, last) in itertools.pairwise(meets):
            start, stop = max(path.start, round(above)), min(path.stop, round(below))
            if stop - start < LEAST_RUN_LETTERS * sizes.letter:
                continue
            part = LinePath(start, path.y[start - path.start : stop - path.start])
            wall = _follow(view.ink, part, sizes)
            if wall is None:
                continue
            reaches = wall.start - above <= near and below - wall.stop <= near
            if not (reaches and _stands(view.ink, wall, near)):
                continue
            middle = (start + stop) // 2
            same = np.abs(beside[:, middle // runs.column] - path.y[middle - path.start]) <= near
            lines = (along[number] for number in np.flatnonzero(same).tolist())
            if not any(_is_stem(wall, line, view, contrast) for line in lines):
                between.setdefault((first, last), []).append(wall)

    walls = []
    for (first, last), found in between.items():
        walls += _walls_between(view.ink, across[first], across[last], found, sizes)
    return walls


def _is_stem(wall: LinePath, line: LinePath, view: _View, contrast: float) -> bool:
    """Whether a short line beside a form line that runs the same way is a stroke: wider or darker than it.

    Else it is that line itself, exactly where it runs here, or with its shadow, as wide from end to end.
    """
    thick = (_strip(view.ink, wall, STEM_PIXELS + round(line.width / 2)) >= INK_LEVEL).sum(axis=0)
    thin, wide = (level_percentile(thick, each) for each in (UNEVEN_PERCENTILE, 100 - UNEVEN_PERCENTILE))
    wider = (
        wide > line.width + max(STEM_SLACK_PIXELS, WIDTH_SLACK_SHARE * line.width)
        and thin < LEAST_EVEN_SHARE * wide
    )
    return wider or view.contrast(wall) > DARKER_RATIO * max(contrast, view.contrast(line))


def _walls_between(
    ink: NDArray[np.uint8], one: LinePath, other: LinePath, found: Sequence[LinePath], sizes: Sizes
) -> list[LinePath]:
    """Of the short lines found between two form lines keep sides and walls; add walls that strokes cover."""
    near, uneven = MEETS_LETTERS * sizes.letter, UNEVEN_LETTERS * sizes.letter
    span = min(one.start, other.start), max(one.stop, other.stop)
    places = np.array([float(np.mean(short.y)) for short in found])
    is_side = (places < span[0] + near) | (places > span[1] - near)
    cells = _cells(places, span, sizes)
    is_wall = is_side | (np.abs(places[:, None] - cells).min(axis=1, initial=np.inf) <= uneven)
    walls = [short for short, is_one in zip(found, is_wall.tolist(), strict=True) if is_one]

    thick = float(np.median([short.width for short in found]))
    ends = [(one.start + other.start + thick) / 2] * (abs(one.start - other.start) <= near)
    ends += [(one.stop + other.stop - thick) / 2] * (abs(one.stop - other.stop) <= near)
    due = np.concatenate((cells, ends))
    unseen = np.abs(due[:, None] - places).min(axis=1, initial=np.inf) > uneven
    hidden = [_wall_at(one, other, place, thick) for place in due[unseen].tolist()]
    return walls + [wall for wall in hidden if _stands(ink, wall, near)]


def _stands(ink: NDArray[np.uint8], wall: LinePath, near: float) -> bool:
    """Whether a wall touches the form lines at its ends without a gap: a letter's stem stops before them."""
    strip = _strip(ink, wall, 1 + round(wall.width / 2)).max(axis=0) >= INK_LEVEL // 2
    return bool(strip[: round(near)].all() and strip[-round(near) :].all())


def _wall_at(one: LinePath, other: LinePath, place: float, width: float) -> LinePath:
    """Make a wall at a place between two form lines."""
    ends = sorted(float(np.interp(place, np.arange(line.start, line.stop), line.y)) for line in (one, other))
    return LinePath(round(ends[0]), np.full(max(1, round(ends[1]) - round(ends[0])), place), width)


def _crossings(lines: Sequence[LinePath], height: int, step: int, near: float) -> NDArray[np.float64]:
    """Tabulate where form lines run: one row per line, one column per `step` pixels, NaN beyond its ends."""
    table = np.full((len(lines), height // step + 1), np.nan)
    places = np.arange(table.shape[1]) * step
    for row, line in zip(table, lines, strict=True):
        within = (places >= line.start - near) & (places <= line.stop + near)
        row[within] = line.y[(places[within] - line.start).clip(0, len(line.y) - 1)]
    return table


def _meets(crossings: NDArray[np.float64], y: float, start: float, stop: float) -> list[tuple[float, int]]:
    """Where a path meets form lines that cross it: the columns of the path, and the numbers of the lines."""
    places = crossings[:, min(max(round(y), 0), crossings.shape[1] - 1)]
    met = np.flatnonzero((places >= start) & (places <= stop))
    return sorted(zip(places[met].tolist(), met.tolist(), strict=True)) if met.size > 1 else []


def _cells(places: NDArray[np.float64], span: tuple[int, int], sizes: Sizes) -> NDArray[np.float64]:
    """Places of a comb's walls, at equal distances and hardly one missing; empty if there is no comb."""
    best, most = np.zeros(0), 0
    places = np.sort(places)
    slack = UNEVEN_LETTERS * sizes.letter
    for first in range(len(places)):
        for second in range(first + 1, min(len(places), first + NEXT_WALLS)):
            pitch = places[second] - places[first]
            if not LEAST_CELL_LETTERS * sizes.letter <= pitch <= WIDEST_CELL_LETTERS * sizes.letter:
                continue
            steps = np.rint((places - places[first]) / pitch)
            on = np.abs(places - places[first] - steps * pitch) <= slack
            count = len(np.unique(steps[on]))
            cells = steps[on].max() - steps[on].min() + 1
            if (
                count < max(3, LEAST_WALLS_SHARE * cells)
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


def _longer(line: LinePath, by: int, end: int) -> LinePath:
    """Lengthen a form line at both ends, as walls continue through the lines that they stand on."""
    before, after = min(by, line.start), max(0, min(by, end - line.stop))
    return LinePath(line.start - before, np.pad(line.y, (before, after), "edge"), line.width)


def _erase(
    ink: NDArray[np.uint8], grey: NDArray[np.uint8] | None, line: LinePath, contrast: float, sizes: Sizes
) -> None:
    """Remove a form line from the ink, except where a stroke leaves it or is darker than it is."""
    reach = round(line.width / 2) + PAPER_PIXELS
    strip = _strip(ink, line, reach)
    alone = (strip[0] < INK_LEVEL) & (strip[-1] < INK_LEVEL)
    calm = alone & (strip.max(axis=0) >= INK_LEVEL)
    usual = np.percentile(strip[:, calm], OWN_INK_PERCENTILE, axis=1) if calm.any() else np.zeros(len(strip))
    rows = np.flatnonzero(usual >= INK_LEVEL // 2) - reach
    half = round(line.width / 2) if rows.size == 0 else int(max(-rows[0], rows[-1]))

    leaves = max(1, round(LEAVES_STROKES * sizes.stroke))
    reach = half + leaves
    strip = _strip(ink, line, reach)
    dark = strip >= INK_LEVEL
    stroke = np.logical_or(dark[: reach + 1].all(axis=0), dark[reach:].all(axis=0))
    first, last = -half - 1, half + 2
    top, bottom = float(np.median(line.y)), ink.shape[0] - 1 - float(np.median(line.y))
    # The page's edge: no stroke comes from beyond it.
    is_edge = min(top, bottom) <= EDGE_HALF_WIDTHS * half and len(line.y) >= LEAST_COVER_SHARE * ink.shape[1]
    if is_edge:
        stroke = np.zeros(len(line.y), np.bool_)
        outer = half * 2 * EDGE_HALF_WIDTHS
        first, last = (-outer, last) if top < bottom else (first, outer)

    rows = (np.rint(line.y).astype(np.intp) + np.arange(first, last)[:, None]).clip(0, ink.shape[0] - 1)
    columns = np.arange(line.start, line.stop)
    erased = np.broadcast_to(~stroke, rows.shape)
    # A short one may itself be darker at one end.
    if grey is not None and not is_edge and len(columns) >= CERTAIN_LETTERS * sizes.letter:
        erased = erased & ~_darker(grey[rows, columns], alone, half, line.width, contrast, sizes)
    ink[rows[erased], np.broadcast_to(columns, rows.shape)[erased]] = 0


def _darker(
    strip: NDArray[np.uint8], alone: NDArray[np.bool_], half: int, width: float, usual: float, sizes: Sizes
) -> NDArray[np.bool_]:
    """Where the page along a form line is so much darker than the line that a pen drew there.

    Args:
        strip: uint8, rows×columns, the page along the line, with some paper above and below.
        alone: bool, one for each column: whether no stroke leaves the line.
        half: half of the line's width in rows.
        width: the line's width in pixels.
        usual: grey levels between the page's form lines and its paper.
        sizes: of the page's letters and strokes.
    """
    middle = len(strip) // 2
    block = max(1, round(TONE_LETTERS * sizes.letter))
    places, papers, rules = [], [], []
    for start in range(0, strip.shape[1], block):
        part = strip[:, start : start + block][:, alone[start : start + block]]
        if part.shape[1] >= LEAST_CALM_SHARE * block:
            places.append(start + block / 2)
            papers.append(float(np.median(part[[0, -1]])))
            rules.append(float(np.median(part[middle - half // 2 : middle + half // 2 + 1])))
    if not places:
        return np.zeros(strip.shape, np.bool_)
    columns = np.arange(strip.shape[1])
    paper, rule = np.interp(columns, places, papers), np.interp(columns, places, rules)
    contrast = rule - paper
    seen = np.abs(contrast) >= LEAST_TONE_LEVELS
    tone = (strip - paper) * np.sign(contrast) >= DARKER_RATIO * np.maximum(np.abs(contrast), usual)
    # Where two form lines cross, the print may be darker, too, but no wider than they are.
    least = np.ones((1, max(round(width) + 2, round(LEAST_DARK_STROKES * sizes.stroke))), np.uint8)
    pen = cv2.morphologyEx((tone & seen).astype(np.uint8), cv2.MORPH_OPEN, least)
    kept: NDArray[np.bool_] = cv2.dilate(pen, np.ones((3, 3), np.uint8)) != 0
    return kept
