"""Choose which letters a person should check: those below a confidence that follows from a wanted rate."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import LineReading, PageReading

CONFIDENCE_STEPS = 10_000
"""Confidences are counted with four decimals, as in letters.csv."""

RATES = (0.98, 0.99, 0.995, 0.999)
"""The rates for which a summary says how many letters would be flagged."""

UNLIKE_FROM_LETTERS = 200
"""Letters of a job from which on its mean confidence says whether it is unlike the calibration sets; the
calibration sets are compared in parts of as many letters."""

UNLIKE_TIMES_WRONG = 3.0
"""How many times as many letters as confidences say are wrong in a job unlike the calibration sets.

Measured: docs/flagging.md.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Unlike:
    """A job with less confidence than nearly all that its confidences were calibrated on.

    Attributes:
        mean: mean confidence of its letters as they were read.
        low: from `low_mean_confidence`.
    """

    mean: float
    low: float


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
        low_mean: from `low_mean_confidence`.
    """

    def __init__(self, by_settings: float, low_mean: float | None = None) -> None:
        self._by_settings = by_settings
        self._low_mean = low_mean
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

    @property
    def unlike(self) -> Unlike | None:
        """How the job is unlike the calibration sets; None if it is not, or if that cannot be said."""
        count = self._letters.total()
        if self._low_mean is None or count < UNLIKE_FROM_LETTERS:
            return None
        mean = sum(step * letters for step, letters in self._letters.items()) / CONFIDENCE_STEPS / count
        return Unlike(mean, self._low_mean) if mean < self._low_mean else None

    def below(self, rate: float) -> float | None:
        """Return the confidence below which letters are flagged for a rate; None if all are.

        Letters are accepted in order of confidence while their mean confidence is at or above the rate:
        calibrated confidences are probabilities of being right, so their mean is the expected accuracy. A job
        unlike the calibration sets is flagged for a higher rate.
        """
        if self.unlike:
            rate = rate_asked(rate)
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
    def at(
        rate: float, readings: Iterable[PageReading], by_settings: float, low_mean: float | None = None
    ) -> Flagging:
        """Return the flagging that leaves as many letters unflagged as a rate permits.

        Args:
            rate: 0–1.
            readings: all pages of the job; only counts of their letters are kept.
            by_settings: see the attribute.
            low_mean: from `low_mean_confidence`.
        """
        letters = Confidences(by_settings, low_mean)
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


def rate_asked(rate: float) -> float:
    """Return the rate by confidences that a job unlike the calibration sets needs to be right at a rate."""
    return 1 - (1 - rate) / UNLIKE_TIMES_WRONG


def low_mean_confidence(job: Job) -> float | None:
    """Return the mean confidence below which a job is unlike what its confidences were calibrated on.

    The model's card has it for each alphabet: nineteen in twenty parts of the calibration sets were above it
    (bench/calibrate.py).

    Returns:
        0–1; None if it is not known: for readings of the CNN alone, for forms, and for other models.
    """
    settings = job.settings
    if settings.template or settings.printed == "keep":
        return None
    try:
        card = job.model.line_card or {}
    except ModelProblem:  # The results are there without it.
        return None
    low: float | None = card.get("low_mean_confidence", {}).get(settings.alphabet)
    return low


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
    return Flagging.at(accept_at, readings, below, low_mean_confidence(job))
