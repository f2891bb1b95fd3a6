"""Sends events for the metrics from the processes of a worker to its main process: one line per page.

All lines go through one pipe. A line is shorter than PIPE_BUF, so the system writes it whole or not at all,
even if several processes write at once or one is killed. Nothing is left on a disk.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import msgspec

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.records.readings import PageReading, Status

STAGES = ("decode", "read", "write")
"""The stages of a page: from file to pixels, from pixels to letters, writing the result."""


class PageEnd(msgspec.Struct, frozen=True, tag="page"):
    """How a page ended: counts and codes, no letters and no names.

    Attributes:
        status: how it ended.
        code: why there is no reading, if there is none.
        letters: how many letters were read.
        flagged: how many of them a person should look at.
        confidence: the mean confidence of its letters (0–1); None without letters.
        seconds: how long each stage of `STAGES` took; stages that were not begun are missing.
    """

    status: Status
    code: ErrorCode | None
    letters: int
    flagged: int
    confidence: float | None
    seconds: dict[str, float]


class AttemptsLost(msgspec.Struct, frozen=True, tag="lost"):
    """A process died or was killed, and this many attempts at pages with it."""

    attempts: int


Event = PageEnd | AttemptsLost


def page_end(reading: PageReading, seconds: dict[str, float]) -> PageEnd:
    """Return the event of a page that has just got its result."""
    letters = reading.letters
    return PageEnd(
        status=reading.status,
        code=reading.error_code,
        letters=len(letters),
        flagged=sum(letter.flagged for letter in letters),
        confidence=sum(letter.confidence for letter in letters) / len(letters) if letters else None,
        seconds=seconds,
    )


@contextlib.contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Record how long a stage takes, even if it fails."""
    begun = time.monotonic()
    try:
        yield
    finally:
        seconds[stage] = time.monotonic() - begun


class EventPipe:
    """A pipe to the main process from the processes that read pages; these are forked after it is made."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)

    def send(self, event: Event) -> None:
        """Send an event; it is lost where thousands wait, because a page does not wait to be counted."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._in, msgspec.json.encode(event) + b"\n")

    def events(self) -> Iterator[Event]:
        """Yield the events as they arrive; never ends."""
        decoder = msgspec.json.Decoder(Event)
        with os.fdopen(self._out, "rb") as lines:
            for line in lines:
                yield decoder.decode(line)
