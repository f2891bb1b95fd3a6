"""Hold what was read: letters, lines and pages as values, and as the bytes of a result file.

The values are msgspec structs: one decoder checks the types of a file and makes the values at the same time,
so that the results of 200,000 pages are written in seconds and nothing malformed gets past it.

`Box` and `Quality` here, and `Layout` and `Printed` in jobs/settings.py, have twins in segmentation/, because
neither room may import the other. tests/jobs/records/test_readings.py holds each equal to its twin.
"""

from __future__ import annotations

import hashlib
import itertools
from enum import StrEnum
from operator import attrgetter
from typing import Annotated

import msgspec

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.settings import MARKS
from lettermill.jobs.storage.display import display_path

_CHECK_BYTES = 16


class Status(StrEnum):
    """How a page ended: the `status` column of pages.csv."""

    DONE = "DONE"
    EMPTY = "EMPTY"
    FAILED = "FAILED"
    QUARANTINED = "QUARANTINED"
    CANCELLED = "CANCELLED"


READ = frozenset({Status.DONE, Status.EMPTY})
"""The ways to end with a reading."""

FAILED = frozenset({Status.FAILED, Status.QUARANTINED})
"""The ways to end without a reading although the page was tried."""


class Box(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rectangle in pixels of the scan as a viewer shows it: x right, y down, origin at the top left."""

    x: int
    y: int
    width: int
    height: int


class Letter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One letter, or a mark between letters; in JSON a flat list, because a page may have thousands.

    Attributes:
        box: its box on the scan.
        word: the number of its word in its line, from 1.
        ranking: the best three characters with their calibrated confidence (0–1), best first. A character
            is empty only where a person decided that there is no letter (`lettermill.jobs.job.corrections`).
        flagged: whether a person should check it.
        disputed: whether the readers disagree about it; False in results of early versions.
        by_ink: what the ink alone gives here, if the job's context changed it: another character, several, or
            none (empty). None if it changed nothing.
        cell: where it stands in a row of cells: the number of the row on the page and of the cell in the row,
            from 1. None if it stands in none.
    """

    box: Box
    word: int
    ranking: Annotated[tuple[tuple[str, float], ...], msgspec.Meta(min_length=1)]
    flagged: bool
    disputed: bool = False
    by_ink: str | None = None
    cell: tuple[int, int] | None = None

    @property
    def letter(self) -> str:
        """The best character."""
        return self.ranking[0][0]

    @property
    def is_mark(self) -> bool:
        """Whether it is no letter or digit, but a mark between them."""
        return bool(self.letter) and self.letter in MARKS

    @property
    def confidence(self) -> float:
        """The confidence of the best character, 0–1."""
        return self.ranking[0][1]


class LineReading(msgspec.Struct, frozen=True, gc=False):
    """One line, of at least one letter.

    Attributes:
        box: its box on the scan.
        letters: its letters in reading order.
        lexicon_text: the line as read with the job's word list; empty where the job has none.
        field: name of the form's field that it fills; empty where the job has no template.
        confidence: of a field, the probability (0–1) that all of its letters are right; of an image of one
            line, that of the whole image. None where it is not known.
    """

    box: Box
    letters: Annotated[tuple[Letter, ...], msgspec.Meta(min_length=1)]
    lexicon_text: str = ""
    field: str = ""
    confidence: float | None = None

    @property
    def text(self) -> str:
        """The letters and marks, words joined by one space."""
        parts: list[str] = []
        word = 0
        for letter in self.letters:
            if char := letter.ranking[0][0]:
                if letter.word != word and parts:
                    parts.append(" ")
                word = letter.word
                parts.append(char)
        return "".join(parts)

    @property
    def words(self) -> tuple[tuple[Letter, ...], ...]:
        """The letters of each word."""
        return tuple(tuple(letters) for _, letters in itertools.groupby(self.letters, key=attrgetter("word")))


class Quality(msgspec.Struct, frozen=True, gc=False):
    """What was measured of a scan; None where it cannot be measured without ink, or without letters.

    Attributes:
        letter_height: height of a typical letter in pixels.
        stroke_width: width of a typical stroke in pixels.
        contrast: grey levels (of 255) between paper and ink.
        blur: in letter heights.
        ink_used: share (0–1) of the strokes, by length, that were read as letters.
    """

    letter_height: float | None = None
    stroke_width: float | None = None
    contrast: float | None = None
    blur: float | None = None
    ink_used: float | None = None


class PageReading(msgspec.Struct, frozen=True, gc=False):
    """The result of one page, and what a result file holds.

    Attributes:
        page_id: the id in the manifest.
        scan: path below the scan root, with `/`, as a person reads it (`display_path`).
        page: page number in the scan, from 1.
        status: how the page ended.
        error_code: why there is no reading; None unless the page failed or is quarantined.
        error: the same for a person.
        lines: the lines in reading order.
        skew_degrees: the angle of the lines of text; positive where they fall to the right.
        width: of the page in pixels; None where it could not be opened, and in results of early versions.
        height: of the page in pixels; as `width`.
        quality: codes about the scan's quality, the most serious first.
        measured: the numbers behind the codes.
        seconds: time from opening the scan to the reading; differs from run to run.
        attempts: how often the page was tried; differs from run to run.
        version: the version of Lettermill that read it.
    """

    page_id: str
    scan: str
    page: int
    status: Status
    error_code: ErrorCode | None = None
    error: str = ""
    lines: tuple[LineReading, ...] = ()
    skew_degrees: float = 0.0
    width: int | None = None
    height: int | None = None
    quality: tuple[str, ...] = ()
    measured: Quality = Quality()
    seconds: float = 0.0
    attempts: int = 1
    version: str = ""

    @property
    def failed(self) -> bool:
        """Whether the page was tried and has no reading."""
        return self.status in FAILED

    @property
    def text(self) -> str:
        """The page's lines joined by newlines, without lines from which a person removed all letters."""
        return "\n".join(text for line in self.lines if (text := line.text))

    @property
    def letters(self) -> tuple[Letter, ...]:
        """All letters in reading order, without those that a person removed."""
        return tuple(letter for line in self.lines for letter in line.letters if letter.ranking[0][0])


class _File(msgspec.Struct):
    """A result file: the reading, and a digest of its bytes, which does not fit a file that was edited."""

    check: str
    reading: msgspec.Raw


_file_decoder = msgspec.json.Decoder(_File)
_reading_decoder = msgspec.json.Decoder(PageReading)
_encoder = msgspec.json.Encoder()


def to_bytes(reading: PageReading) -> bytes:
    """Return the content of a reading's result file."""
    # File names, and messages of libraries that quote them, may hold bytes that are not UTF-8.
    error = reading.error.encode("utf-8", "backslashreplace").decode()
    raw = _encoder.encode(msgspec.structs.replace(reading, scan=display_path(reading.scan), error=error))
    return _encoder.encode(_File(_check(raw), msgspec.Raw(raw)))


def from_bytes(content: bytes) -> PageReading:
    """Return the reading of a result file.

    Raises:
        ValueError: the file is cut off, was edited, or was written by another version.
    """
    file = _file_decoder.decode(content)
    if file.check != _check(file.reading):
        raise ValueError("its content does not have the digest that was written with it")
    return _reading_decoder.decode(file.reading)


def _check(raw: bytes | msgspec.Raw) -> str:
    return hashlib.blake2b(raw, digest_size=_CHECK_BYTES).hexdigest()
