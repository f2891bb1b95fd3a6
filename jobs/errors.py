"""Define every error of Lettermill, with its exit status and what to do next.

```
LettermillError            3
├── UsageProblem           2   the command line asks for something that cannot be
├── NoScans                3   nothing to read below the folder
├── NotAJob                4   the path is not a job folder, or the folder is damaged
├── BrokerUnreachable      5   no Redis answers, or it refuses
├── EngineFailed           6   the private server or the workers of this machine do not stay up
├── ModelProblem           7   a model file is missing, damaged or of another kind
├── ResultsNotWritable     8   the result folder or standard output does not take what is written
├── MissingExtra           9   a command needs an optional part that is not installed
├── BadData               10   a truth file, a word list, a template or a training set cannot be used
│   └── TemplateProblem   10   a key of a template cannot be used
├── TimedOut              11   `wait --timeout` ended before the job did
├── Unforeseen            12   Lettermill itself failed
├── InstallationProblem   13   `doctor` found something wrong
└── StoreUnreachable      14   the object store of s3:// does not answer, or not as it should
ScanError                      one page cannot be read: never ends a job, becomes a row with its code
```

Statuses 0 (every page read), 1 (some pages failed) and 130 (Ctrl-C) have no error of their own.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class ExitStatus(IntEnum):
    """With what status a command ends; docs/output.md says the same."""

    DONE = 0
    PAGES_FAILED = 1
    USAGE = 2
    NO_SCANS = 3
    NOT_A_JOB = 4
    BROKER = 5
    ENGINE = 6
    MODEL = 7
    NOT_WRITABLE = 8
    MISSING_EXTRA = 9
    BAD_DATA = 10
    TIMED_OUT = 11
    UNFORESEEN = 12
    INSTALLATION = 13
    STORE = 14
    INTERRUPTED = 130


class LettermillError(Exception):
    """An error that ends a command.

    Args:
        what: what happened, and to which file or address.
        next_step: what the person can do about it.
    """

    exit_status = ExitStatus.NO_SCANS

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}\n{self.next_step}" if self.next_step else self.what


class UsageProblem(LettermillError):
    """The command line asks for something that cannot be."""

    exit_status = ExitStatus.USAGE


class NoScans(LettermillError):
    """There is nothing to read below the folder."""

    exit_status = ExitStatus.NO_SCANS


class NotAJob(LettermillError):
    """The path is not a job folder, or the folder is damaged."""

    exit_status = ExitStatus.NOT_A_JOB


class BrokerUnreachable(LettermillError):
    """No Redis answers at the address, or it refuses."""

    exit_status = ExitStatus.BROKER


class EngineFailed(LettermillError):
    """The private server or the workers of this machine do not stay up."""

    exit_status = ExitStatus.ENGINE


class ModelProblem(LettermillError):
    """A model file is missing, damaged, or of another kind."""

    exit_status = ExitStatus.MODEL


class ResultsNotWritable(LettermillError):
    """The result folder does not take files, or standard output does not take what is printed."""

    exit_status = ExitStatus.NOT_WRITABLE


class MissingExtra(LettermillError):
    """A command needs an optional part that is not installed."""

    exit_status = ExitStatus.MISSING_EXTRA


class BadData(LettermillError):
    """A truth file, a word list, a template or a training set cannot be used."""

    exit_status = ExitStatus.BAD_DATA


class TemplateProblem(BadData):
    """A key of a template cannot be used.

    Args:
        what: as for `LettermillError`, with the line.
        next_step: as for `LettermillError`.
        field: the number of the field, from 0; None if it is a key of the whole template.
        key: the key.
        said: what is wrong, without file, line and field.
    """

    def __init__(self, what: str, next_step: str, field: int | None, key: str, said: str) -> None:
        super().__init__(what, next_step)
        self.field = field
        self.key = key
        self.said = said


class TimedOut(LettermillError):
    """Waiting ended before the job did."""

    exit_status = ExitStatus.TIMED_OUT


class StoreUnreachable(LettermillError):
    """The object store does not answer, or not as it should."""

    exit_status = ExitStatus.STORE


class Unforeseen(LettermillError):
    """Lettermill itself failed."""

    exit_status = ExitStatus.UNFORESEEN


class InstallationProblem(LettermillError):
    """`lettermill doctor` found something wrong."""

    exit_status = ExitStatus.INSTALLATION


class ErrorCode(StrEnum):
    """Why a page has no reading: the `error_code` column of pages.csv.

    Attributes:
        meaning: what the code means, in a sentence.
        remedy: what a person can do about it, in a sentence.
    """

    meaning: str
    remedy: str

    def __new__(cls, code: str, meaning: str = "", remedy: str = "") -> Self:
        """Make a member that is the string `code`; the defaults let mypy accept `ErrorCode(code)`."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member

    EMPTY_FILE = ("EMPTY_FILE", "The file has no content (0 bytes).", "Scan the page again.")
    NOT_AN_IMAGE = (
        "NOT_AN_IMAGE",
        "The file is not a PNG, JPEG, WebP, BMP, TIFF, HEIC or PDF that is read, or its start is damaged.",
        "Open it in an image program and save it as PNG, or scan the page again.",
    )
    TRUNCATED = (
        "TRUNCATED",
        "The image is cut off or damaged inside.",
        "Copy or scan it again.",
    )
    PAGES_LEFT_OUT = (
        "PAGES_LEFT_OUT",
        "The file has more pages than could be counted: it has the suffix of a single image, or is damaged.",
        "Rename it to .tif or .pdf, or save it again.",
    )
    FILES_ATTACHED = (
        "FILES_ATTACHED",
        "The PDF is a portfolio: its pages are empty, and files are attached to it.",
        "Save the attached files into the scan folder.",
    )
    PASSWORD = ("PASSWORD", "The PDF asks for a password.", "Save a copy without a password.")
    NO_SUCH_PAGE = (
        "NO_SUCH_PAGE",
        "The file has fewer pages than when the job was made, or its page list is damaged.",
        "Copy the file again, then give the same command again.",
    )
    TOO_MANY_PIXELS = (
        "TOO_MANY_PIXELS",
        "The page is larger than the job allows.",
        "Give the same command with a higher --max-megapixels.",
    )
    TOO_MANY_BYTES = (
        "TOO_MANY_BYTES",
        "The file is larger than the job allows.",
        "Give the same command with a higher --max-megabytes.",
    )
    TOO_MANY_PAGES = (
        "TOO_MANY_PAGES",
        "The file has more pages than the job allows.",
        "Give the same command with a higher --max-pages.",
    )
    NOT_READABLE = (
        "NOT_READABLE",
        "The file's permissions or its disk do not let it be read, or it is a folder, a pipe or a device.",
        "Correct the permissions or put a file there, then give the same command again.",
    )
    OUTSIDE = (
        "OUTSIDE",
        "The file is a link that leads out of the scan folder.",
        "Copy the file itself there, or give --scans a folder that holds both.",
    )
    SCAN_GONE = (
        "SCAN_GONE",
        "The file was there when the job was made and is not there any more.",
        "Put it back, then give the same command again.",
    )
    SCAN_CHANGED = (
        "SCAN_CHANGED",
        "The file has changed since the job was made.",
        "Give the same command again to read the new file.",
    )
    FORM_NOT_FOUND = (
        "FORM_NOT_FOUND",
        "The page is not the form of the template, or not enough of its print can be seen.",
        "Check that it is the right form and edition; if so, scan the whole sheet again, flat and in focus.",
    )
    BLANK_IS_FILLED = (
        "BLANK_IS_FILLED",
        "The page is the template's own blank form, and somebody wrote on it: that counts as print.",
        "Make the blank of several filled sheets: lettermill template new FIRST SECOND THIRD.",
    )
    OUT_OF_MEMORY = (
        "OUT_OF_MEMORY",
        "The page needs more memory than there is, or than a page of --max-megapixels may take.",
        "Use fewer workers or a higher --max-megapixels, then give the same command again.",
    )
    TIMEOUT = (
        "TIMEOUT",
        "The page took longer than the job allows.",
        "Give the same command with a higher --page-seconds, then lettermill resume --failed.",
    )
    WORKER_LOST = (
        "WORKER_LOST",
        "The process that read the page died, several times.",
        "Check whether the machine ran out of memory, then lettermill resume --failed.",
    )
    INTERNAL = (
        "INTERNAL",
        "Lettermill made a mistake on this page.",
        "Please report it with the sentence of the page; lettermill resume --failed tries again.",
    )


MENDABLE_WITHOUT_A_NEW_FILE = frozenset(
    {
        ErrorCode.TOO_MANY_PIXELS,
        ErrorCode.TOO_MANY_BYTES,
        ErrorCode.TOO_MANY_PAGES,
        ErrorCode.NOT_READABLE,
        ErrorCode.OUTSIDE,
        ErrorCode.SCAN_GONE,
        ErrorCode.SCAN_CHANGED,
        ErrorCode.PAGES_LEFT_OUT,
        ErrorCode.OUT_OF_MEMORY,
    }
)
"""Failures whose cause is not in the file, or may be gone: the next `run` tries these pages again."""


class ScanError(Exception):
    """One page cannot be read.

    Args:
        code: the kind of failure.
        message: what happened and what to do next, for the `error` column.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @classmethod
    def with_remedy(cls, code: ErrorCode, what: str) -> Self:
        """Return the error of a page for which the code's own remedy is the right advice.

        Args:
            code: the kind of failure.
            what: what happened, without a full stop.
        """
        return cls(code, f"{what}: {code.remedy[0].lower()}{code.remedy[1:].rstrip('.')}")
