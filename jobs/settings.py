"""The settings of a job: one frozen object that travels from the command line to the workers."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

import msgspec

from lettermill.jobs.errors import NotAJob

Alphabet = Literal["letters", "digits", "alnum"]
Layout = Literal["auto", "page", "line"]
Printed = Literal["drop", "keep"]

MAX_PAGE_SECONDS = 1500
"""The longest time limit of a page. Twice it (one page at work, one reserved) stays below the queue's
visibility timeout, so that a slow page is never delivered again while it is still read."""

MOST_MEGAPIXELS = MOST_MEGABYTES = 1_000_000
"""Beyond what any machine reads; an infinite limit has no place in JSON."""

_MEMORY_OF_A_PROCESS = 1 << 30
_MEMORY_OF_A_PIXEL = 25
"""Bytes: 19 were measured, while a transparent page is laid on paper."""

MIN_DPI, MAX_DPI = 50, 1200

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
ALPHABETS: dict[Alphabet, str] = {"letters": LETTERS, "digits": DIGITS, "alnum": LETTERS + DIGITS}


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page may cost. Limits change no reading, so they are no part of a job's identity."""

    max_megapixels: Annotated[float, msgspec.Meta(gt=0, le=MOST_MEGAPIXELS)] = 200.0
    """Larger pages are refused. 200 lets an A0 drawing at 300 dpi (139 megapixels) pass."""

    max_megabytes: Annotated[float, msgspec.Meta(gt=0, le=MOST_MEGABYTES)] = 500.0
    """Larger files are refused."""

    max_pages: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """Files of more pages are refused, as one page: 10,000 is a cabinet of index cards in one file."""

    page_seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_PAGE_SECONDS)] = 300.0
    """A page that takes longer is recorded as TIMEOUT: a hundred times what a dense A4 page takes."""

    @property
    def memory(self) -> int:
        """Bytes that a process may hold while it reads a page: what the largest one needs, and some more."""
        return _MEMORY_OF_A_PROCESS + int(self.max_megapixels * 1e6) * _MEMORY_OF_A_PIXEL


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides how a page is read."""

    alphabet: Alphabet = "letters"
    """The characters that may be reported."""

    layout: Layout = "auto"
    """Whether an image is one line, a page of lines, or to be judged."""

    printed: Printed = "drop"
    """Whether what is printed on a form is left out or read like hand-print."""

    dpi: Annotated[int, msgspec.Meta(ge=MIN_DPI, le=MAX_DPI)] = 300
    """Dots per inch at which PDF pages are rendered; boxes count in these pixels."""

    flag_below: float = 0.9
    """Letters with less confidence are flagged for a person to look at."""

    lexicon: str | None = None
    """Digest of the word list that lines are read with a second time; None for none."""

    template: str | None = None
    """Digest of the template whose fields are read; None where all that is on a page is read."""

    limits: Limits = Limits()

    @property
    def characters(self) -> str:
        """The characters of the alphabet, in the order of the CNN's labels."""
        return ALPHABETS[self.alphabet]

    def fingerprint(self) -> str:
        """Return a digest of everything that changes a reading."""
        identity = self.to_json()
        del identity["limits"]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        if self.template is None:  # Such a job is what it was before there were templates, in its name too.
            del values["template"]
        return values

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the settings from plain values.

        Raises:
            NotAJob: a value is wrong or unknown, as in the job of another version.
        """
        try:
            return msgspec.convert(values, cls)
        except (ValueError, TypeError) as error:
            raise NotAJob(
                f"job.json holds settings that this version does not know: {error}",
                "Use the version of Lettermill that made the job, or submit the folder again.",
            ) from error
