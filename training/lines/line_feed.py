"""Feeds the training of the line network: a process makes lines, a pool keeps them, batches draw from it."""

from __future__ import annotations

import dataclasses
import multiprocessing as mp
import os
import queue
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, LettermillError
from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.segmentation.line_image import LINE_ROWS
from lettermill.training.lines.line_sources import load_sources
from lettermill.training.lines.made_lines import WIDEST_COLUMNS, LineMaker, TrainingLine
from lettermill.training.lines.real_fields import FieldLines, read_field_set

REAL_SHARE = 0.36
"""Share of the lines that are real fields, if both real and made lines are there."""

_SIZE_POWER = 0.5
"""A set of fields is drawn in proportion to its size to this power."""

_CHARACTERS = LETTERS + DIGITS + MARKS
_LETTERS, _DIGITS = frozenset(LETTERS), frozenset(DIGITS)
_LETTER_MARKS, _DIGIT_MARKS = frozenset("-'"), frozenset("/-.,")

_POOL_LINES = 40_000
_FIRST_LINES = 3_000
"""Lines in the pool before training begins."""

_LINES_AT_ONCE = 32
_MOST_WAITING = 60
_FRESH_GROUPS = 60
"""Groups of lines that are taken from the maker at once, at most."""

_WIDTH_COLUMNS = 32
"""Lines are batched with others of about this difference in width."""

_MARGIN_COLUMNS = 8
"""Each line begins less than this far from the left edge of its batch."""

_STRETCH, _WIDEST_STRETCH = 0.06, 1.15
"""Standard deviation of the logarithm of a line's stretch each time that it is drawn; and the most of it."""

_SLANT, _DOWN_ROWS = 0.07, 0.7
"""Standard deviations of its slant (columns a row), and of how far it is moved down or up."""

_BATCH_COLUMNS = 24
"""Widths of batches are multiples of this: TensorFlow's dilated convolutions failed at an odd width once."""

_LEAST_LINES, _MOST_LINES = 8, 64
_LINES_OF_MIDDLE_WIDTH, _MIDDLE_WIDTHS = 24, 8
"""A batch has 24 lines of 8 times 32 columns, and more of narrow ones: all batches take about as long."""

_LEAST_COLUMNS_PER_CHARACTER = 5
"""A line with less room for its text than that cannot be read in so few time steps."""

_MASKED_SHARE = 0.5
_ASK_SECONDS = 1.0
_NEXT_GROUP_SECONDS = 0.02


@dataclasses.dataclass(frozen=True, slots=True)
class LineOrigins:
    """Where lines come from.

    Attributes:
        folders: what lines are made from, as for `load_sources`; may be empty.
        fields: folders (or zip files) of labelled fields, each with its truth; may be empty.
    """

    folders: tuple[Path, ...] = ()
    fields: tuple[tuple[Path, Path | None], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LineBatch:
    """Lines that are trained on in one step.

    Attributes:
        images: uint8, n×32×w×1, w a multiple of 24.
        texts: what is written on each, one character at least: the loss takes no empty text.
        masks: float32, n×42: 1 for the outputs that may be answered, 0 for the others.
    """

    images: NDArray[np.uint8]
    texts: list[str]
    masks: NDArray[np.float32]


def mask_of(characters: str) -> NDArray[np.float32]:
    """Return the mask (float32, 42) of these characters and the blank."""
    return np.array([*(float(one in characters) for one in _CHARACTERS), 1.0], np.float32)


_ALL = mask_of(_CHARACTERS)
_MASKS = {
    "letters": mask_of(LETTERS + "".join(_LETTER_MARKS)),
    "digits": mask_of(DIGITS + "".join(_DIGIT_MARKS)),
}
_ONLY_DIGITS = mask_of(DIGITS)


def draw_mask(line: TrainingLine, rng: np.random.Generator) -> NDArray[np.float32]:
    """Choose which characters may be answered for a line.

    Most jobs read letters or digits alone, and O and 0 cannot be told apart by their ink. So a line of
    letters is trained half of the time with letters as the only answers, and a line of digits likewise.
    """
    if line.marks_unknown:
        return _ONLY_DIGITS
    if line.text and rng.random() < _MASKED_SHARE:
        characters = set(line.text)
        if not characters & _DIGITS and characters <= _LETTERS | _LETTER_MARKS:
            return _MASKS["letters"]
        if not characters & _LETTERS and characters <= _DIGITS | _DIGIT_MARKS:
            return _MASKS["digits"]
    return _ALL


class LineMixer:
    """Draws lines of all origins.

    Args:
        origins: where the lines come from.
        seed: decides every line.
        report: called with what lines are made from.

    Raises:
        BadData: as `load_sources` and `read_field_set`.
    """

    def __init__(
        self, origins: LineOrigins, seed: int, report: Callable[[str], None] = lambda line: None
    ) -> None:
        self._rng = np.random.default_rng(seed)
        sources = load_sources(origins.folders, report) if origins.folders else None
        self._maker = LineMaker(sources, self._rng) if sources else None
        sets = [read_field_set(folder, truth) for folder, truth in origins.fields]
        self._real = [FieldLines(one, self._rng) for one in sets]
        # The larger set is drawn more often, but the smaller one is not lost.
        weights = np.array([float(len(one.train)) for one in sets]) ** _SIZE_POWER
        self._real_shares = weights / weights.sum() if sets else weights

    def line(self) -> TrainingLine:
        """Draw a line with text; an empty one is joined to another, before or behind it."""
        while True:
            line = self._any()
            empty: TrainingLine | None = None
            if not line.text:
                empty, line = line, self._any()
            if not line.text:
                continue
            image = line.image
            if empty is not None:
                pair = [empty.image, image] if self._rng.random() < 0.5 else [image, empty.image]
                image = np.concatenate(pair, axis=1)
            if image.shape[1] <= WIDEST_COLUMNS:
                return dataclasses.replace(line, image=image)

    def _any(self) -> TrainingLine:
        if self._maker is not None and not (self._real and self._rng.random() < REAL_SHARE):
            return self._maker.line()
        return self._real[int(self._rng.choice(len(self._real), p=self._real_shares))].line()


class LinePool:
    """Keeps lines to draw batches of about equal width from; the oldest lines make room for new ones."""

    def __init__(self, capacity: int = _POOL_LINES) -> None:
        self._capacity = capacity
        self._lines: list[TrainingLine] = []
        self._next = 0
        self._groups: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, lines: Sequence[TrainingLine]) -> None:
        """Add lines, but for those that are too wide or too narrow for their text."""
        for line in lines:
            columns = line.image.shape[1]
            if not len(line.text) * _LEAST_COLUMNS_PER_CHARACTER + 8 <= columns <= WIDEST_COLUMNS:
                continue
            if len(self._lines) < self._capacity:
                self._lines.append(line)
            else:
                self._lines[self._next] = line
                self._next = (self._next + 1) % self._capacity

    def index(self) -> None:
        """Group the lines by width. A line that is replaced later stays where it is until the next call."""
        self._groups = {}
        for number, line in enumerate(self._lines):
            self._groups.setdefault(-(-line.image.shape[1] // _WIDTH_COLUMNS), []).append(number)

    def batch(self, rng: np.random.Generator) -> LineBatch:
        """Draw a batch; every line is as likely as any other.

        Args:
            rng: the only source of randomness.
        """
        widths = list(self._groups)
        # Of a width with few lines in a batch more batches are drawn.
        shares = np.array([len(self._groups[width]) / batch_lines(width) for width in widths])
        width = widths[int(rng.choice(len(widths), p=shares / shares.sum()))]
        count = batch_lines(width)
        lines = [self._lines[number] for number in rng.choice(self._groups[width], count)]
        widest = round(max(line.image.shape[1] for line in lines) * _WIDEST_STRETCH) + _MARGIN_COLUMNS
        images = np.zeros((count, LINE_ROWS, widest + -widest % _BATCH_COLUMNS), np.float32)
        for image, line in zip(images, lines, strict=True):
            image[:] = _moved(line.image, image.shape[1], rng)
        images *= rng.uniform(0.75, 1.25, (count, 1, 1))
        images += rng.normal(0, rng.uniform(0, 10), images.shape)
        return LineBatch(
            np.clip(images, 0, 255).astype(np.uint8)[..., None],
            [line.text for line in lines],
            np.stack([draw_mask(line, rng) for line in lines]),
        )


def _moved(line: NDArray[np.uint8], columns: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Place a line at the left of an empty one, a little stretched, slanted and moved: another one each time.

    Args:
        line: uint8, 32×w.
        columns: of the result.
        rng: the only source of randomness.
    """
    wider = float(np.clip(np.exp(rng.normal(0, _STRETCH)), 1 / _WIDEST_STRETCH, _WIDEST_STRETCH))
    higher, slant = float(np.exp(rng.normal(0, _STRETCH / 2))), float(rng.normal(0, _SLANT))
    left, down = rng.uniform(0, _MARGIN_COLUMNS), rng.normal(0, _DOWN_ROWS)
    middle = LINE_ROWS / 2
    matrix = np.array(
        [[wider, -slant, left + slant * middle], [0, higher, down + middle * (1 - higher)]], np.float32
    )
    return np.asarray(cv2.warpAffine(line, matrix, (columns, LINE_ROWS)), np.uint8)


def batch_lines(width: int) -> int:
    """Return how many lines of a width a batch has: a multiple of 4, fewer of wide ones.

    Args:
        width: in units of 32 columns.
    """
    lines = round(_LINES_OF_MIDDLE_WIDTH * _MIDDLE_WIDTHS / width / 4) * 4
    return int(np.clip(lines, _LEAST_LINES, _MOST_LINES))


class LineFeed:
    """A pool that a process of its own keeps filling; a context manager, which ends the process.

    Args:
        origins: where the lines come from.
        seed: decides the lines, and which of them a batch has.
        first_lines: lines to wait for before the first batch.
        report: called with what lines are made from.
    """

    def __init__(
        self,
        origins: LineOrigins,
        seed: int,
        first_lines: int = _FIRST_LINES,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._report = report
        self._pool = LinePool()
        self._rng = np.random.default_rng(seed)
        self._first_lines = first_lines
        self.made = 0
        """Lines that were made so far."""
        context = mp.get_context("spawn")
        self._queue: Any = context.Queue(_MOST_WAITING)
        self._process = context.Process(
            target=_make, args=(origins, seed, self._queue, os.getpid()), name="line maker", daemon=True
        )

    def __enter__(self) -> LineFeed:
        self._process.start()
        try:
            while len(self._pool) < self._first_lines:
                self._take(self._wait())
        except BaseException:
            self._end()
            raise
        self._pool.index()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.join()
        self._queue.cancel_join_thread()
        self._queue.close()

    def batch(self) -> LineBatch:
        """Draw a batch."""
        return self._pool.batch(self._rng)

    def refresh(self) -> None:
        """Take the lines that were made meanwhile into the pool.

        Raises:
            BadData: the process that makes lines has ended.
        """
        for _ in range(_FRESH_GROUPS):
            try:
                # A group is larger than a pipe holds, so the next one comes only to one who waits for it.
                self._take(self._queue.get(timeout=_NEXT_GROUP_SECONDS))
            except queue.Empty:
                break
        if not self._process.is_alive():
            raise BadData("the process that makes lines has ended", "See its message above.")
        self._pool.index()

    def _take(self, made: list[TrainingLine] | str | LettermillError) -> None:
        """Take what the process sent: lines, something to report, or why it has ended."""
        if isinstance(made, LettermillError):
            raise made
        if isinstance(made, str):
            self._report(made)
            return
        self._pool.add(made)
        self.made += len(made)

    def _wait(self) -> list[TrainingLine] | str | LettermillError:
        while True:
            try:
                made: list[TrainingLine] | str | LettermillError = self._queue.get(timeout=_ASK_SECONDS)
                return made
            except queue.Empty:
                if not self._process.is_alive():
                    raise BadData(
                        "the process that makes lines has ended", "See its message above."
                    ) from None


def _make(origins: LineOrigins, seed: int, lines: Any, parent: int) -> None:
    """Make lines until the parent ends this process, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process.
    cv2.setNumThreads(1)
    try:
        mixer = LineMixer(origins, seed, lines.put)
    except LettermillError as error:
        lines.put(error)
        return
    while True:
        made = [mixer.line() for _ in range(_LINES_AT_ONCE)]
        while True:
            if os.getppid() != parent:
                lines.cancel_join_thread()
                return
            try:
                lines.put(made, timeout=_ASK_SECONDS)
                break
            except queue.Full:
                continue
