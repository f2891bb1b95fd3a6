"""The settings of a job: one frozen object that travels from the command line to the workers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Literal, Self

from jobs.errors import NotAJob

Alphabet = Literal["letters", "digits", "alnum"]
Layout = Literal["auto", "page", "line"]
Printed = Literal["drop", "keep"]

MAX_PAGE_SECONDS = 1500
"""The longest time limit of a page. Twice it (one page at work, one reserved) stays below the queue's
visibility timeout, so that a slow page is never delivered again while it is still read."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
ALPHABETS: dict[Alphabet, str] = {"letters": LETTERS, "digits": DIGITS, "alnum": LETTERS + DIGITS}


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a page may cost. Limits change no reading, so they are no part of a job's identity."""

    max_megapixels: float = 200.0
    """Larger pages are refused. 200 lets an A0 drawing at 300 dpi (139 megapixels) pass."""

    max_megabytes: float = 500.0
    """Larger files are refused."""

    page_seconds: float = 300.0
    """A page that takes longer is recorded as TIMEOUT: a hundred times what a dense A4 page takes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What decides how a page is read."""

    alphabet: Alphabet = "letters"
    """The characters that may be reported."""

    layout: Layout = "auto"
    """Whether an image is one line, a page of lines, or to be judged."""

    printed: Printed = "drop"
    """Whether what is printed on a form is left out or read like hand-print."""

    dpi: int = 300
    """Dots per inch at which PDF pages are rendered; boxes count in these pixels."""

    flag_below: float = 0.9
    """Letters with less confidence are flagged for a person to look at."""

    lexicon: str | None = None
    """Digest of the word list that lines are read with a second time; None for none."""

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
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the settings from plain values.

        Raises:
            NotAJob: a value is missing or unknown, as in the job of another version.
        """
        try:
            return cls(**{**values, "limits": Limits(**values["limits"])})
        except (KeyError, TypeError) as error:
            raise NotAJob(
                f"job.json holds settings that this version does not know: {error}",
                "Use the version of Lettermill that made the job, or submit the folder again.",
            ) from error
