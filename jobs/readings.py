"""What was read: letters, lines and pages as values, and their JSON form."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any, Self

from jobs.errors import ErrorCode


class Status(StrEnum):
    """How a page ended: the `status` column of pages.csv."""

    DONE = "DONE"
    EMPTY = "EMPTY"
    FAILED = "FAILED"
    QUARANTINED = "QUARANTINED"


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the scan as a viewer shows it: x right, y down, from the top-left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Letter:
    """One letter.

    Attributes:
        box: where it stands on the scan.
        word: the number of its word in its line, from 1.
        ranking: the best three characters with their calibrated confidence (0–1), best first.
        flagged: whether a person should look at it.
    """

    box: Box
    word: int
    ranking: tuple[tuple[str, float], ...]
    flagged: bool

    @property
    def letter(self) -> str:
        """The best character."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """The confidence of the best character, 0–1."""
        return self.ranking[0][1]


@dataclasses.dataclass(frozen=True, slots=True)
class LineReading:
    """One line; never without a letter.

    Attributes:
        box: where it stands on the scan.
        letters: its letters in reading order.
        lexicon_text: the line as the job's word list explains it; empty where the job has none.
    """

    box: Box
    letters: tuple[Letter, ...]
    lexicon_text: str = ""

    @property
    def text(self) -> str:
        """The letters, words joined by one space."""
        text = ""
        word = self.letters[0].word
        for letter in self.letters:
            text += letter.letter if letter.word == word else " " + letter.letter
            word = letter.word
        return text


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a scan; None is what cannot be told without ink, or without letters.

    Attributes:
        letter_height: of a typical letter in pixels.
        stroke_width: of a typical stroke in pixels.
        contrast: grey levels (of 255) between paper and ink.
        blur: in letter heights.
        ink_used: share (0–1) of the strokes that were read as letters.
    """

    letter_height: float | None = None
    stroke_width: float | None = None
    contrast: float | None = None
    blur: float | None = None
    ink_used: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PageReading:
    """The result of one page, and the file pages/ab/….json.

    Attributes:
        page_id: the id in the manifest.
        scan: path below the scan root, with `/`; lone surrogates stand for bytes that are not UTF-8.
        page: page number in the scan, from 1.
        status: how the page ended.
        error_code: why there is no reading; None unless the page failed or is quarantined.
        error: the same for a person.
        lines: the lines in reading order.
        skew_degrees: how far the lines of text were turned; positive where they fall to the right.
        quality: codes about the scan's quality, the gravest first.
        measured: the numbers behind the codes; nothing in results that were written before it was measured.
        seconds: time from opening the scan to the reading; may differ from run to run.
        attempts: how often the page was tried; may differ from run to run.
    """

    page_id: str
    scan: str
    page: int
    status: Status
    error_code: ErrorCode | None = None
    error: str = ""
    lines: tuple[LineReading, ...] = ()
    skew_degrees: float = 0.0
    quality: tuple[str, ...] = ()
    measured: Measured = Measured()
    seconds: float = 0.0
    attempts: int = 1

    @property
    def text(self) -> str:
        """The page's lines joined by a newline."""
        return "\n".join(line.text for line in self.lines)

    @property
    def letters(self) -> tuple[Letter, ...]:
        """All letters in reading order."""
        return tuple(letter for line in self.lines for letter in line.letters)

    def to_json(self) -> dict[str, Any]:
        """Return the reading as plain values; a letter is a flat list, for there may be thousands."""
        return {
            "page_id": self.page_id,
            "scan": self.scan,
            "page": self.page,
            "status": self.status.value,
            "error_code": self.error_code.value if self.error_code else None,
            "error": self.error,
            "skew_degrees": self.skew_degrees,
            "quality": list(self.quality),
            "measured": dataclasses.asdict(self.measured),
            "seconds": self.seconds,
            "attempts": self.attempts,
            "lines": [
                {
                    "box": list(dataclasses.astuple(line.box)),
                    "letters": [
                        [
                            list(dataclasses.astuple(letter.box)),
                            letter.word,
                            [list(choice) for choice in letter.ranking],
                            int(letter.flagged),
                        ]
                        for letter in line.letters
                    ],
                    "lexicon_text": line.lexicon_text,
                }
                for line in self.lines
            ],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the reading from plain values.

        Raises:
            KeyError, TypeError, ValueError: the values are not those of a reading.
        """
        lines = tuple(
            LineReading(
                Box(*line["box"]),
                tuple(
                    Letter(Box(*box), word, tuple((str(c), float(p)) for c, p in ranking), bool(flagged))
                    for box, word, ranking, flagged in line["letters"]
                ),
                line.get("lexicon_text", ""),
            )
            for line in values["lines"]
        )
        return cls(
            page_id=values["page_id"],
            scan=values["scan"],
            page=values["page"],
            status=Status(values["status"]),
            error_code=ErrorCode(values["error_code"]) if values["error_code"] else None,
            error=values["error"],
            lines=lines,
            skew_degrees=values["skew_degrees"],
            quality=tuple(values["quality"]),
            measured=Measured(**values.get("measured", {})),
            seconds=values["seconds"],
            attempts=values["attempts"],
        )
