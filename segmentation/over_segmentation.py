"""Cuts doubtful ink into parts (over-segmentation) and lists the runs of parts that may be letters.

No rule tells letters that touch from letters that fell apart. Doubtful ink is cut wherever little ink is
in the way, and every run of neighbouring parts that a letter could cover becomes a candidate; the lattice
chooses among them (Bottou, Bengio and LeCun 1997, "Global training of document processing systems using
graph transformer networks"). A cut is a path from top to bottom through as little ink as possible, leaning
as the writing leans: it passes through the concavities of the outline, and between letters whose boxes
overlap it costs nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.boxes import crop_box, enclosing_box
from lettermill.segmentation.components import INK_LEVEL
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.values import Box, Candidate, Gap, Ink, Word

LONGEST_RUN_PARTS = 8
"""Parts of one letter, at most: an M falls into four."""

WIDEST_RUN_LETTERS = 1.7
"""Widest letter made of several parts, in letter heights: a generous M or W."""

WIDEST_GAP_LETTERS = 0.4
"""Paper between two parts of one letter, at most: what a pen or a scanner skips."""

CLOSE_LETTERS = 0.12
"""Paper between two components that may be one letter though each could be read."""

NARROWEST_PART_LETTERS = 0.12
"""Distance between two cuts, at least this or a stroke: a pen draws nothing narrower."""

DEEPEST_CUT_STROKES = 2.5
"""Ink that a seam may cross; from notch to notch there is no limit: two strokes may run side by side."""

MOST_CUTS_PER_LETTER = 4
"""Seams through one component for each letter height of its width, the cheapest first."""

STEEPEST_LETTERS = 0.35
"""Sideways distance between the notches that a cut joins, at most: writing leans no more."""

LEAST_NOTCH_STROKES = 0.15
"""Depth of a notch, at least: two round stroke ends side by side leave no more."""

LEAST_STEM_LETTERS, THICK_STEM_STROKES = 0.6, 1.4
"""Least height of a stem, and the width beyond which it is two stems side by side."""

_PAPER_COST = 0.02
"""Cost of a pixel of paper if a pixel of ink costs 1: prefers the shorter path if nothing else decides."""

_LEAN_COST = 0.15
"""Cost of a step to the side: a cut leans where that saves ink."""

_LEAST_PART_SQUARE_STROKES = 0.5
"""Ink of the smallest part."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """Ink between two cuts, in pixels of the ink frame; `component` numbers the candidate it comes from."""

    left: int
    top: int
    ink: NDArray[np.uint8]
    component: int
    box: Box

    @property
    def right(self) -> int:
        return self.left + int(self.ink.shape[1])

    @property
    def bottom(self) -> int:
        return self.top + int(self.ink.shape[0])


def over_segment(
    word: Word, doubtful: Sequence[bool], letter: float, ink: Ink, shape: tuple[int, ...]
) -> Word:
    """Add the candidates that a word may need beyond its components as they are.

    Args:
        word: one candidate for each component.
        doubtful: one for each candidate: whether it may be several letters, or part of one.
        letter: height of the line's typical letter in pixels of the ink frame.
        ink: the frame to which the candidates' places refer.
        shape: of the page, (height, width) in its pixels.

    Returns:
        The word over its parts. The given candidates come first, in their order; a word in which nothing
        is doubtful and nothing is close is returned unchanged.
    """
    if not any(doubtful) and all(map(_is_apart, word.gaps)):
        return word

    parts, gaps = _cut_doubtful(word, doubtful, letter, ink, shape)
    if len(parts) == 1:
        return word

    wholes = _renumbered(word, parts)
    known = {(whole.first, whole.last) for whole in wholes}
    runs = []
    for first in range(len(parts)):
        for last in range(first + 1, min(len(parts), first + LONGEST_RUN_PARTS) + 1):
            if last > first + 1 and not _may_join(parts, gaps, first, last, doubtful, letter):
                break
            if (first, last) not in known:
                runs.append(_candidate(parts[first:last], first))
    return Word((*wholes, *runs), tuple(gaps)) if runs else word


def _cut_doubtful(
    word: Word, doubtful: Sequence[bool], letter: float, ink: Ink, shape: tuple[int, ...]
) -> tuple[list[_Part], list[Gap]]:
    """Cut the doubtful components of a word; returns all its parts, and the gaps between them."""
    parts: list[_Part] = []
    gaps: list[Gap] = []
    for number, (candidate, doubt) in enumerate(zip(word.candidates, doubtful, strict=True)):
        whole = _Part(candidate.left, candidate.top, candidate.ink, number, candidate.box)
        cut, crossed = _cut(whole, letter, ink, shape) if doubt else ([whole], [])
        gaps += [*word.gaps[number - 1 : number], *(Gap(0.0, strokes) for strokes in crossed)]
        parts += cut
    return parts, gaps


def _renumbered(word: Word, parts: Sequence[_Part]) -> list[Candidate]:
    """The candidates of a word, with `first` and `last` counted in its parts."""
    components = [part.component for part in parts]
    wholes = []
    for number, candidate in enumerate(word.candidates):
        first = components.index(number)
        last = first + components.count(number)
        if (first, last) != (candidate.first, candidate.last):
            candidate = dataclasses.replace(candidate, first=first, last=last)
        wholes.append(candidate)
    return wholes


def _is_apart(gap: Gap, widest: float = CLOSE_LETTERS) -> bool:
    """Whether there is a wall between two components, or, unless one cell holds both, much paper."""
    return gap.paper > widest if gap.wall is None else gap.wall


def _may_join(
    parts: Sequence[_Part],
    gaps: Sequence[Gap],
    first: int,
    last: int,
    doubtful: Sequence[bool],
    letter: float,
) -> bool:
    """Whether a run could be one letter; if not, no longer run from the same part could."""
    one, other = parts[last - 2].component, parts[last - 1].component
    gap = gaps[last - 2]
    widest = WIDEST_GAP_LETTERS if doubtful[one] or doubtful[other] else CLOSE_LETTERS
    if one != other and _is_apart(gap, widest):
        return False
    left = min(part.left for part in parts[first:last])
    return max(part.right for part in parts[first:last]) - left - 2 <= WIDEST_RUN_LETTERS * letter


def _candidate(parts: Sequence[_Part], first: int) -> Candidate:
    """Join parts into one candidate."""
    left, top = min(part.left for part in parts), min(part.top for part in parts)
    right, bottom = max(part.right for part in parts), max(part.bottom for part in parts)
    joined = np.zeros((bottom - top, right - left), np.uint8)
    for part in parts:
        place = joined[part.top - top : part.bottom - top, part.left - left : part.right - left]
        np.maximum(place, part.ink, out=place)
    box = enclosing_box([part.box for part in parts])
    return Candidate(box, joined, normalise(joined), left, top, first, first + len(parts))


def _cut(whole: _Part, letter: float, ink: Ink, shape: tuple[int, ...]) -> tuple[list[_Part], list[float]]:
    """Cut a component wherever little ink is in the way; also return the strokes of ink each cut crosses."""
    strokes = whole.ink >= INK_LEVEL
    stroke = _stroke_of(strokes)
    seams, crossed = _paths(strokes, stroke, letter)
    numbers = _numbers(seams, strokes.shape[1])
    amounts = np.bincount(numbers[strokes], minlength=len(seams) + 1)

    least = _LEAST_PART_SQUARE_STROKES * stroke**2
    bounds = [0]
    cuts: list[float] = []
    for end, crossing in enumerate(crossed.tolist(), start=1):
        if amounts[bounds[-1] : end].sum() >= least and amounts[end:].sum() >= least:
            bounds.append(end)
            cuts.append(crossing)
    if not cuts:
        return [whole], []
    shares = [
        np.where((numbers >= start) & (numbers < end), whole.ink, 0)
        for start, end in itertools.pairwise([*bounds, len(seams) + 1])
    ]
    return [_trimmed(whole, share.astype(np.uint8), ink, shape) for share in shares], cuts


def _numbers(seams: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """Number the parts between seams: for each pixel, h×width, the seams that lie to its left."""
    height = seams.shape[1]
    passed = np.zeros((height, width + 1), np.intp)
    np.add.at(passed, (np.arange(height), seams + 1), 1)
    return passed[:, :width].cumsum(axis=1)


def _trimmed(whole: _Part, own: NDArray[np.uint8], ink: Ink, shape: tuple[int, ...]) -> _Part:
    """Crop a part of a component to its ink and a margin of a pixel."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    crop = np.pad(own[top:bottom, left:right], 1)
    left, top = whole.left + int(left) - 1, whole.top + int(top) - 1
    return _Part(left, top, crop, whole.component, crop_box(crop, left, top, ink, shape))


def _stroke_of(strokes: NDArray[np.bool_]) -> float:
    """Mean width of the strokes: an area of length × width has an outline of about twice the length."""
    inner = cv2.erode(strokes.astype(np.uint8), np.ones((3, 3), np.uint8))
    area = float(strokes.sum())
    return max(1.0, 2 * area / max(1.0, area - float(inner.sum())))


def _paths(
    strokes: NDArray[np.bool_], stroke: float, letter: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find where to cut: from notch to notch of the outline, and elsewhere where least ink is crossed.

    Returns:
        n×h, from left to right, a column for each row of each path, and n, the strokes of ink that each path
        crosses. Paths do not cross each other.
    """
    notches = _notch_paths(strokes, stroke, letter)
    notches = np.concatenate((notches, _thick_paths(strokes, stroke, letter, notches)))
    spacing = max(NARROWEST_PART_LETTERS * letter, stroke)
    taken = notches[:, len(strokes) // 2].tolist()
    seams = _seams(strokes, stroke, letter, spacing, taken)
    paths = np.sort(np.concatenate((notches, seams)), axis=0)
    return paths, strokes[np.arange(len(strokes)), paths].sum(axis=1) / stroke


def _notch_paths(strokes: NDArray[np.bool_], stroke: float, letter: float) -> NDArray[np.intp]:
    """Find the paths that run straight from a notch in the upper outline to one in the lower: n×h."""
    height = len(strokes)
    rows = np.arange(height)
    low = _notches(strokes, stroke)
    high = [(column, height - 1 - depth) for column, depth in _notches(strokes[::-1], stroke)]
    paths: list[NDArray[np.intp]] = []
    pairs = sorted(
        (abs(left - right) + max(0, bottom - top) / 2, left, top, right, bottom)
        for left, top in low
        for right, bottom in high
        if abs(left - right) <= STEEPEST_LETTERS * letter
    )
    for _, left, top, right, bottom in pairs:
        ends = (left, right) if top <= bottom else (right, left)
        path = np.rint(np.interp(rows, sorted((top, bottom)), ends))
        middle = path[height // 2]
        if all(abs(middle - other[height // 2]) >= stroke for other in paths):
            paths.append(path.astype(np.intp))
    return np.array(paths, np.intp).reshape(-1, height)


def _thick_paths(
    strokes: NDArray[np.bool_], stroke: float, letter: float, taken: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Find the paths down the middle of stems that are too thick to be one: n×h."""
    height = len(strokes)
    tall = np.concatenate(([False], strokes.sum(axis=0) >= LEAST_STEM_LETTERS * letter, [False]))
    starts, ends = np.flatnonzero(tall[1:] & ~tall[:-1]), np.flatnonzero(~tall[1:] & tall[:-1])
    middles = [
        (start + end) // 2
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if THICK_STEM_STROKES * stroke <= end - start
    ]
    others = taken[:, height // 2].tolist()
    free = [middle for middle in middles if all(abs(middle - other) >= stroke / 2 for other in others)]
    return np.repeat(np.array(free, np.intp), height).reshape(-1, height)


def _notches(strokes: NDArray[np.bool_], stroke: float) -> list[tuple[int, int]]:
    """Find where the outline seen from above dips between two parts that stand higher: (column, row)."""
    depth = np.where(strokes.any(axis=0), strokes.argmax(axis=0), len(strokes)).tolist()
    least = LEAST_NOTCH_STROKES * stroke
    found = []
    column = 0
    while column < len(depth):
        end = column
        while end + 1 < len(depth) and depth[end + 1] == depth[column]:
            end += 1
        if _rises(depth, column, -1, least) and _rises(depth, end, 1, least):
            found.append(((column + end) // 2, depth[column]))
        column = end + 1
    return found


def _rises(depth: Sequence[int], column: int, step: int, least: float) -> bool:
    """Whether the outline rises by `least` to one side of a column before it dips lower than there."""
    here = depth[column]
    column += step
    while 0 <= column < len(depth) and depth[column] <= here:
        if depth[column] <= here - least:
            return True
        column += step
    return False


def _seams(
    strokes: NDArray[np.bool_], stroke: float, letter: float, spacing: float, taken: Sequence[int]
) -> NDArray[np.intp]:
    """Find the paths from top to bottom that cross least ink: n×h.

    For every column of the middle row, dynamic programming finds the cheapest path through it, from the top
    and from the bottom. A cut is a column whose path is the cheapest within `spacing`, and which is at least
    that far from the columns already taken.
    """
    height, width = strokes.shape
    cost = np.where(strokes, 1.0, _PAPER_COST)
    middle = height // 2
    rows = middle + 1
    # If the upper half has one row more, the lower one begins with a row that costs nothing.
    below = np.zeros((rows, width))
    below[rows - (height - middle) :] = cost[: middle - 1 if middle else None : -1]
    above, below = _descend(np.stack((cost[:rows], below)))
    total = above[-1] + below[-1] - cost[middle]
    chosen: list[int] = []
    most = max(1, round(MOST_CUTS_PER_LETTER * width / letter))
    for column in np.argsort(total, kind="stable").tolist():
        if total[column] > DEEPEST_CUT_STROKES * stroke + height * _PAPER_COST or len(chosen) == most:
            break
        near = (abs(column - other) < spacing for other in (*chosen, *taken))
        if spacing <= column < width - spacing and not any(near):
            chosen.append(column)
    return np.hstack((_walk(above, chosen)[:, ::-1], _walk(below, chosen)[:, 1 : height - middle]))


def _descend(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of the cheapest path from the first row to each pixel, at most one column to the side per row.

    Args:
        cost: float64, n×h×w: of the pixels of n images.
    """
    best = np.pad(cost, ((0, 0), (0, 0), (1, 1)), constant_values=np.inf)
    rows = best.transpose(1, 0, 2)
    for last, row in itertools.pairwise(rows):
        beside = np.minimum(last[:, :-2], last[:, 2:])
        beside += _LEAN_COST
        row[:, 1:-1] += np.minimum(last[:, 1:-1], beside, out=beside)
    return best[:, :, 1:-1]


def _walk(best: NDArray[np.float64], columns: Sequence[int]) -> NDArray[np.intp]:
    """Follow the cheapest paths back from the last row: n×rows, a column for each row, the last row first."""
    rows = best[-2::-1].tolist()
    paths = []
    for column in columns:
        path = [column]
        for row in rows:
            cheapest = row[column]
            step = 0
            if column > 0 and row[column - 1] + _LEAN_COST < cheapest:
                cheapest, step = row[column - 1] + _LEAN_COST, -1
            if column + 1 < len(row) and row[column + 1] + _LEAN_COST < cheapest:
                step = 1
            column += step
            path.append(column)
        paths.append(path)
    return np.array(paths, np.intp).reshape(len(columns), len(best))
