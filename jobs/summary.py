"""What a job came to, in numbers: counted page by page in bounded memory, and the file summary.json."""

from __future__ import annotations

import dataclasses
import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from jobs.corrections import NOT_REVIEWED, Reviewed
from jobs.errors import ErrorCode
from jobs.files import shown
from jobs.job import Job
from jobs.manifest import ManifestEntry
from jobs.readings import FAILED, Letter, PageReading, Status

HISTOGRAM_BINS = 20
"""Bins of equal width over the confidences 0–1."""

MAX_FAILURES = 200
"""Failures that the summary names one by one; pages.csv has them all."""

DOUBTFUL_LETTERS = 24
"""Letters that the summary shows: as many as stand on one sheet of paper."""

DOUBTFUL_PAGES = 8
"""Pages that these letters come from: each is decoded once more for its pictures."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A page that has no reading, as it stands in pages.csv."""

    scan: str
    page: int
    status: Status
    error_code: str
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class Doubtful:
    """A letter that is among the least certain ones.

    Attributes:
        entry: its page.
        line: number of its line on the page, from 1.
        position: its number in the line, from 1.
        letter: what was read.
    """

    entry: ManifestEntry
    line: int
    position: int
    letter: Letter

    def to_json(self) -> dict[str, Any]:
        """Return the letter under the column names of letters.csv."""
        box = msgspec.structs.asdict(self.letter.box)
        place = {"scan": shown(self.entry.scan), "page": self.entry.page}
        return {
            **place,
            "line": self.line,
            "word": self.letter.word,
            "position": self.position,
            **box,
            "letter": self.letter.letter,
            "confidence": round(self.letter.confidence, 4),
            "alternatives": [
                [letter, round(confidence, 4)] for letter, confidence in self.letter.ranking[1:]
            ],
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a job: what the command line prints and summary.json holds.

    Attributes:
        job: the job.
        collected: when the counting began, ISO time in UTC.
        cancelled: why the job is stopped; None while it is not.
        scans: scan files in the manifest.
        pages: pages in the manifest.
        by_status: pages that have a row in pages.csv by how they ended; every status is there.
        by_error_code: pages without a reading by their error code, most frequent first.
        by_quality: pages by what was noted about the scan's quality, most frequent first.
        lines: lines read.
        letters: letters read.
        flagged_letters: letters that a person should look at.
        mean_confidence: mean over the letters, 0–1; None without letters.
        histogram: letters by confidence, in `HISTOGRAM_BINS` bins from 0 to 1.
        letter_counts: how often each character of the alphabet was read; every character is there.
        seconds: time spent on reading, all pages together.
        failures: the first `MAX_FAILURES` pages without a reading, in the order of the manifest.
        damaged: result files below the job folder that cannot be read, `MAX_FAILURES` at most; their pages
            count as unfinished.
        doubtful: the least certain letters of the `DOUBTFUL_PAGES` pages with the least certain ones.
        reviewed: what people decided about letters; all other counts are of letters as these say they read.
    """

    job: Job
    collected: str
    cancelled: str | None
    scans: int
    pages: int
    by_status: dict[Status, int]
    by_error_code: dict[str, int]
    by_quality: dict[str, int]
    lines: int
    letters: int
    flagged_letters: int
    mean_confidence: float | None
    histogram: tuple[int, ...]
    letter_counts: dict[str, int]
    seconds: float
    failures: tuple[Failure, ...]
    damaged: tuple[str, ...]
    doubtful: tuple[Doubtful, ...]
    reviewed: Reviewed = NOT_REVIEWED

    @property
    def finished(self) -> int:
        """Pages with a result of whatever kind."""
        return sum(self.by_status.values()) - self.not_begun

    @property
    def not_begun(self) -> int:
        """Pages without a result that get none until somebody resumes the job."""
        return self.by_status[Status.CANCELLED]

    @property
    def unfinished(self) -> int:
        """Pages that have no result yet, and no row in the CSV files."""
        return self.pages - self.finished - self.not_begun

    @property
    def failed(self) -> int:
        """Pages that ended without a reading."""
        return sum(self.by_status[status] for status in FAILED)

    @property
    def flagged_share(self) -> float | None:
        """Share of the letters that a person should look at; None without letters."""
        return self.flagged_letters / self.letters if self.letters else None

    def to_json(self) -> dict[str, Any]:
        """Return the content of summary.json; docs/output.md lists the keys."""
        return {
            "job": self.job.path.name,
            "version": self.job.version,
            "created": self.job.created,
            "collected": self.collected,
            "cancelled": self.cancelled,
            "scan_root": shown(self.job.scan_root),
            "settings": self.job.settings.to_json(),
            "model_fingerprint": self.job.model_fingerprint,
            "scans": self.scans,
            "pages": self.pages,
            "finished": self.finished,
            "unfinished": self.unfinished,
            "failed": self.failed,
            "by_status": {status.value: count for status, count in self.by_status.items()},
            "by_error_code": self.by_error_code,
            "by_quality": self.by_quality,
            "lines": self.lines,
            "letters": self.letters,
            "flagged_letters": self.flagged_letters,
            "flagged_share": _rounded(self.flagged_share),
            "mean_confidence": _rounded(self.mean_confidence),
            "confidence_histogram": list(self.histogram),
            "letter_counts": self.letter_counts,
            "seconds": round(self.seconds, 3),
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "damaged_results": list(self.damaged),
            "least_certain": [doubtful.to_json() for doubtful in self.doubtful],
            "reviewed_letters": self.reviewed.letters,
            "corrected_letters": self.reviewed.corrected,
            "unused_corrections": list(self.reviewed.unused),
        }


class Counting:
    """Counts the pages of a job one after the other; memory does not grow with the job.

    Args:
        job: the job.
        collected: when the counting began, ISO time in UTC.
        cancelled: why the job is stopped; None while it is not.
    """

    def __init__(self, job: Job, collected: str, cancelled: str | None) -> None:
        self.cancelled = cancelled
        self._job = job
        self._collected = collected
        self._pages = self._scans = self._lines = self._letters = self._flagged = 0
        self._confidence = self._seconds = 0.0
        self._statuses: Counter[Status] = Counter()
        self._codes: Counter[str] = Counter()
        self._quality: Counter[str] = Counter()
        self._bins: Counter[int] = Counter()
        self._characters = Counter(dict.fromkeys(job.settings.characters, 0))
        self._failures: list[Failure] = []
        self._damaged: list[str] = []
        # A heap whose first page goes first: the one whose least certain letter is the most certain.
        self._worst_pages: list[tuple[float, int, list[Doubtful]]] = []

    def add_page(self, entry: ManifestEntry) -> None:
        """Count a page of the manifest."""
        self._pages += 1
        self._scans += entry.page == 1

    def add_damaged(self, page_id: str) -> None:
        """Note a page whose result file cannot be read."""
        if len(self._damaged) < MAX_FAILURES:
            self._damaged.append(self._job.result_path(page_id).below(self._job.path))

    def add_reading(self, entry: ManifestEntry, reading: PageReading) -> None:
        """Count the result of a page."""
        self._statuses[reading.status] += 1
        self._seconds += reading.seconds
        self._quality.update(reading.quality)
        if reading.failed:
            self._add_failure(reading)
        self._lines += len(reading.lines)
        if reading.letters:
            self._add_letters(reading.letters)
            self._keep_doubtful(entry, reading)

    def _add_letters(self, letters: tuple[Letter, ...]) -> None:
        # Counter.update and sum count in C: there are millions of letters.
        confidences = [letter.confidence for letter in letters]
        self._letters += len(letters)
        self._flagged += sum([letter.flagged for letter in letters])
        self._confidence += sum(confidences)
        self._characters.update([letter.letter for letter in letters])
        self._bins.update([int(confidence * HISTOGRAM_BINS) for confidence in confidences])

    def _add_failure(self, reading: PageReading) -> None:
        code = (reading.error_code or ErrorCode.INTERNAL).value
        self._codes[code] += 1
        if len(self._failures) < MAX_FAILURES:
            failure = Failure(shown(reading.scan), reading.page, reading.status, code, reading.error)
            self._failures.append(failure)

    def _keep_doubtful(self, entry: ManifestEntry, reading: PageReading) -> None:
        # Negative, so that the heap gives up its most certain page; the earlier page stays of two equals.
        rank = -min(letter.confidence for letter in reading.letters), -self._pages
        if len(self._worst_pages) == DOUBTFUL_PAGES and rank < self._worst_pages[0][:2]:
            return
        letters = heapq.nsmallest(DOUBTFUL_LETTERS, _places(entry, reading), key=_confidence)
        heapq.heappush(self._worst_pages, (*rank, letters))
        if len(self._worst_pages) > DOUBTFUL_PAGES:
            heapq.heappop(self._worst_pages)

    def summary(self) -> Summary:
        """Return what was counted."""
        pages = sorted(self._worst_pages, key=lambda page: (-page[0], -page[1]))
        doubtful = heapq.nsmallest(
            DOUBTFUL_LETTERS, (letter for _, _, letters in pages for letter in letters), key=_confidence
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
            lines=self._lines,
            letters=self._letters,
            flagged_letters=self._flagged,
            mean_confidence=self._confidence / self._letters if self._letters else None,
            histogram=self._histogram(),
            letter_counts=dict(self._characters),
            seconds=self._seconds,
            failures=tuple(self._failures),
            damaged=tuple(self._damaged),
            doubtful=tuple(doubtful),
        )

    def _histogram(self) -> tuple[int, ...]:
        last = HISTOGRAM_BINS - 1
        counts = [self._bins[bin_] for bin_ in range(HISTOGRAM_BINS)]
        counts[last] += self._bins[HISTOGRAM_BINS]  # A confidence of 1 has no bin of its own.
        return tuple(counts)


def _places(entry: ManifestEntry, reading: PageReading) -> Iterator[Doubtful]:
    for number, line in enumerate(reading.lines, 1):
        for position, letter in enumerate(line.letters, 1):
            if letter.letter:
                yield Doubtful(entry, number, position, letter)


def _confidence(doubtful: Doubtful) -> float:
    return doubtful.letter.confidence


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
