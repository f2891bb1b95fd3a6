"""What a job came to, in numbers: counted page by page in bounded memory, and the file summary.json."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.corrections import NOT_REVIEWED, Reviewed
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import FAILED, Letter, LineReading, PageReading, Status
from lettermill.jobs.results.flagging import RATES, Confidences, Cost, Flagging
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.storage.display import display_path

_Kept = TypeVar("_Kept")

HISTOGRAM_BINS = 20
"""Bins of equal width over the confidences 0–1."""

MAX_FAILURES = 200
"""Failures that the summary names one by one; pages.csv has them all."""

DOUBTFUL_LETTERS = 24
"""Letters that the summary shows: as many as stand on one sheet of paper."""

DOUBTFUL_PAGES = 8
"""Pages that these letters come from: each is decoded once more for its pictures."""

WORST_PAGES = 12
"""Pages that the report draws: each is decoded once more, and its drawing takes about a megabyte."""

WORST_SCANS = 12
"""Scans that the summary names as the least sure ones."""

SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds between the bins of the time that pages took, in seconds."""


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
        place = {"scan": display_path(self.entry.scan), "page": self.entry.page}
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
class WorstPage:
    """A page on which many letters are expected to be wrong.

    Attributes:
        entry: the page.
        expected_wrong: how many of its letters are, by their confidence.
        letters: its letters.
        flagged_letters: those that a person should look at.
        quality: codes about the scan's quality.
        lines: what was read.
    """

    entry: ManifestEntry
    expected_wrong: float
    letters: int
    flagged_letters: int
    quality: tuple[str, ...]
    lines: tuple[LineReading, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the page's place and numbers."""
        return {
            "scan": display_path(self.entry.scan),
            "page": self.entry.page,
            "letters": self.letters,
            "flagged_letters": self.flagged_letters,
            "expected_wrong": round(self.expected_wrong, 2),
            "quality": list(self.quality),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class LeastSure:
    """A scan that was read with little confidence: the mean, 0–1, over the letters of all its pages."""

    scan: str
    letters: int
    flagged_letters: int
    mean_confidence: float


@dataclasses.dataclass(frozen=True, slots=True)
class FieldCount:
    """How a form's field was filled: on how many pages there is something, and where to look."""

    field: str
    filled: int
    look_at: int


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
        flagging: which letters are flagged.
        flagged_letters: letters that a person should look at.
        expected_wrong: how many of the others are wrong, by their confidence.
        costs: what the rates in `RATES` take; empty without letters.
        mean_confidence: mean over the letters, 0–1; None without letters.
        histogram: letters by confidence, in `HISTOGRAM_BINS` bins from 0 to 1.
        scan_histogram: scans by the mean confidence of their letters, in the same bins.
        letter_counts: how often each character of the alphabet was read; every character is there.
        letter_confidence: mean confidence of each character that was read, 0–1.
        seconds: time spent on reading, all pages together.
        seconds_histogram: pages by the time that they took; the bins lie between `SECONDS`, below the first,
            and above the last.
        failures: the first `MAX_FAILURES` pages without a reading, in the order of the manifest.
        damaged: result files below the job folder that cannot be read, `MAX_FAILURES` at most; their pages
            count as unfinished.
        doubtful: the least certain letters of the `DOUBTFUL_PAGES` pages with the least certain ones.
        worst_pages: the `WORST_PAGES` pages on which most letters are expected to be wrong, worst first.
        least_sure_scans: the `WORST_SCANS` scans of the lowest mean confidence, lowest first.
        fields: the fields of the job's form, over all pages that were read; empty where it has none.
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
    flagging: Flagging
    flagged_letters: int
    expected_wrong: float
    costs: tuple[Cost, ...]
    mean_confidence: float | None
    histogram: tuple[int, ...]
    scan_histogram: tuple[int, ...]
    letter_counts: dict[str, int]
    letter_confidence: dict[str, float]
    seconds: float
    seconds_histogram: tuple[int, ...]
    failures: tuple[Failure, ...]
    damaged: tuple[str, ...]
    doubtful: tuple[Doubtful, ...]
    worst_pages: tuple[WorstPage, ...]
    least_sure_scans: tuple[LeastSure, ...]
    fields: tuple[FieldCount, ...]
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

    @property
    def unflagged_letters(self) -> int:
        """Letters that nobody has to look at."""
        return self.letters - self.flagged_letters

    @property
    def expected_wrong_in_all(self) -> float:
        """How many letters are wrong by their confidence, flagged ones too."""
        return self.letters * (1 - self.mean_confidence) if self.mean_confidence is not None else 0.0

    @property
    def expected_right(self) -> float | None:
        """Expected share of right ones among the letters that are not flagged; None where all are."""
        return 1 - self.expected_wrong / self.unflagged_letters if self.unflagged_letters else None

    @property
    def pages_a_minute(self) -> float | None:
        """Pages that one process read in a minute; None where no time was spent."""
        return 60 * self.finished / self.seconds if self.seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return the content of summary.json; docs/output.md lists the keys."""
        return {
            "job": self.job.path.name,
            "version": self.job.version,
            "created": self.job.created,
            "collected": self.collected,
            "cancelled": self.cancelled,
            "scan_root": display_path(self.job.scan_root),
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
            "accept_at": self.flagging.accept_at,
            "flagged_below": self.flagging.below,
            "expected_wrong": round(self.expected_wrong, 2),
            "expected_right": _rounded(self.expected_right),
            "costs": [dataclasses.asdict(cost) for cost in self.costs],
            "mean_confidence": _rounded(self.mean_confidence),
            "confidence_histogram": list(self.histogram),
            "scan_histogram": list(self.scan_histogram),
            "letter_counts": self.letter_counts,
            "letter_confidence": {char: _rounded(mean) for char, mean in self.letter_confidence.items()},
            "seconds": round(self.seconds, 3),
            "pages_a_minute": _rounded(self.pages_a_minute),
            "seconds_histogram": list(self.seconds_histogram),
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "damaged_results": list(self.damaged),
            "least_certain": [doubtful.to_json() for doubtful in self.doubtful],
            "worst_pages": [page.to_json() for page in self.worst_pages],
            "least_sure_scans": [
                {**dataclasses.asdict(scan), "mean_confidence": _rounded(scan.mean_confidence)}
                for scan in self.least_sure_scans
            ],
            "fields": [dataclasses.asdict(field) for field in self.fields],
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
        self._as_read = Confidences(flagging.by_settings)
        self._filled: Counter[str] = Counter()
        self._look_at: Counter[str] = Counter()
        self._characters = Counter(dict.fromkeys(job.settings.characters, 0))
        self._sure: defaultdict[str, float] = defaultdict(float)
        self._page_seconds: Counter[int] = Counter()
        self._scan = _Scan("")
        self._scan_bins: Counter[int] = Counter()
        self._failures: list[Failure] = []
        self._damaged: list[str] = []
        self._doubtful: _Highest[list[Doubtful]] = _Highest(DOUBTFUL_PAGES)
        self._worst_pages: _Highest[WorstPage] = _Highest(WORST_PAGES)
        self._least_sure: _Highest[LeastSure] = _Highest(WORST_SCANS)

    def add_page(self, entry: ManifestEntry) -> None:
        """Count a page of the manifest."""
        if entry.scan != self._scan.name:
            self._finish_scan()
            self._scan = _Scan(entry.scan)
        self._pages += 1
        self._scans += entry.page == 1

    def add_damaged(self, page_id: str) -> None:
        """Note a page whose result file cannot be read."""
        if len(self._damaged) < MAX_FAILURES:
            self._damaged.append(self._job.results.path(page_id).below(self._job.path))

    def add_as_read(self, reading: PageReading) -> None:
        """Count the confidences of a page, before it is flagged for a rate and corrected."""
        self._as_read.add_page(reading)

    def add_reading(self, entry: ManifestEntry, reading: PageReading) -> None:
        """Count the result of a page, flagged and corrected."""
        self._statuses[reading.status] += 1
        self._seconds += reading.seconds
        if reading.attempts:
            self._page_seconds[bisect.bisect_right(SECONDS, reading.seconds)] += 1
        self._quality.update(reading.quality)
        if reading.failed:
            self._add_failure(reading)
        self._lines += len(reading.lines)
        if letters := reading.letters:
            self._add_letters(entry, reading, letters)
        if self._job.template:
            form = form_values(self._job.template, reading)
            self._look_at.update(form.look_at)
            names = (field.name for field in self._job.template.fields)
            self._filled.update(name for name, value in zip(names, form.values, strict=True) if value.text)

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
        # Where two are alike, the earlier page stays.
        rank = -min(confidences), -self._pages
        if self._doubtful.takes(rank):
            least = heapq.nsmallest(DOUBTFUL_LETTERS, _places(entry, reading), key=_confidence)
            self._doubtful.add(rank, least)
        wrong = len(letters) - total
        rank = wrong, -self._pages
        if self._worst_pages.takes(rank):
            page = WorstPage(entry, wrong, len(letters), flagged, reading.quality, reading.lines)
            self._worst_pages.add(rank, page)

    def _finish_scan(self) -> None:
        """Count a scan of which all pages were counted."""
        scan = self._scan
        if scan.letters:
            mean = scan.confidence / scan.letters
            self._scan_bins[int(mean * HISTOGRAM_BINS)] += 1
            rank = -mean, -self._pages
            if self._least_sure.takes(rank):
                least_sure = LeastSure(display_path(scan.name), scan.letters, scan.flagged, mean)
                self._least_sure.add(rank, least_sure)

    def _add_failure(self, reading: PageReading) -> None:
        code = (reading.error_code or ErrorCode.INTERNAL).value
        self._codes[code] += 1
        if len(self._failures) < MAX_FAILURES:
            failure = Failure(display_path(reading.scan), reading.page, reading.status, code, reading.error)
            self._failures.append(failure)

    def summary(self) -> Summary:
        """Return what was counted."""
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
            lines=self._lines,
            letters=self._letters,
            flagging=self.flagging,
            flagged_letters=self._flagged,
            expected_wrong=self._expected_wrong,
            costs=tuple(map(self._as_read.cost, RATES)) if self._letters else (),
            mean_confidence=self._confidence / self._letters if self._letters else None,
            histogram=_histogram(self._bins),
            scan_histogram=_histogram(self._scan_bins),
            letter_counts=dict(self._characters),
            letter_confidence={
                char: self._sure[char] / count for char, count in self._characters.items() if count
            },
            seconds=self._seconds,
            seconds_histogram=tuple(self._page_seconds[bin_] for bin_ in range(len(SECONDS) + 1)),
            failures=tuple(self._failures),
            damaged=tuple(self._damaged),
            doubtful=tuple(doubtful),
            worst_pages=self._worst_pages.kept(),
            least_sure_scans=self._least_sure.kept(),
            fields=tuple(
                FieldCount(field.name, self._filled[field.name], self._look_at[field.name])
                for field in (self._job.template.fields if self._job.template else ())
            ),
        )


@dataclasses.dataclass(slots=True)
class _Scan:
    """What was counted of a scan so far."""

    name: str
    letters: int = 0
    flagged: int = 0
    confidence: float = 0.0


class _Highest(Generic[_Kept]):
    """Keeps the things of the highest ranks, so that memory stays flat; no two ranks are the same.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, _Kept]] = []  # The lowest rank first.

    def takes(self, rank: tuple[float, int]) -> bool:
        """Say whether a thing of a rank would be kept, before it is made."""
        return len(self._heap) < self._most or rank > self._heap[0][:2]

    def add(self, rank: tuple[float, int], thing: _Kept) -> None:
        """Keep a thing; the one of the lowest rank goes where there are too many."""
        heapq.heappush(self._heap, (*rank, thing))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def kept(self) -> tuple[_Kept, ...]:
        """Return what was kept, the highest rank first."""
        return tuple(thing for _, _, thing in sorted(self._heap, key=lambda one: one[:2], reverse=True))


def _histogram(bins: Counter[int]) -> tuple[int, ...]:
    last = HISTOGRAM_BINS - 1
    counts = [bins[bin_] for bin_ in range(HISTOGRAM_BINS)]
    counts[last] += bins[HISTOGRAM_BINS]  # A confidence of 1 has no bin of its own.
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
