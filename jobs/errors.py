"""Every error of Lettermill, with its exit status and what to do next.

```
LettermillError            3
├── UsageProblem           2   the command line asks for something that cannot be
├── NoScans                3   nothing to read below the folder
├── NotAJob                4   the path is no job folder, or the folder is damaged
├── BrokerUnreachable      5   no Redis answers, or it refuses
├── EngineFailed           6   the private server or the workers of this machine do not stay up
├── ModelProblem           7   a model file is missing, damaged or of another kind
├── ResultsNotWritable     8   the result folder does not take files
├── MissingExtra           9   a command needs an optional part that is not installed
├── BadData               10   a truth file, a word list, a template or a training set cannot be used
├── TimedOut              11   `wait --timeout` ended before the job did
├── Unforeseen            12   Lettermill itself failed
├── InstallationProblem   13   `doctor` found something wrong
└── StoreUnreachable      14   the object store of s3:// does not answer, or not as it should
ScanError                      one page cannot be read: never ends a job, becomes a row with its code
```

Statuses 0 (every page read), 1 (some pages failed), 2 (usage) and 130 (Ctrl-C) belong to the command line.
"""

from __future__ import annotations

from enum import StrEnum


class LettermillError(Exception):
    """An error that ends a command.

    Args:
        what: what happened, and to which file or address.
        next_step: what the person can do about it.
    """

    exit_status = 3

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}\n{self.next_step}" if self.next_step else self.what


class UsageProblem(LettermillError):
    """The command line asks for something that cannot be."""

    exit_status = 2


class NoScans(LettermillError):
    """There is nothing to read below the folder."""

    exit_status = 3


class NotAJob(LettermillError):
    """The path is not a job folder, or the folder is damaged."""

    exit_status = 4


class BrokerUnreachable(LettermillError):
    """No Redis answers at the address, or it refuses."""

    exit_status = 5


class EngineFailed(LettermillError):
    """The private server or the workers of this machine do not stay up."""

    exit_status = 6


class ModelProblem(LettermillError):
    """A model file is missing, damaged, or of another kind."""

    exit_status = 7


class ResultsNotWritable(LettermillError):
    """The result folder does not take files."""

    exit_status = 8


class MissingExtra(LettermillError):
    """A command needs an optional part that is not installed."""

    exit_status = 9


class BadData(LettermillError):
    """A truth file, a word list, a template or a training set cannot be used."""

    exit_status = 10


class TimedOut(LettermillError):
    """Waiting ended before the job did."""

    exit_status = 11


class StoreUnreachable(LettermillError):
    """The object store does not answer, or not as it should."""

    exit_status = 14


class Unforeseen(LettermillError):
    """Lettermill itself failed."""

    exit_status = 12


class InstallationProblem(LettermillError):
    """`lettermill doctor` found something wrong."""

    exit_status = 13


class ErrorCode(StrEnum):
    """Why a page has no reading: the `error_code` column of pages.csv."""

    EMPTY_FILE = "EMPTY_FILE"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    TRUNCATED = "TRUNCATED"
    PAGES_LEFT_OUT = "PAGES_LEFT_OUT"
    PASSWORD = "PASSWORD"
    NO_SUCH_PAGE = "NO_SUCH_PAGE"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    NOT_READABLE = "NOT_READABLE"
    OUTSIDE = "OUTSIDE"
    SCAN_GONE = "SCAN_GONE"
    SCAN_CHANGED = "SCAN_CHANGED"
    FORM_NOT_FOUND = "FORM_NOT_FOUND"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMEOUT = "TIMEOUT"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL = "INTERNAL"


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
"""Failures whose cause lies outside of the file, or may have gone: the next `run` tries these pages again."""


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
