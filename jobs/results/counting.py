"""Count what came out of a job, page by page, in bounded memory."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import READ, Letter, PageReading, Status
from lettermill.jobs.results.context_use import ContextCount
from lettermill.jobs.results.flagging import RATES, Confidences, Flagging, low_mean_confidence
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.results.summary import (
    BOUNDS_SECONDS,
    DOUBTFUL_LETTERS,
    DOUBTFUL_PAGES,
    FAILURES_LISTED,
    HISTOGRAM_BINS,
    WORST_PAGES,
    WORST_SCANS,
    DoubtfulLetter,
    Failure,
    FieldCount,
    FieldTotals,
    LeastCertainScan,
    Summary,
    WorstPage,
)
from lettermill.jobs.storage.display import display_path

_Kept = TypeVar("_Kept")


class Counting:
    """The counts of a job while its pages are added one by one; memory does not grow with the job.

    Args:
        job: the job.
        collected: when the counting began, ISO time in UTC.
        cancelled: why the job is stopped; None while it is not.
        flagging: which letters are flagged.
    """

    def __init__(self, job: Job, collected: str, cancelled: str | None, flagging: Flagging) -> None:
        self.cancelled = cancelled
        self.flagging = flagging
        self._job = job
        self._collected = collected
        self._pages = self._scans = self._lines = self._letters = self._flagged = 0
        self._confidence = self._seconds = self._expected_wrong = 0.0
        self._statuses: Counter[Status] = Counter()
        self._codes: Counter[str] = Counter()
        self._quality: Counter[str] = Counter()
        self._bins: Counter[int] = Counter()
        self._as_read = Confidences(flagging.by_settings, low_mean_confidence(job))
        self._context = ContextCount(job.context)
        self._filled: Counter[str] = Counter()
        self._look_at: Counter[str] = Counter()
        self._fields: Counter[str] = Counter()
        self._fields_wrong = 0.0
        self._characters = Counter(dict.fromkeys(job.settings.characters, 0))
        self._sure: defaultdict[str, float] = defaultdict(float)
        self._page_seconds: Counter[int] = Counter()
        self._scan = _Scan("")
        self._scan_bins: Counter[int] = Counter()
        self._failures: list[Failure] = []
        self._damaged: list[str] = []
        self._doubtful: _Highest[list[DoubtfulLetter]] = _Highest(DOUBTFUL_PAGES)
        self._worst_pages: _Highest[WorstPage] = _Highest(WORST_PAGES)
        self._least_sure: _Highest[LeastCertainScan] = _Highest(WORST_SCANS)

    def add_page(self, entry: ManifestEntry) -> None:
        """Count a page of the manifest."""
        if entry.scan != self._scan.name:
            self._finish_scan()
            self._scan = _Scan(entry.scan)
        self._pages += 1
        self._scans += entry.page == 1

    def add_damaged(self, page_id: str) -> None:
        """Count a page whose result file cannot be read."""
        if len(self._damaged) < FAILURES_LISTED:
            self._damaged.append(self._job.results.path(page_id).below(self._job.path))

    def add_as_read(self, reading: PageReading) -> None:
        """Count the confidences of a page as it was read, before flags and corrections are applied."""
        self._as_read.add_page(reading)

    def add_reading(self, entry: ManifestEntry, reading: PageReading) -> None:
        """Count the result of a page, with flags and corrections applied."""
        self._statuses[reading.status] += 1
        self._seconds += reading.seconds
        if reading.attempts:
            self._page_seconds[bisect.bisect_right(BOUNDS_SECONDS, reading.seconds)] += 1
        self._quality.update(reading.quality)
        if reading.failed:
            self._add_failure(reading)
        self._context.add(reading)
        self._lines += len(reading.lines)
        if letters := reading.letters:
            self._add_letters(entry, reading, letters)
        if self._job.template:
            form = form_values(self._job.template, reading)
            self._look_at.update(form.look_at)
            names = [field.name for field in self._job.template.fields]
            filled = {name for name, value in zip(names, form.values, strict=True) if value.text}
            self._filled.update(filled)
            if reading.status in READ:
                look_at = set(form.look_at)
                unseen = filled - look_at
                sure = {name: value.confidence for name, value in zip(names, form.values, strict=True)}
                self._fields_wrong += sum(1 - (sure[name] or 0.0) for name in unseen)
                self._fields.update(
                    unseen=len(unseen), look_at=len(look_at), empty=len(names) - len(unseen) - len(look_at)
                )
        elif self._job.settings.has_fields and reading.status in READ:
            is_flagged = any(letter.flagged for letter in letters)
            self._fields["look_at" if is_flagged else "unseen" if letters else "empty"] += 1
            if letters and not is_flagged:
                sure_lines = [line.confidence for line in reading.lines if line.text]
                known = [one for one in sure_lines if one is not None]
                self._fields_wrong += 1 - min(known) if len(known) == len(sure_lines) else math.nan

    def _add_letters(self, entry: ManifestEntry, reading: PageReading, letters: tuple[Letter, ...]) -> None:
        # Counter.update and sum count in C: there are millions of letters.
        characters = [letter.letter for letter in letters]
        confidences = [letter.confidence for letter in letters]
        doubts = [1 - letter.confidence for letter in letters if not letter.flagged]
        flagged, total = len(letters) - len(doubts), sum(confidences)
        self._letters += len(letters)
        self._flagged += flagged
        self._expected_wrong += sum(doubts)
        self._confidence += total
        self._characters.update(characters)
        self._bins.update([int(confidence * HISTOGRAM_BINS) for confidence in confidences])
        for character, confidence in zip(characters, confidences, strict=True):
            self._sure[character] += confidence
        self._scan.letters += len(letters)
        self._scan.flagged += flagged
        self._scan.confidence += total
        # Of two equal ones, the earlier page stays.
        rank = -min(confidences), -self._pages
        if self._doubtful.takes(rank):
            least = heapq.nsmallest(DOUBTFUL_LETTERS, _letters_of(entry, reading), key=_confidence)
            self._doubtful.add(rank, least)
        wrong = len(letters) - total
        rank = wrong, -self._pages
        if self._worst_pages.takes(rank):
            page = WorstPage(entry, wrong, len(letters), flagged, reading.quality, reading.lines)
            self._worst_pages.add(rank, page)

    def _finish_scan(self) -> None:
        """Count the current scan, when all its pages were counted."""
        scan = self._scan
        if scan.letters:
            mean = scan.confidence / scan.letters
            self._scan_bins[int(mean * HISTOGRAM_BINS)] += 1
            rank = -mean, -self._pages
            if self._least_sure.takes(rank):
                least_sure = LeastCertainScan(display_path(scan.name), scan.letters, scan.flagged, mean)
                self._least_sure.add(rank, least_sure)

    def _add_failure(self, reading: PageReading) -> None:
        code = (reading.error_code or ErrorCode.INTERNAL).value
        self._codes[code] += 1
        if len(self._failures) < FAILURES_LISTED:
            failure = Failure(display_path(reading.scan), reading.page, reading.status, code, reading.error)
            self._failures.append(failure)

    def summary(self) -> Summary:
        """Return the counts."""
        self._finish_scan()
        doubtful = heapq.nsmallest(
            DOUBTFUL_LETTERS,
            (letter for letters in self._doubtful.kept() for letter in letters),
            key=_confidence,
        )
        return Summary(
            job=self._job,
            collected=self._collected,
            cancelled=self.cancelled,
            scans=self._scans,
            pages=self._pages,
            by_status={status: self._statuses[status] for status in Status},
            by_error_code=dict(self._codes.most_common()),
            by_quality=dict(self._quality.most_common()),
            context=self._context.use(),
            lines=self._lines,
            letters=self._letters,
            flagging=self.flagging,
            flagged_letters=self._flagged,
            expected_wrong=self._expected_wrong,
            costs=tuple(map(self._as_read.cost, RATES)) if self._letters else (),
            mean_confidence=self._confidence / self._letters if self._letters else None,
            unlike=self._as_read.unlike,
            histogram=_histogram(self._bins),
            scan_histogram=_histogram(self._scan_bins),
            letter_counts=dict(self._characters),
            letter_confidence={
                char: self._sure[char] / count for char, count in self._characters.items() if count
            },
            seconds=self._seconds,
            seconds_histogram=tuple(self._page_seconds[bin_] for bin_ in range(len(BOUNDS_SECONDS) + 1)),
            failures=tuple(self._failures),
            damaged=tuple(self._damaged),
            doubtful=tuple(doubtful),
            worst_pages=self._worst_pages.kept(),
            least_sure_scans=self._least_sure.kept(),
            fields=tuple(
                FieldCount(field.name, self._filled[field.name], self._look_at[field.name])
                for field in (self._job.template.fields if self._job.template else ())
            ),
            field_totals=FieldTotals(
                unseen=self._fields["unseen"],
                look_at=self._fields["look_at"],
                empty=self._fields["empty"],
                expected_wrong=None if math.isnan(self._fields_wrong) else self._fields_wrong,
            )
            if self._job.settings.has_fields
            else None,
        )


@dataclasses.dataclass(slots=True)
class _Scan:
    """The counts of the current scan so far."""

    name: str
    letters: int = 0
    flagged: int = 0
    confidence: float = 0.0


class _Highest(Generic[_Kept]):
    """The items of the highest ranks, of which no two are equal; memory stays flat.

    Args:
        most: how many items are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, _Kept]] = []  # The lowest rank first.

    def takes(self, rank: tuple[float, int]) -> bool:
        """Say whether an item of this rank would be kept, before it is made."""
        return len(self._heap) < self._most or rank > self._heap[0][:2]

    def add(self, rank: tuple[float, int], item: _Kept) -> None:
        """Keep an item, and drop the one of the lowest rank if there are too many."""
        heapq.heappush(self._heap, (*rank, item))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def kept(self) -> tuple[_Kept, ...]:
        """Return the items, the highest rank first."""
        return tuple(item for _, _, item in sorted(self._heap, key=lambda one: one[:2], reverse=True))


def _histogram(bins: Counter[int]) -> tuple[int, ...]:
    last = HISTOGRAM_BINS - 1
    counts = [bins[bin_] for bin_ in range(HISTOGRAM_BINS)]
    counts[last] += bins[HISTOGRAM_BINS]  # A confidence of 1 goes to the last bin.
    return tuple(counts)


def _letters_of(entry: ManifestEntry, reading: PageReading) -> Iterator[DoubtfulLetter]:
    for number, line in enumerate(reading.lines, 1):
        for position, letter in enumerate(line.letters, 1):
            if letter.letter:
                yield DoubtfulLetter(entry, number, position, letter)


def _confidence(doubtful: DoubtfulLetter) -> float:
    return doubtful.letter.confidence
