"""Which letters a person should look at: those below a confidence that follows from a rate to be reached."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from lettermill.jobs.records.readings import LineReading, PageReading

STEPS = 10_000
"""Confidences are told apart by four decimals, as letters.csv has them."""

RATES = (0.98, 0.99, 0.995, 0.999)
"""Rates of which a summary says what they would come to."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What it takes for the letters that are not flagged to be right at a rate.

    Attributes:
        accept_at: the rate, 0–1.
        flagged_below: letters with less confidence are flagged; None where all are.
        flagged_letters: how many that are, whatever people decided about them.
    """

    accept_at: float
    flagged_below: float | None
    flagged_letters: int


class Confidences:
    """The letters of a job by their confidence; memory does not grow with the job.

    Args:
        by_settings: letters with less confidence are flagged by the job's settings.
    """

    def __init__(self, by_settings: float) -> None:
        self._by_settings = by_settings
        self._letters: Counter[int] = Counter()
        self._always = 0

    def add(self, confidences: Sequence[float], flagged: Sequence[bool]) -> None:
        """Count letters by their confidences, and whether they are flagged as they were read."""
        sure = [
            int(confidence * STEPS)
            for confidence, is_flagged in zip(confidences, flagged, strict=True)
            if not is_flagged or confidence < self._by_settings
        ]
        self._letters.update(sure)
        self._always += len(confidences) - len(sure)

    def add_page(self, reading: PageReading) -> None:
        """Count the letters of a page as it was read."""
        letters = reading.letters
        self.add([letter.confidence for letter in letters], [letter.flagged for letter in letters])

    def below(self, rate: float) -> float | None:
        """Return the confidence below which letters are flagged for a rate; None where all are.

        The surest letters are accepted, as many as have the rate for their mean confidence: calibrated
        confidences are the chances of being right, so their mean is the share that is expected to be.
        """
        accepted = right = 0.0
        below = None
        for step in sorted(self._letters, reverse=True):
            accepted += self._letters[step]
            right += self._letters[step] * step / STEPS
            if right < rate * accepted:
                break
            below = step / STEPS
        return below

    def flagging(self, rate: float) -> Flagging:
        """Return how letters are flagged for a rate."""
        return Flagging(rate, self.below(rate), self._by_settings)

    def cost(self, rate: float) -> Cost:
        """Return what a rate takes."""
        below = self.below(rate)
        least = STEPS + 1 if below is None else round(below * STEPS)
        flagged = sum(count for step, count in self._letters.items() if step < least)
        return Cost(rate, below, flagged + self._always)


@dataclasses.dataclass(frozen=True, slots=True)
class Flagging:
    """How letters are flagged when a job is collected.

    Attributes:
        accept_at: the rate at which letters that are not flagged are to be right, 0–1; None where the flags
            stay as the job's settings made them.
        below: letters with less confidence are flagged; None where all are, for none is sure enough.
        by_settings: letters with less confidence are flagged by the job's settings. Those that are flagged
            with more stay so: in a form's field that holds what its template does not allow, the
            confidences only tell the allowed letters apart.
    """

    accept_at: float | None
    below: float | None
    by_settings: float

    @staticmethod
    def at(rate: float, readings: Iterable[PageReading], by_settings: float) -> Flagging:
        """Return the flagging that leaves as many letters unflagged as can be expected to be right at a rate.

        Args:
            rate: 0–1.
            readings: all pages of the job; their letters are only counted, so memory stays flat.
            by_settings: as the attribute.
        """
        letters = Confidences(by_settings)
        for reading in readings:
            letters.add_page(reading)
        return letters.flagging(rate)

    def applied(self, reading: PageReading) -> PageReading:
        """Return a page with its letters flagged so."""
        if self.accept_at is None:
            return reading
        return msgspec.structs.replace(reading, lines=tuple(map(self._line, reading.lines)))

    def flags(self, confidence: Any, flagged: Any) -> Any:
        """Return whether a letter is flagged, by confidence and flag as it was read; of arrays too."""
        doubtful = True if self.below is None else confidence < self.below
        return doubtful | (flagged & (confidence >= self.by_settings))

    def _line(self, line: LineReading) -> LineReading:
        letters = tuple(
            msgspec.structs.replace(letter, flagged=self.flags(letter.confidence, letter.flagged))
            for letter in line.letters
        )
        return msgspec.structs.replace(line, letters=letters)
