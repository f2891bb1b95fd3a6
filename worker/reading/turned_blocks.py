"""Finds blocks of text that lie another way up than the rest of their page, such as a second card on a sheet.

Only where the network doubts the letters of a whole region are they classified in other orientations, too. A
block is what stands between two white strips that run across the page, down it, or across one column of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import Box, LineReading
from lettermill.segmentation import values
from lettermill.segmentation.columns import GUTTER_LETTERS
from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.values import Candidate, Segmentation
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.page_orientation import (
    DOUBTFUL_BELOW_CONFIDENCE,
    MIN_PROBABILITY,
    TEMPERATURE_FACTOR,
)

LEAST_LETTERS = 6
"""Letters of the smallest block: in fewer, too many look alike in two orientations."""

LEAST_DOUBT_PER_LETTER = 0.1
"""How far below 0.9 the confidences of so small a block are on average: turned letters, 0.2 or more."""

MARGIN_NATS = 4.0
"""A block is this much likelier turned: more than for a page, because many blocks are compared."""

MARGIN_NATS_PER_LETTER = 0.3
"""The same for each of its letters: turned ones gain 1 on average, joined or careless ones nothing."""


@dataclass(frozen=True, slots=True)
class TurnedBlock:
    """A part of a page that is to be turned.

    Attributes:
        box: the part in page pixels, bounded in the middle of the white around it, or by the page's edge.
        quarters: clockwise quarter turns by which its text lies, 0 to 3.
    """

    box: values.Box
    quarters: int

    def holds(self, box: Box | values.Box) -> bool:
        """Whether the middle of a box is in this part."""
        x, y = box.x + box.width / 2, box.y + box.height / 2
        return (
            self.box.x <= x < self.box.x + self.box.width and self.box.y <= y < self.box.y + self.box.height
        )


def insert_block(
    lines: Sequence[LineReading],
    block_lines: Sequence[LineReading],
    block: TurnedBlock,
    shape: tuple[int, ...],
    quarters: int,
) -> list[LineReading]:
    """Put the lines of a block among those of its page: after the last line that is above it or left of it.

    A block above or below everything else on the scan stays there, whichever way the rest lies.

    Args:
        lines: the other lines of the page, in reading order.
        block_lines: those of the block.
        block: the block.
        shape: height and width of the page in pixels.
        quarters: clockwise quarter turns by which the page lies.
    """
    as_scanned, upright = (
        [_is_before(line.box, block.box, shape, turns) for line in lines] for turns in (0, quarters)
    )
    if all(as_scanned) or not any(as_scanned):
        upright = as_scanned
    place = max((number for number, is_before in enumerate(upright, start=1) if is_before), default=0)
    return [*lines[:place], *block_lines, *lines[place:]]


def _is_before(box: Box, block: values.Box, shape: tuple[int, ...], quarters: int) -> bool:
    """Whether the middle of a box is above a block or left of it, once the page is turned upright."""
    x, y, right, low = _upright(box, shape, quarters)
    left, top, _, _ = _upright(block, shape, quarters)
    return (y + low) / 2 < top or (x + right) / 2 < left


def _upright(box: Box | values.Box, shape: tuple[int, ...], quarters: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box once the page is turned upright."""
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    height, width = shape[:2]
    return (
        (left, top, right, bottom),
        (top, width - right, bottom, width - left),
        (width - right, height - bottom, width - left, height - top),
        (height - bottom, left, height - top, right),
    )[quarters]


def moved(line: LineReading, right: int, down: int) -> LineReading:
    """A line whose boxes are moved by as many pixels: from a part of a page to the page."""

    def move(box: Box) -> Box:
        return Box(box.x + right, box.y + down, box.width, box.height)

    letters = tuple(msgspec.structs.replace(letter, box=move(letter.box)) for letter in line.letters)
    return msgspec.structs.replace(line, box=move(line.box), letters=letters)


class _Run(NamedTuple):
    """Neighbouring groups of letters: which letters they are, and the part of the page that is theirs."""

    letters: NDArray[np.intp]
    edges: tuple[float, float, float, float]


def find_turned_blocks(
    shape: tuple[int, ...],
    segmentation: Segmentation,
    confidences: NDArray[np.float32],
    classifier: Classifier,
) -> list[TurnedBlock]:
    """Find the blocks of a page that lie another way up than the page.

    Args:
        shape: height and width of the page in pixels.
        segmentation: of the page, the way up that most of it lies.
        confidences: float32, one for each component of it: the probability of its likeliest character.
        classifier: the network.

    Returns:
        Blocks that do not overlap, the clearest first.
    """
    letters = [one for line in segmentation.lines for word in line.words for one in word.candidates]
    doubt = DOUBTFUL_BELOW_CONFIDENCE - confidences.astype(np.float64)
    if len(segmentation.lines) < 2 or len(letters) <= LEAST_LETTERS:
        return []
    boxes = np.array([(b.x, b.y, b.x + b.width, b.y + b.height) for b in (one.box for one in letters)])
    page = _Run(np.arange(len(letters)), (0.0, 0.0, float(shape[1]), float(shape[0])))
    gutter = GUTTER_LETTERS * float(np.median(boxes[:, 3] - boxes[:, 1]))
    groups = [*_groups_of(page, boxes, gutter)]
    least = LEAST_LETTERS * LEAST_DOUBT_PER_LETTER
    doubtful = [run.letters for run in _best_runs(groups, doubt) if len(run.letters) >= LEAST_LETTERS]
    if max((doubt[of_run].sum() for of_run in doubtful), default=0.0) < least:
        return []

    gains = _gains(letters, classifier)
    blocks: list[TurnedBlock] = []
    while True:
        best, gain, turns = max(
            (
                (run, float(gains[run.letters, more].sum()), more)
                for more in (1, 2, 3)
                for run in _best_runs(groups, gains[:, more])
            ),
            key=lambda each: each[1],
            default=(page, 0.0, 0),
        )
        count = len(best.letters)
        if (
            count < LEAST_LETTERS
            or count == len(letters)
            or gain < max(MARGIN_NATS, MARGIN_NATS_PER_LETTER * count)
        ):
            return blocks
        left, top, right, bottom = (round(edge) for edge in best.edges)
        box = values.Box(left, top, right - left, bottom - top)
        blocks.append(TurnedBlock(box, (segmentation.quarters + turns) % 4))
        # What is turned already counts against every further block.
        gains[best.letters] = -MARGIN_NATS


def _gains(letters: Sequence[Candidate], classifier: Classifier) -> NDArray[np.float64]:
    """How much likelier each letter is, turned by 0 to 3 quarters, than as it lies: float64, n×4, in nats."""
    glyphs = np.array([one.glyph for one in letters], np.uint8).reshape(-1, GLYPH_SIZE, GLYPH_SIZE)
    logs = [
        np.log(
            np.maximum(
                classifier.best_probability(np.rot90(glyphs, more, axes=(1, 2)), TEMPERATURE_FACTOR),
                MIN_PROBABILITY,
            )
        )
        for more in range(4)
    ]
    return np.stack(logs, axis=1).astype(np.float64) - logs[0][:, None]


def _groups_of(page: _Run, boxes: NDArray[np.int64], gutter: float) -> Iterator[list[_Run]]:
    """Divide a page into rows, into columns, and each column into rows."""
    yield _split(page, boxes, 1, 0.0)
    columns = _split(page, boxes, 0, gutter)
    if len(columns) > 1:
        yield columns
        for column in columns:
            yield _split(column, boxes, 1, 0.0)


def _split(run: _Run, boxes: NDArray[np.int64], axis: int, least: float) -> list[_Run]:
    """Split letters where more than `least` pixels of an axis (0 across, 1 down) are free of them."""
    order = run.letters[np.argsort(boxes[run.letters, axis], kind="stable")]
    ends = np.maximum.accumulate(boxes[order, 2 + axis])
    cuts = np.flatnonzero(boxes[order[1:], axis] - ends[:-1] > least) + 1
    middles = (ends[cuts - 1] + boxes[order[cuts], axis]) / 2
    limits = [run.edges[axis], *middles.tolist(), run.edges[2 + axis]]
    found = []
    for part, (low, high) in zip(np.split(order, cuts), itertools.pairwise(limits), strict=True):
        edges = list(run.edges)
        edges[axis], edges[2 + axis] = low, high
        found.append(_Run(part, (edges[0], edges[1], edges[2], edges[3])))
    return found


def _best_runs(divisions: Sequence[Sequence[_Run]], values: NDArray[np.float64]) -> Iterator[_Run]:
    """Of each division of the page, the neighbouring groups whose letters have the greatest sum of values."""
    for groups in divisions:
        sums = np.concatenate(([0.0], np.cumsum([values[group.letters].sum() for group in groups])))
        # The last start before each end from which the sum is greatest: Kadane's algorithm.
        first = np.array([int(np.argmin(sums[:end])) for end in range(1, len(sums))])
        last = int(np.argmax(sums[1:] - sums[first]))
        taken = groups[first[last] : last + 1]
        yield _Run(
            np.concatenate([group.letters for group in taken]), (*taken[0].edges[:2], *taken[-1].edges[2:])
        )
