"""Hold the counts of a job, and turn them into summary.json."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from lettermill.jobs.job.corrections import NOT_REVIEWED, Reviewed
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import FAILED, Letter, LineReading, Status
from lettermill.jobs.results.context_use import ContextUse
from lettermill.jobs.results.flagging import Cost, Flagging, Unlike
from lettermill.jobs.storage.display import display_path

HISTOGRAM_BINS = 20
"""Bins of equal width over the confidences 0–1."""

FAILURES_LISTED = 200
"""How many failures the summary names one by one; pages.csv has them all."""

DOUBTFUL_LETTERS = 24
"""How many letters the summary shows: as many as fit on one sheet of paper."""

DOUBTFUL_PAGES = 8
"""How many pages these letters may come from: each page is decoded again for its pictures."""

WORST_PAGES = 12
"""How many pages the report draws: each is decoded again, and its drawing takes about a megabyte."""

WORST_SCANS = 12
"""How many scans the summary names as the least certain ones."""

BOUNDS_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds between the bins of the time that pages took."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A page without a reading, as in pages.csv."""

    scan: str
    page: int
    status: Status
    error_code: str
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class DoubtfulLetter:
    """One of the least certain letters.

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
        expected_wrong: how many of its letters, by their confidence.
        letters: its letters.
        flagged_letters: letters that a person should check.
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
class LeastCertainScan:
    """A scan with a low mean confidence, 0–1, over the letters of all its pages."""

    scan: str
    letters: int
    flagged_letters: int
    mean_confidence: float


@dataclasses.dataclass(frozen=True, slots=True)
class FieldCount:
    """How often a field of a form was filled, and how often a person should check it, in pages."""

    field: str
    filled: int
    look_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class FieldTotals:
    """The fields of all pages that were read: images of one line, or fields of a form.

    Attributes:
        unseen: fields with letters of which none is flagged.
        look_at: fields that a person should check.
        empty: other fields, in which nothing was read.
        expected_wrong: how many of the unseen ones are wrong, by their confidence; None if that is not known.
    """

    unseen: int
    look_at: int
    empty: int
    expected_wrong: float | None

    @property
    def all(self) -> int:
        """All fields."""
        return self.unseen + self.look_at + self.empty

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        wrong = None if self.expected_wrong is None else round(self.expected_wrong, 2)
        return {**dataclasses.asdict(self), "expected_wrong": wrong}


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
        context: what the contexts of the job or of its fields did.
        lines: lines read.
        letters: letters read.
        flagging: which letters are flagged.
        flagged_letters: letters that a person should check.
        expected_wrong: how many of the other letters are wrong, by their confidence.
        costs: what the rates in `RATES` take; empty without letters.
        mean_confidence: mean over the letters, 0–1; None without letters.
        unlike: how the job is unlike nearly all that its confidences were calibrated on; None if it is not.
        histogram: letters by confidence, in `HISTOGRAM_BINS` bins from 0 to 1.
        scan_histogram: scans by the mean confidence of their letters, in the same bins.
        letter_counts: how often each character of the alphabet and each of its marks was read.
        letter_confidence: mean confidence of each character that was read, 0–1.
        seconds: time spent on reading, all pages together.
        seconds_histogram: pages by the time that they took; `BOUNDS_SECONDS` has the bounds of the bins.
        failures: the first `FAILURES_LISTED` pages without a reading, in the order of the manifest.
        damaged: result files below the job folder that cannot be read, `FAILURES_LISTED` at most; their pages
            count as unfinished.
        doubtful: the least certain letters of the `DOUBTFUL_PAGES` pages with the least certain ones.
        worst_pages: the `WORST_PAGES` pages on which most letters are expected to be wrong, worst first.
        least_sure_scans: the `WORST_SCANS` scans of the lowest mean confidence, lowest first.
        fields: the fields of the job's form, over all pages that were read; empty where it has none.
        field_totals: these fields, or the images of one line, by what to do; None if the job has no fields.
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
    context: ContextUse
    lines: int
    letters: int
    flagging: Flagging
    flagged_letters: int
    expected_wrong: float
    costs: tuple[Cost, ...]
    mean_confidence: float | None
    unlike: Unlike | None
    histogram: tuple[int, ...]
    scan_histogram: tuple[int, ...]
    letter_counts: dict[str, int]
    letter_confidence: dict[str, float]
    seconds: float
    seconds_histogram: tuple[int, ...]
    failures: tuple[Failure, ...]
    damaged: tuple[str, ...]
    doubtful: tuple[DoubtfulLetter, ...]
    worst_pages: tuple[WorstPage, ...]
    least_sure_scans: tuple[LeastCertainScan, ...]
    fields: tuple[FieldCount, ...]
    field_totals: FieldTotals | None
    reviewed: Reviewed = NOT_REVIEWED

    @property
    def finished(self) -> int:
        """Pages with a result of any kind."""
        return sum(self.by_status.values()) - self.not_begun

    @property
    def not_begun(self) -> int:
        """Pages without a result that get one only if somebody resumes the job."""
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
        """Share of the letters that a person should check; None without letters."""
        return self.flagged_letters / self.letters if self.letters else None

    @property
    def unflagged_letters(self) -> int:
        """Letters that nobody has to check."""
        return self.letters - self.flagged_letters

    @property
    def expected_wrong_in_all(self) -> float:
        """How many of all letters are wrong, by their confidence; flagged letters included."""
        return self.letters * (1 - self.mean_confidence) if self.mean_confidence is not None else 0.0

    @property
    def expected_right(self) -> float | None:
        """Expected accuracy of the unflagged letters, 0–1; None if all letters are flagged."""
        return 1 - self.expected_wrong / self.unflagged_letters if self.unflagged_letters else None

    @property
    def pages_a_minute(self) -> float | None:
        """Pages that one process read per minute; None if no time was spent."""
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
            "context": self.context.to_json(),
            "lines": self.lines,
            "letters": self.letters,
            "flagged_letters": self.flagged_letters,
            "flagged_share": _rounded(self.flagged_share),
            "accept_at": self.flagging.accept_at,
            "accept_fields_at": self.flagging.accept_fields_at,
            "flagged_below": self.flagging.below,
            "expected_wrong": round(self.expected_wrong, 2),
            "expected_right": _rounded(self.expected_right),
            "costs": [dataclasses.asdict(cost) for cost in self.costs],
            "mean_confidence": _rounded(self.mean_confidence),
            "unlike_below": _rounded(self.unlike.low if self.unlike else None),
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
            "field_totals": self.field_totals.to_json() if self.field_totals else None,
            "reviewed_letters": self.reviewed.letters,
            "corrected_letters": self.reviewed.corrected,
            "reviewed_fields": self.reviewed.fields,
            "corrected_fields": self.reviewed.corrected_fields,
            "unused_corrections": list(self.reviewed.unused),
            "left_out": self.job.left_out.to_json(),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
