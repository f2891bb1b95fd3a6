"""Define the settings of a job: one frozen object that travels from the command line to the workers."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

import msgspec

from lettermill.jobs.errors import NotAJob

Alphabet = Literal["letters", "digits", "alnum"]
AlphabetChoice = Alphabet | Literal["auto"]
"""What a job is asked for; `auto` decides for each line which alphabet it is written in."""

Layout = Literal["auto", "page", "line"]
Printed = Literal["drop", "keep"]

MAX_PAGE_SECONDS = 1500
"""The longest time limit of a page. Twice this limit (one page being read, one reserved) is below the queue's
visibility timeout, so that a slow page is never delivered again while it is still being read."""

MOST_MEGAPIXELS = MOST_MEGABYTES = 1_000_000
"""More than any machine can read: the upper bound of a limit, because JSON has no infinity."""

_PROCESS_BYTES = 1 << 30
_PIXEL_BYTES = 25
"""Memory per pixel of a page: 19 bytes were measured while a transparent page is laid on paper."""

MIN_DPI, MAX_DPI = 50, 1200

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
MARKS = "/-.,'"
"""What stands between letters and digits; the line network knows it beside them."""

LOOK_ALIKES = {"O": "0", "I": "1", "Z": "2", "S": "5", "B": "8"}
"""Letters and the digits that are written like them."""

ALPHABETS: dict[Alphabet, str] = {"letters": LETTERS, "digits": DIGITS, "alnum": LETTERS + DIGITS}
"""The characters of each alphabet."""

ALPHABET_MARKS: dict[Alphabet, str] = {"letters": "-'", "digits": "/-.,", "alnum": MARKS}
"""The marks that are read between the characters of an alphabet; others are passed over."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page may cost. Limits do not change a reading, so they are not part of a job's identity."""

    max_megapixels: Annotated[float, msgspec.Meta(gt=0, le=MOST_MEGAPIXELS)] = 200.0
    """Larger pages are refused. 200 allows an A0 drawing at 300 dpi (139 megapixels)."""

    max_megabytes: Annotated[float, msgspec.Meta(gt=0, le=MOST_MEGABYTES)] = 500.0
    """Larger files are refused."""

    max_pages: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """Files with more pages are refused, as one failed page. 10,000 is a cabinet of cards in one file."""

    page_seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_PAGE_SECONDS)] = 300.0
    """A page that takes longer is recorded as TIMEOUT. 300 is a hundred times what a dense A4 page takes."""

    @property
    def memory_bytes(self) -> int:
        """How much memory a process may hold while it reads a page: enough for the largest one."""
        return _PROCESS_BYTES + int(self.max_megapixels * 1e6) * _PIXEL_BYTES


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a page is read."""

    alphabet: AlphabetChoice = "letters"
    """The characters that may be reported."""

    layout: Layout = "auto"
    """Whether an image is read as one line or as a page of lines; `auto` decides per image."""

    printed: Printed = "drop"
    """Whether machine print is left out (`drop`) or read like hand-print (`keep`)."""

    dpi: Annotated[int, msgspec.Meta(ge=MIN_DPI, le=MAX_DPI)] = 300
    """Dots per inch at which PDF pages are rendered; boxes are in these pixels."""

    flag_below: float = 0.9
    """Letters with less confidence (0–1) are flagged for a person to check."""

    lexicon: str | None = None
    """Digest of the word list with which lines are read a second time; None without a word list."""

    context: str | None = None
    """Digest of the context that decides where the ink leaves a choice; None if the ink alone counts."""

    template: str | None = None
    """Digest of the template whose fields are read; None where whole pages are read."""

    limits: Limits = Limits()

    @property
    def widest_alphabet(self) -> Alphabet:
        """The alphabet, or the one that holds all that `auto` may choose."""
        return "alnum" if self.alphabet == "auto" else self.alphabet

    @property
    def characters(self) -> str:
        """The characters of the alphabet, in the order of the CNN's labels."""
        return ALPHABETS[self.widest_alphabet]

    @property
    def marks(self) -> str:
        """The marks that may be reported between characters."""
        return ALPHABET_MARKS[self.widest_alphabet]

    @property
    def has_fields(self) -> bool:
        """Whether pages are forms, or images of one line each."""
        return self.template is not None or self.layout == "line"

    @property
    def summary(self) -> tuple[str, ...]:
        """What was asked for, in a few words: the alphabet or `form`, and what is not as usual."""
        usual = Settings()
        return (
            "form" if self.template else self.alphabet,
            *((self.layout,) if self.layout != usual.layout else ()),
            *((f"{self.printed} print",) if self.printed != usual.printed else ()),
            *(("lexicon",) if self.lexicon else ()),
        )

    def fingerprint(self) -> str:
        """Return a digest of all settings that change a reading: all but the limits."""
        identity = self.to_json()
        del identity["limits"]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("template", "context"):  # Jobs without keep the name they had before these existed.
            if values[name] is None:
                del values[name]
        return values

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the settings from plain values.

        Raises:
            NotAJob: a value is wrong or unknown: another version of Lettermill made the job.
        """
        try:
            return msgspec.convert(values, cls)
        except (ValueError, TypeError) as error:
            raise NotAJob(
                f"job.json holds settings that this version does not know: {error}",
                "Use the version of Lettermill that made the job, or submit the folder again.",
            ) from error
