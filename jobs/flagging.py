"""Which letters a person should look at: those below a confidence that follows from a rate to be reached."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

import msgspec

from jobs.readings import LineReading, PageReading

STEPS = 10_000
"""Confidences are told apart by four decimals, as letters.csv has them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flagging:
    """How letters are flagged when a job is collected.

    Attributes:
        accept_at: the rate at which letters that are not flagged are to be right, 0–1; None where the flags
            stay as the job's settings made them.
        below: letters with less confidence are flagged; None where all are, for none is sure enough.
    """

    accept_at: float | None
    below: float | None

    @classmethod
    def at(cls, rate: float, pages: Iterable[Iterable[float]]) -> Flagging:
        """Return the flagging that leaves as many letters unflagged as can be expected to be right at a rate.

        The surest letters are accepted, as many as have the rate for their mean confidence: calibrated
        confidences are the chances of being right, so their mean is the share that is expected to be.

        Args:
            rate: 0–1.
            pages: the confidences of all letters of the job, page by page; they are only counted, so
                memory stays flat.
        """
        letters: Counter[int] = Counter()
        for confidences in pages:
            letters.update([int(confidence * STEPS) for confidence in confidences])
        accepted = right = 0.0
        below = None
        for step in sorted(letters, reverse=True):
            accepted += letters[step]
            right += letters[step] * step / STEPS
            if right < rate * accepted:
                break
            below = step / STEPS
        return cls(rate, below)

    def applied(self, reading: PageReading) -> PageReading:
        """Return a page with its letters flagged so."""
        if self.accept_at is None:
            return reading
        return msgspec.structs.replace(reading, lines=tuple(map(self._line, reading.lines)))

    def _line(self, line: LineReading) -> LineReading:
        letters = tuple(
            msgspec.structs.replace(letter, flagged=self.below is None or letter.confidence < self.below)
            for letter in line.letters
        )
        return msgspec.structs.replace(line, letters=letters)
