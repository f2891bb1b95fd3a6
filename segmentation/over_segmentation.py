"""Doubtful ink cut into parts, and the runs of parts that may be letters: what the lattice chooses from.

Letters that touch, and letters that fell apart, are not told apart by a rule. Doubtful ink is cut wherever
little ink is in the way (over-segmentation), and every run of neighbouring parts that a letter could cover
becomes a candidate (Bottou, Bengio and LeCun 1997, "Global training of document processing systems using
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

LONGEST_RUN = 8
"""Parts that a letter may be made of: an M falls into four."""

WIDEST = 1.7
"""Widest letter in letter heights that is put together of parts: a generous M or W."""

WIDEST_GAP = 0.4
"""Paper in letter heights between two parts of one letter: what a pen or a scanner skips."""

CLOSE = 0.12
"""Paper in letter heights between two components that may be one letter though each could be read."""

NARROWEST_PART = 0.12
"""Letter heights between two cuts, or a stroke: nothing narrower is drawn by a pen."""

DEEPEST_CUT = 2.5
"""Strokes of ink that a seam may cross; from notch to notch any amount: two strokes may run side by side."""

MOST_CUTS = 4
"""Seams through one component for each letter height of its width, the cheapest first."""

STEEPEST = 0.35
"""Letter heights to the side between the notches that a cut joins: writing leans no more."""

NOTCH = 0.15
"""Depth of a notch in strokes: two round ends of strokes side by side leave no more."""

STEM, THICK = 0.6, 1.4
"""A stem is higher in letter heights than the first; wider in strokes than the second, it is two."""

_PAPER_COST = 0.02
_LEAN_COST = 0.15
_LEAST_PART = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """Ink between two cuts, in pixels of the ink frame; `component` numbers the candidate that it comes from."""

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
    """Give a word the candidates that it may need beyond its components as they are.

    Args:
        word: one candidate for each component of ink.
        doubtful: one for each candidate: whether it may be several letters, or part of one.
        letter: height of the line's typical letter in pixels of the ink frame.
        ink: what the candidates' places count in.
        shape: of the page, (height, width) in its pixels.

    Returns:
        The word over its parts. The given candidates come first, in their order; a word in which nothing
        is doubtful and nothing is close comes back as it is.
    """
    if not any(doubtful) and all(gap.paper > CLOSE for gap in word.gaps):
        return word
    parts: list[_Part] = []
    gaps: list[Gap] = []
    for number, (candidate, doubt) in enumerate(zip(word.candidates, doubtful, strict=True)):
        whole = _Part(candidate.left, candidate.top, candidate.ink, number, candidate.box)
        cut, crossed = _cut(whole, letter, ink, shape) if doubt else ([whole], [])
        gaps += [*word.gaps[number - 1 : number], *(Gap(0.0, ink) for ink in crossed)]
        parts += cut
    if len(parts) == 1:
        return word
    components = [part.component for part in parts]
    wholes = []
    for number, candidate in enumerate(word.candidates):
        first = components.index(number)
        last = first + components.count(number)
        if (first, last) != (candidate.first, candidate.last):
            candidate = dataclasses.replace(candidate, first=first, last=last)
        wholes.append(candidate)
    known = {(whole.first, whole.last) for whole in wholes}
    runs = []
    for first in range(len(parts)):
        for last in range(first + 1, min(len(parts), first + LONGEST_RUN) + 1):
            if last > first + 1 and not _may_join(parts, gaps, first, last, doubtful, letter):
                break
            if (first, last) not in known:
                runs.append(_candidate(parts[first:last], first))
    if not runs:
        return word
    return Word((*wholes, *runs), tuple(gaps))


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
    gap = gaps[last - 2].paper
    if one != other and gap > (WIDEST_GAP if doubtful[one] or doubtful[other] else CLOSE):
        return False
    left = min(part.left for part in parts[first:last])
    return max(part.right for part in parts[first:last]) - left - 2 <= WIDEST * letter


def _candidate(parts: Sequence[_Part], first: int) -> Candidate:
    """Put parts together to one candidate."""
    left, top = min(part.left for part in parts), min(part.top for part in parts)
    right, bottom = max(part.right for part in parts), max(part.bottom for part in parts)
    joined = np.zeros((bottom - top, right - left), np.uint8)
    for part in parts:
        place = joined[part.top - top : part.bottom - top, part.left - left : part.right - left]
        np.maximum(place, part.ink, out=place)
    box = enclosing_box([part.box for part in parts])
    return Candidate(box, joined, normalise(joined), left, top, first, first + len(parts))


def _cut(whole: _Part, letter: float, ink: Ink, shape: tuple[int, ...]) -> tuple[list[_Part], list[float]]:
    """Cut a component wherever little ink is in the way; with the strokes of ink that each cut crosses."""
    strokes = whole.ink >= INK_LEVEL
    stroke = _stroke_of(strokes)
    seams, crossed = _paths(strokes, stroke, letter)
    columns = np.arange(strokes.shape[1])
    numbers = (columns[None, :, None] > seams.T[:, None, :]).sum(axis=2)
    amounts = np.bincount(numbers[strokes], minlength=len(seams) + 1)
    least = _LEAST_PART * stroke**2
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


def _trimmed(whole: _Part, own: NDArray[np.uint8], ink: Ink, shape: tuple[int, ...]) -> _Part:
    """A part of a component, cut down to its ink and a margin of a pixel."""
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

    Gives n×h, from left to right, a column for each row of each path, and n of how many strokes of ink it
    crosses. Paths don't cross each other.
    """
    notches = _notch_paths(strokes, stroke, letter)
    notches = np.concatenate((notches, _thick_paths(strokes, stroke, letter, notches)))
    spacing = max(NARROWEST_PART * letter, stroke)
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
        if abs(left - right) <= STEEPEST * letter
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
    tall = np.concatenate(([False], strokes.sum(axis=0) >= STEM * letter, [False]))
    starts, ends = np.flatnonzero(tall[1:] & ~tall[:-1]), np.flatnonzero(~tall[1:] & tall[:-1])
    middles = [
        (start + end) // 2
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if THICK * stroke <= end - start
    ]
    others = taken[:, height // 2].tolist()
    free = [middle for middle in middles if all(abs(middle - other) >= stroke / 2 for other in others)]
    return np.repeat(np.array(free, np.intp), height).reshape(-1, height)


def _notches(strokes: NDArray[np.bool_], stroke: float) -> list[tuple[int, int]]:
    """Find where the outline seen from above dips between two parts that stand higher: (column, row)."""
    depth = np.where(strokes.any(axis=0), strokes.argmax(axis=0), len(strokes)).tolist()
    least = NOTCH * stroke
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
    """Whether the outline rises by so much to one side of a column before it dips lower than there."""
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

    For every column of the middle row the cheapest path through it is found by dynamic programming, from
    the top and from the bottom; a cut is a column where no other within `spacing` has a cheaper one, and
    which is as far from those taken already.
    """
    height, width = strokes.shape
    cost = np.where(strokes, 1.0, _PAPER_COST)
    middle = height // 2
    rows = middle + 1
    # Where the upper half has a row more, the lower one begins on free paper.
    below = np.zeros((rows, width))
    below[rows - (height - middle) :] = cost[: middle - 1 if middle else None : -1]
    above, below = _descend(np.stack((cost[:rows], below)))
    total = above[-1] + below[-1] - cost[middle]
    chosen: list[int] = []
    most = max(1, round(MOST_CUTS * width / letter))
    for column in np.argsort(total, kind="stable").tolist():
        if total[column] > DEEPEST_CUT * stroke + height * _PAPER_COST or len(chosen) == most:
            break
        near = (abs(column - other) < spacing for other in (*chosen, *taken))
        if spacing <= column < width - spacing and not any(near):
            chosen.append(column)
    return np.hstack((_walk(above, chosen)[:, ::-1], _walk(below, chosen)[:, 1 : height - middle]))


def _descend(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cost of the cheapest path from the first row to each pixel, a column to the side a row at most.

    Args:
        cost: float64, n×h×w: of the pixels of n components.
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
