"""Finds rows of cells: boxes and combs of a form that take one character each.

The walls of cells are upright strokes that begin and end together, at equal distances: shared by two cells,
or two with a narrow gap between. They stand on a level line, or hang from one, or both. A letter's stem
begins or ends elsewhere, or is out of step; a wall that letters hide is where the step says.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import INK_LEVEL, Component, Sizes
from lettermill.segmentation.form_lines import FAINT_LEVEL, Edges, LinePath
from lettermill.segmentation.values import CellRow

NARROWEST_LETTERS, WIDEST_LETTERS = 0.6, 3.5
"""Width of a cell."""

LOWEST_LETTERS, HIGHEST_LETTERS = 0.5, 3.5
"""Height of a wall."""

LOWEST_BOX_LETTERS = 1.1
"""Height of a cell with a line above it and below."""

MOST_OPEN_SHARE = 0.2
"""Share of the cells of a row of low walls that may have a line above and below."""

NARROWEST_RATIO, WIDEST_RATIO = 0.4, 2.0
"""Width of a cell divided by the height of its walls: a wider one holds a word or a number."""

LEAST_CELLS = 3
"""Cells of a row, at least: two may be columns of a table, or letters between rules."""

LEAST_STEM_CELLS, STEM_SHARE = 6, 0.2
"""Cells of a row that is open above or below and whose walls are as high as letters, within that share, at
least: stems of E and F in step on a rule look like fewer."""

UNEVEN_SHARE = 0.12
"""How much the cells of a row may differ in width, as a share of it."""

WIDEST_GAP_SHARE = 0.65
"""Width of the gap between two cells that have a wall each, as a share of a cell's width."""

MOST_UNSEEN_CELLS = 3
"""A space as wide as up to this many cells has walls that were not seen."""

LEAST_SEEN_SHARE = 0.6
"""Share of a row's cells of which both walls were seen, at least."""

THICKEST_LETTERS = 0.26
"""Widest wall."""

THIN_STROKE_PIXELS = 2.0
"""Width of strokes below which walls are too thin to be as dark as ink."""

BROKEN_PIXELS = 3
"""Paper that a wall may skip where the scanner lost it."""

SAME_END_PIXELS, SAME_END_SHARE = 3, 0.12
"""How far the ends of neighbouring walls may lie above each other: pixels, and a share of their height."""

MEETS_LETTERS = 0.2
"""Distance from the end of a wall to the level line that it stands on, at most."""

LEAST_LEVEL_SHARE = 0.7
"""Share of a cell's width along which there is ink at the walls' feet or at their heads."""

MOST_FULL_SHARE = 0.3
"""Share of the filled cells of a row that may hold more than one letter."""

LEAST_BODY_LETTERS = 0.6
"""Height of a letter, at least: lower ones are pieces."""

BEYOND_SHARE = 0.25
"""How far above or below its cell the middle of a letter may lie, as a share of the cell's height."""

ANOTHER_ROW = 1_000_000
"""Step between letters that are in two rows of cells."""


class _Wall(NamedTuple):
    """An upright stroke, in pixels of the ink frame."""

    x: float
    top: int
    bottom: int


def find_cells(ink: NDArray[np.uint8], level: Sequence[LinePath], sizes: Sizes) -> tuple[CellRow, ...]:
    """Find the rows of cells of a page.

    Args:
        ink: uint8, h×w, soft foreground mask with its form lines.
        level: the form lines from left to right.
        sizes: of the page's letters and strokes.

    Returns:
        The rows from top to bottom and from left to right.
    """
    dark = (ink >= (FAINT_LEVEL if sizes.stroke < THIN_STROKE_PIXELS else INK_LEVEL)).astype(np.uint8)
    found = [
        cells
        for row in _rows_of_walls(_upright_strokes(dark, level, sizes), sizes)
        for run in _runs_of_cells(row, sizes)
        for cells in _closed(dark, run, sizes)
    ]
    kept: list[list[Edges]] = []
    for cells in sorted(found, key=_area, reverse=True):
        if not any(_overlap(cells, other) for other in kept):
            kept.append(cells)
    return tuple(CellRow(tuple(cells)) for cells in sorted(kept, key=lambda cells: cells[0][1::-1]))


def _area(cells: Sequence[Edges]) -> int:
    return sum((right - left) * (bottom - top) for left, top, right, bottom in cells)


def _overlap(cells: Sequence[Edges], others: Sequence[Edges]) -> bool:
    """Whether the middle of a cell lies in a cell of another row."""
    middles = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in cells]
    return any(
        left <= x <= right and top <= y <= bottom for left, top, right, bottom in others for x, y in middles
    )


def of_single_letters(
    rows: Sequence[CellRow], letters: Sequence[Component], letter: float
) -> tuple[CellRow, ...]:
    """Leave out the rows with several letters in a cell: columns of a table.

    Args:
        rows: of cells.
        letters: of the page, in the same frame.
        letter: height of its letters in pixels.
    """
    counts: dict[tuple[int, int], int] = {}
    for one in letters:
        place = cell_of(rows, one)
        if place and one.height >= LEAST_BODY_LETTERS * letter:
            counts[place] = counts.get(place, 0) + 1
    kept = []
    for number, row in enumerate(rows, 1):
        filled = [count for (of_row, _), count in counts.items() if of_row == number]
        if not filled or np.mean([count > 1 for count in filled]) <= MOST_FULL_SHARE:
            kept.append(row)
    return tuple(kept)


def cell_of(rows: Sequence[CellRow], letter: Component) -> tuple[int, int] | None:
    """The numbers, from 1, of the row and the cell in which the middle of a letter lies; None if in none."""
    return cell_at(rows, (letter.left + letter.right) / 2, (letter.top + letter.bottom) / 2)


def cell_at(rows: Sequence[CellRow], x: float, y: float) -> tuple[int, int] | None:
    """The numbers, from 1, of the row and the cell at a place in the ink frame; None if there is none."""
    for number, row in enumerate(rows, 1):
        if row.cells[0][0] <= x < row.cells[-1][2]:
            for cell, (left, top, right, bottom) in enumerate(row.cells, 1):
                if left <= x < right and top - _over(top, bottom) <= y < bottom + _over(top, bottom):
                    return number, cell
    return None


def _over(top: int, bottom: int) -> float:
    return BEYOND_SHARE * (bottom - top)


def steps_between(rows: Sequence[CellRow], letters: Sequence[Component]) -> list[int | None]:
    """How many cells each letter of a line is after the one before it.

    Args:
        rows: of cells.
        letters: of the line, from left to right, in the same frame.

    Returns:
        One number less than there are letters: None where one of two neighbours is in no cell, `ANOTHER_ROW`
        where they are in different rows of cells.
    """
    places = [cell_of(rows, one) for one in letters] if rows else [None] * len(letters)
    return [
        None if not one or not other else other[1] - one[1] if one[0] == other[0] else ANOTHER_ROW
        for one, other in itertools.pairwise(places)
    ]


def _upright_strokes(dark: NDArray[np.uint8], level: Sequence[LinePath], sizes: Sizes) -> list[_Wall]:
    """Find thin upright strokes as high as walls, cut where form lines cross them, from left to right."""
    letter = sizes.letter
    high = np.ones((max(3, round(LOWEST_LETTERS * letter)), 1), np.uint8)
    whole = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((1 + BROKEN_PIXELS, 1), np.uint8))
    # A wall that leans by a pixel continues in the next column.
    wider = cv2.dilate(whole, np.ones((1, 3), np.uint8))
    thickest = np.ones((1, round(THICKEST_LETTERS * letter) + 3), np.uint8)
    upright = cv2.morphologyEx(wider, cv2.MORPH_OPEN, high)
    upright = cv2.subtract(upright, cv2.morphologyEx(upright, cv2.MORPH_OPEN, thickest))
    upright = cv2.morphologyEx(upright, cv2.MORPH_OPEN, high)
    contours, _ = cv2.findContours(upright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)

    spans, near = _spans(level), MEETS_LETTERS * letter
    found = []
    for outline in contours:
        left, top, width, height = cv2.boundingRect(outline)
        points = outline.reshape(-1, 2)
        ends = _cuts(left + width / 2, top, top + height, level, spans, near)
        for first, last in itertools.pairwise(ends):
            if LOWEST_LETTERS * letter <= last - first <= HIGHEST_LETTERS * letter:
                xs = points[(points[:, 1] >= first) & (points[:, 1] <= last), 0]
                x = float(xs.min() + xs.max()) / 2 if xs.size else left + (width - 1) / 2
                found.append(_Wall(x, first, last))
    return sorted(found)


def _cuts(
    x: float, top: int, bottom: int, level: Sequence[LinePath], spans: NDArray[np.float64], near: float
) -> list[int]:
    """Rows at which an upright stroke ends or meets a level form line; `spans` are from `_spans`."""
    left, right, high, low = spans
    crossing = (left <= x) & (x < right) & (high <= bottom + near) & (low >= top - near)
    lines = [level[number] for number in np.flatnonzero(crossing).tolist()]
    ys = sorted(round(float(line.y[min(round(x) - line.start, len(line.y) - 1)])) for line in lines)
    met = [y for y in ys if top - near <= y <= bottom + near]
    before = [top] if not met or met[0] - top > near else []
    after = [bottom] if not met or bottom - met[-1] > near else []
    return [*before, *met, *after]


def _spans(level: Sequence[LinePath]) -> NDArray[np.float64]:
    """First column, one past the last, highest and lowest row of each level form line: float64, 4×n."""
    spans = [(line.start, line.stop, line.y.min(), line.y.max()) for line in level]
    return np.array(spans, np.float64).reshape(-1, 4).T


def _rows_of_walls(walls: Sequence[_Wall], sizes: Sizes) -> list[list[_Wall]]:
    """Group walls, sorted from left to right, into rows in which neighbours begin and end together."""
    far = MOST_UNSEEN_CELLS * WIDEST_LETTERS * sizes.letter
    rows: list[list[_Wall]] = []
    last = np.zeros((len(walls), 3))
    for wall in walls:
        near = SAME_END_PIXELS + SAME_END_SHARE * (wall.bottom - wall.top)
        x, *ends = last[: len(rows)].T
        apart = np.maximum(np.abs(ends[0] - wall.top), np.abs(ends[1] - wall.bottom))
        apart[wall.x - x > far] = np.inf
        number = int(apart.argmin()) if len(rows) else 0
        if len(rows) and apart[number] <= near:
            rows[number].append(wall)
        else:
            number = len(rows)
            rows.append([wall])
        last[number] = wall
    return rows


def _runs_of_cells(walls: Sequence[_Wall], sizes: Sizes) -> Iterator[list[Edges]]:
    """Find runs of equally wide cells between the walls of a row, the longest first."""
    width = _commonest_width(walls, sizes)
    if width is None:
        return
    xs = [wall.x for wall in walls]
    run = max((_run(xs, start, width) for start in range(len(walls))), key=lambda run: sum(run.counts))
    seen = run.counts.count(1)
    cells = [
        cell
        for (one, other), count in zip(itertools.pairwise(run.walls), run.counts, strict=True)
        for cell in _cut(walls[one], walls[other], count)
    ]
    if seen < LEAST_CELLS:
        return
    if seen >= LEAST_SEEN_SHARE * len(cells):
        yield cells
    yield from _runs_of_cells(walls[: run.walls[0]], sizes)
    yield from _runs_of_cells(walls[run.walls[-1] + 1 :], sizes)


def _commonest_width(walls: Sequence[_Wall], sizes: Sizes) -> float | None:
    """The width that most spaces between walls have that may be cells; None if too few share it."""
    heights = np.array([wall.bottom - wall.top for wall in walls[:-1]])
    widths = np.diff([wall.x for wall in walls])
    low = np.maximum(NARROWEST_LETTERS * sizes.letter, NARROWEST_RATIO * heights)
    high = np.minimum(WIDEST_LETTERS * sizes.letter, WIDEST_RATIO * heights)
    widths = widths[(low <= widths) & (widths <= high)]
    if len(widths) < LEAST_CELLS:
        return None
    alike = np.abs(widths[:, None] - widths) <= UNEVEN_SHARE * widths[:, None]
    best = int(alike.sum(axis=1).argmax())
    return float(np.median(widths[alike[best]])) if alike[best].sum() >= LEAST_CELLS else None


class _Run(NamedTuple):
    """Walls in step: their numbers, and how many cells there are between each and the next."""

    walls: list[int]
    counts: list[int]


def _run(xs: Sequence[float], start: int, width: float) -> _Run:
    """Step from wall to wall, as far as cells of a width reach."""
    run = _Run([start], [])
    while True:
        at, slack = run.walls[-1], UNEVEN_SHARE * width
        steps = [_nearest(xs, xs[at] + count * width, slack) for count in range(1, MOST_UNSEEN_CELLS + 1)]
        beyond = at + 1
        is_gap = (
            steps[0] is None
            and bool(run.counts and run.counts[-1])
            and beyond < len(xs)
            and xs[beyond] - xs[at] <= WIDEST_GAP_SHARE * width
            and _nearest(xs, xs[beyond] + width, slack) is not None
        )
        if is_gap:
            run.walls.append(beyond)
            run.counts.append(0)
            continue
        found = next(((count, step) for count, step in enumerate(steps, 1) if step is not None), None)
        if found is None:
            return run
        run.counts.append(found[0])
        run.walls.append(found[1])


def _nearest(xs: Sequence[float], x: float, slack: float) -> int | None:
    """The number of the wall nearest to a place, None if it is farther off than `slack`."""
    after = bisect.bisect_left(xs, x)
    near = [number for number in (after - 1, after) if 0 <= number < len(xs) and abs(xs[number] - x) <= slack]
    return min(near, key=lambda number: abs(xs[number] - x), default=None)


def _cut(left: _Wall, right: _Wall, count: int) -> Iterator[Edges]:
    """Cut what is between two walls into that many equally wide cells; the gap between two cells has none."""
    edges = np.linspace(left.x, right.x, count + 1).round().astype(int).tolist()
    top, bottom = round((left.top + right.top) / 2), round((left.bottom + right.bottom) / 2)
    for first, last in itertools.pairwise(edges):
        yield first, top, last, bottom


def _closed(dark: NDArray[np.uint8], cells: Sequence[Edges], sizes: Sizes) -> Iterator[list[Edges]]:
    """The runs of cells with a level line at the foot or at the head, where there is one for each cell."""
    near = max(1, round(MEETS_LETTERS * sizes.letter))

    def covered(cell: Edges, end: int) -> bool:
        left, right = cell[0], max(cell[0] + 1, cell[2])
        edge = dark[max(0, cell[end] - near) : cell[end] + near + 1, left:right]
        return bool(edge.any(axis=0).mean() >= LEAST_LEVEL_SHARE)

    lines = [(covered(cell, 1), covered(cell, 3)) for cell in cells]
    for is_closed, run in itertools.groupby(zip(cells, lines, strict=True), key=lambda one: any(one[1])):
        found = list(run)
        height = float(np.median([cell[3] - cell[1] for cell, _ in found]))
        is_box = sum(all(both) for _, both in found) > MOST_OPEN_SHARE * len(found)
        is_as_letters = not is_box and abs(height - sizes.letter) <= STEM_SHARE * sizes.letter
        least = LEAST_STEM_CELLS if is_as_letters else LEAST_CELLS
        if is_closed and len(found) >= least and height >= is_box * LOWEST_BOX_LETTERS * sizes.letter:
            yield [cell for cell, _ in found]
