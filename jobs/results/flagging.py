"""Choose which letters a person should check: those below a confidence that follows from a wanted rate."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import LineReading, PageReading

CONFIDENCE_STEPS = 10_000
"""Confidences are counted with four decimals, as in letters.csv."""

RATES = (0.98, 0.99, 0.995, 0.999)
"""The rates for which a summary says how many letters would be flagged."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """How many letters have to be flagged for the unflagged ones to be right at a rate.

    Attributes:
        accept_at: the rate, 0–1.
        flagged_below: letters with less confidence are flagged; None if all are.
        flagged_letters: how many letters that is, regardless of people's decisions about them.
    """

    accept_at: float
    flagged_below: float | None
    flagged_letters: int


class Confidences:
    """The letters of a job, counted by confidence; memory does not grow with the job.

    Args:
        by_settings: letters with less confidence are flagged by the job's settings.
    """

    def __init__(self, by_settings: float) -> None:
        self._by_settings = by_settings
        self._letters: Counter[int] = Counter()
        self._always = 0

    def add(self, confidences: Sequence[float], flagged: Sequence[bool]) -> None:
        """Count letters by their confidences and by the flags that they were read with."""
        counted = [
            int(confidence * CONFIDENCE_STEPS)
            for confidence, is_flagged in zip(confidences, flagged, strict=True)
            if not is_flagged or confidence < self._by_settings
        ]
        self._letters.update(counted)
        self._always += len(confidences) - len(counted)

    def add_page(self, reading: PageReading) -> None:
        """Count the letters of a page as it was read."""
        letters = reading.letters
        self.add([letter.confidence for letter in letters], [letter.flagged for letter in letters])

    def below(self, rate: float) -> float | None:
        """Return the confidence below which letters are flagged for a rate; None if all are.

        Letters are accepted in order of confidence while their mean confidence is at or above the rate:
        calibrated confidences are probabilities of being right, so their mean is the expected accuracy.
        """
        accepted = right = 0.0
        below = None
        for step in sorted(self._letters, reverse=True):
            accepted += self._letters[step]
            right += self._letters[step] * step / CONFIDENCE_STEPS
            if right < rate * accepted:
                break
            below = step / CONFIDENCE_STEPS
        return below

    def flagging(self, rate: float) -> Flagging:
        """Return how letters are flagged for a rate."""
        return Flagging(rate, self.below(rate), self._by_settings)

    def cost(self, rate: float) -> Cost:
        """Return how many letters a rate flags."""
        below = self.below(rate)
        least = CONFIDENCE_STEPS + 1 if below is None else round(below * CONFIDENCE_STEPS)
        flagged = sum(count for step, count in self._letters.items() if step < least)
        return Cost(rate, below, flagged + self._always)


@dataclasses.dataclass(frozen=True, slots=True)
class Flagging:
    """How letters are flagged when a job is collected.

    Attributes:
        accept_at: the accuracy that the unflagged letters are to have, 0–1; None if the flags of the job's
            settings are kept.
        below: letters with less confidence are flagged; None if all are, as none is certain enough.
        by_settings: letters with less confidence are flagged by the job's settings. Letters that were flagged
            with more confidence stay flagged: in a field that holds what its template does not allow, the
            confidences only compare the allowed letters with each other.
    """

    accept_at: float | None
    below: float | None
    by_settings: float

    @staticmethod
    def at(rate: float, readings: Iterable[PageReading], by_settings: float) -> Flagging:
        """Return the flagging that leaves as many letters unflagged as a rate permits.

        Args:
            rate: 0–1.
            readings: all pages of the job; only counts of their letters are kept.
            by_settings: see the attribute.
        """
        letters = Confidences(by_settings)
        for reading in readings:
            letters.add_page(reading)
        return letters.flagging(rate)

    def applied(self, reading: PageReading) -> PageReading:
        """Return a page with its letters flagged in this way."""
        if self.accept_at is None:
            return reading
        return msgspec.structs.replace(reading, lines=tuple(map(self._line, reading.lines)))

    def flags(self, confidence: Any, flagged: Any) -> Any:
        """Return whether a letter is flagged, from its confidence and flag as read; works on arrays, too."""
        doubtful = True if self.below is None else confidence < self.below
        return doubtful | (flagged & (confidence >= self.by_settings))

    def _line(self, line: LineReading) -> LineReading:
        letters = tuple(
            msgspec.structs.replace(letter, flagged=self.flags(letter.confidence, letter.flagged))
            for letter in line.letters
        )
        return msgspec.structs.replace(line, letters=letters)


def flagging_of(job: Job, accept_at: float | None) -> Flagging:
    """Return how a job's letters are flagged for a rate; its results are read if there is one.

    Args:
        job: the job.
        accept_at: the accuracy that the unflagged letters are to have, 0–1; None for the job's settings.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    below = job.settings.flag_below
    if accept_at is None:
        return Flagging(None, below, below)
    results = job.results.read_each(entry.id for entry, _ in job.manifest())
    readings = (reading for _, reading in results if isinstance(reading, PageReading))
    return Flagging.at(accept_at, readings, below)
