"""Choose which letters a person should check: those below a confidence that follows from a wanted rate.

The rate is that of letters (`--accept-at`), or of whole fields (`--accept-fields-at`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Letter, PageReading
from lettermill.jobs.results.acceptance import Acceptance

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


NEVER = -1.0
"""Confidence of fields that a person should check at any rate."""


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


class FieldLetter(NamedTuple):
    """A letter in its field.

    Attributes:
        letter: the letter.
        field: confidence that all letters of its field are right; `NEVER` if that is not known, or if letters
            of the field were flagged whatever their confidence.
        is_least: whether it is the least sure letter of its field; marks are not, beside letters.
    """

    letter: Letter
    field: float
    is_least: bool


def in_fields(reading: PageReading, by_settings: float) -> Iterator[FieldLetter]:
    """Yield the letters of a page as it was read; all lines without a name are one field.

    Args:
        reading: the page.
        by_settings: letters with less confidence are flagged by the job's settings.
    """
    for _, of_field in itertools.groupby(reading.lines, key=attrgetter("field")):
        lines = list(of_field)
        letters = [letter for line in lines for letter in line.letters]
        known = [line.confidence for line in lines if line.confidence is not None]
        always = any(one.flagged and one.confidence >= by_settings for one in letters)
        field = NEVER if always or len(known) < len(lines) else min(known)
        least = min(range(len(letters)), key=lambda at: (letters[at].is_mark, letters[at].confidence))
        for number, letter in enumerate(letters):
            yield FieldLetter(letter, field, number == least)


class Confidences:
    """The letters and fields of a job, counted by confidence; memory does not grow with the job.

    Args:
        by_settings: letters with less confidence are flagged by the job's settings.
        low_mean: from `low_mean_confidence`.
    """

    def __init__(self, by_settings: float, low_mean: float | None = None) -> None:
        self._by_settings = by_settings
        self._low_mean = low_mean
        self._letters: Counter[int] = Counter()
        self._fields: Counter[int] = Counter()
        self._always = 0
        self._sum = 0.0
        self._calibrated = 0

    def add(
        self,
        confidences: Sequence[float],
        flagged: Sequence[bool],
        marks: Sequence[bool],
        fields: Iterable[float],
    ) -> None:
        """Count letters by their confidences and the flags that they were read with, and fields.

        Args:
            confidences: of letters.
            flagged: of these letters.
            marks: which of them are marks; their confidences are not calibrated.
            fields: the confidences of fields.
        """
        of_letters = [one for one, is_mark in zip(confidences, marks, strict=True) if not is_mark]
        self._sum += sum(of_letters)
        self._calibrated += len(of_letters)
        self._fields.update(int(field * CONFIDENCE_STEPS) for field in fields if field != NEVER)
        counted = [
            int(confidence * CONFIDENCE_STEPS)
            for confidence, is_flagged in zip(confidences, flagged, strict=True)
            if not is_flagged or confidence < self._by_settings
        ]
        self._letters.update(counted)
        self._always += len(confidences) - len(counted)

    def add_page(self, reading: PageReading) -> None:
        """Count the letters and fields of a page as it was read."""
        letters = reading.letters
        fields = [one.field for one in in_fields(reading, self._by_settings) if one.is_least]
        self.add(
            [letter.confidence for letter in letters],
            [letter.flagged for letter in letters],
            [letter.is_mark for letter in letters],
            fields,
        )

    @property
    def unlike(self) -> Unlike | None:
        """How the job is unlike the calibration sets; None if it is not, or if that cannot be said."""
        if self._low_mean is None or self._calibrated < UNLIKE_FROM_LETTERS:
            return None
        mean = self._sum / self._calibrated
        return Unlike(mean, self._low_mean) if mean < self._low_mean else None

    def below(self, acceptance: Acceptance) -> float | None:
        """Return the confidence below which letters, or fields, are not accepted; None if all are not.

        They are accepted in order of confidence while their mean confidence is at or above the rate:
        calibrated confidences are probabilities of being right, so their mean is the expected accuracy. A job
        unlike the calibration sets is flagged for a higher rate.
        """
        rate = rate_asked(acceptance.rate) if self.unlike else acceptance.rate
        counted = self._fields if acceptance.by_field else self._letters
        accepted = right = 0.0
        below = None
        for step in sorted(counted, reverse=True):
            accepted += counted[step]
            right += counted[step] * step / CONFIDENCE_STEPS
            if right < rate * accepted:
                break
            below = step / CONFIDENCE_STEPS
        return below

    def flagging(self, acceptance: Acceptance) -> Flagging:
        """Return how letters are flagged for a rate."""
        return Flagging(acceptance, self.below(acceptance), self._by_settings)

    def cost(self, rate: float) -> Cost:
        """Return how many letters a rate of letters flags."""
        below = self.below(Acceptance(rate))
        least = CONFIDENCE_STEPS + 1 if below is None else round(below * CONFIDENCE_STEPS)
        flagged = sum(count for step, count in self._letters.items() if step < least)
        return Cost(rate, below, flagged + self._always)


@dataclasses.dataclass(frozen=True, slots=True)
class Flagging:
    """How letters are flagged when a job is collected.

    Attributes:
        acceptance: what is accepted; None if the flags of the job's settings are kept.
        below: letters with less confidence are flagged, or fields with less confidence have a flag at least;
            None if all are or have, as none is certain enough.
        by_settings: letters with less confidence are flagged by the job's settings. Letters that were flagged
            with more confidence stay flagged: in a field that holds what its template does not allow, the
            confidences only compare the allowed letters with each other.
    """

    acceptance: Acceptance | None
    below: float | None
    by_settings: float

    @staticmethod
    def at(
        acceptance: Acceptance,
        readings: Iterable[PageReading],
        by_settings: float,
        low_mean: float | None = None,
    ) -> Flagging:
        """Return the flagging that leaves as many letters unflagged as a rate permits.

        Args:
            acceptance: what is accepted.
            readings: all pages of the job; only counts of their letters and fields are kept.
            by_settings: see the attribute.
            low_mean: from `low_mean_confidence`.
        """
        letters = Confidences(by_settings, low_mean)
        for reading in readings:
            letters.add_page(reading)
        return letters.flagging(acceptance)

    @property
    def by_field(self) -> bool:
        """Whether whole fields are accepted."""
        return self.acceptance is not None and self.acceptance.by_field

    @property
    def accept_at(self) -> float | None:
        """The rate at which letters are accepted."""
        return self.acceptance.rate if self.acceptance and not self.by_field else None

    @property
    def accept_fields_at(self) -> float | None:
        """The rate at which fields are accepted."""
        return self.acceptance.rate if self.acceptance and self.by_field else None

    def applied(self, reading: PageReading) -> PageReading:
        """Return a page with its letters flagged in this way."""
        if self.acceptance is None:
            return reading
        flags = (
            bool(self.flags(one.letter.confidence, one.letter.flagged, one.field, one.is_least))
            for one in in_fields(reading, self.by_settings)
        )
        lines = tuple(
            msgspec.structs.replace(
                line,
                letters=tuple(
                    msgspec.structs.replace(letter, flagged=flag)
                    for letter, flag in zip(line.letters, flags, strict=False)
                ),
            )
            for line in reading.lines
        )
        return msgspec.structs.replace(reading, lines=lines)

    def flags(self, confidence: Any, flagged: Any, field: Any, is_least: Any) -> Any:
        """Return whether a letter is flagged; works on arrays, too.

        Args:
            confidence: of the letter.
            flagged: as it was read.
            field: as in `FieldLetter`.
            is_least: as in `FieldLetter`.
        """
        sure = field if self.by_field else confidence
        doubtful = (sure < self.below) if self.below is not None else (sure <= 1)
        if self.by_field:
            doubtful = doubtful & (is_least | flagged)
        return doubtful | (flagged & (confidence >= self.by_settings))


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
    low: float | None = card.get("low_mean_confidence", {}).get(settings.widest_alphabet)
    return low


def flagging_of(job: Job, acceptance: Acceptance | None) -> Flagging:
    """Return how a job's letters are flagged for a rate; its results are read if there is one.

    Args:
        job: the job.
        acceptance: what is accepted; None for the job's settings.

    Raises:
        UsageProblem: fields are to be accepted, and the job has none.
        NotAJob: the manifest is missing or damaged.
    """
    below = job.settings.flag_below
    if acceptance is None:
        return Flagging(None, below, below)
    acceptance.check(job.settings)
    results = job.results.read_each(entry.id for entry, _ in job.manifest())
    readings = (reading for _, reading in results if isinstance(reading, PageReading))
    return Flagging.at(acceptance, readings, below, low_mean_confidence(job))
