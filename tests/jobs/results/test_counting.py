"""Counting: confidences by scan and letter, the worst pages, the least certain letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.summary import (
    DOUBTFUL_LETTERS,
    DOUBTFUL_PAGES,
    FAILURES_LISTED,
    WORST_PAGES,
    FieldTotals,
)
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.results import (
    entries,
    fill,
    table,
)

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_confidence_by_scan_and_by_letter(contract_job: Job) -> None:
    summary = write_results(contract_job)
    (scan,) = summary.least_sure_scans
    assert (scan.scan, scan.letters, scan.flagged_letters) == ("a.png", 4, 2)
    assert scan.mean_confidence == pytest.approx(0.8094, abs=1e-4)
    assert summary.scan_histogram[16] == sum(summary.scan_histogram) == 1
    assert summary.letter_confidence == pytest.approx({"A": 0.75, "Q": 0.98765, "U": 0.5, "X": 1.0})
    assert summary.seconds_histogram == (2, 1, 0, 0, 1, 0, 0, 0, 0)


def test_a_scan_of_many_pages_is_one_scan(
    documents: Callable[..., list[ManifestEntry]], job_of: JobOf, reading_of: ReadingOf
) -> None:
    documents("book.tif", 3)
    job = job_of("card.png")
    for entry, sure in zip(entries(job), (0.5, 0.7, 0.9, 0.6), strict=True):
        job.results.write(reading_of(entry, "AB", sure=sure))
    found = [(scan.scan, scan.letters, scan.mean_confidence) for scan in write_results(job).least_sure_scans]
    assert found == [("card.png", 2, 0.6), ("book.tif", 6, pytest.approx(0.7))]


def test_the_worst_pages_are_those_with_most_expected_mistakes(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*(f"{number:02}.png" for number in range(WORST_PAGES + 3)))
    for number, entry in enumerate(entries(job)):
        job.results.write(reading_of(entry, "A" * (number + 1), sure=0.9))
    worst = write_results(job).worst_pages
    assert [page.letters for page in worst] == list(range(WORST_PAGES + 3, 3, -1))
    assert worst[0].expected_wrong == pytest.approx(0.1 * (WORST_PAGES + 3))


def test_only_some_failures_are_named_one_by_one(job_of: JobOf) -> None:
    job = job_of("a.png")
    fill(job, FAILURES_LISTED + 50)
    for entry in entries(job):
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.PASSWORD, "locked"))
    summary = write_results(job)
    assert summary.failed == FAILURES_LISTED + 50
    assert len(summary.failures) == FAILURES_LISTED
    assert len(table(job.path / "pages.csv")) == FAILURES_LISTED + 50


def test_the_least_certain_letters(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    fill(job, 40)
    for number, entry in enumerate(entries(job)):
        job.results.write(reading_of(entry, "ABCDE", sure=0.5 + number / 100))
    doubtful = write_results(job).doubtful
    assert len(doubtful) == DOUBTFUL_LETTERS
    assert len({letter.entry for letter in doubtful}) <= DOUBTFUL_PAGES
    sure = [letter.letter.confidence for letter in doubtful]
    assert sure == sorted(sure)
    assert sure == pytest.approx([0.5 + number / 100 for number in range(5) for _ in range(5)][:24])
    assert [(letter.line, letter.position) for letter in doubtful[:5]] == [(1, n) for n in range(1, 6)]


def test_images_of_one_line_are_counted_as_fields(job_of: JobOf, reading_of: ReadingOf) -> None:
    names = [f"{number}.png" for number in range(6)]
    job = job_of(*names, settings=Settings(layout="line"))
    read = [("AB", 0.95), ("AB", 0.6), ("", 0.9), ("AB\nCD", 0.6), ("AB", 0.99)]
    for entry, (text, sure) in zip(entries(job), read, strict=False):
        job.results.write(reading_of(entry, text, sure))
    last = entries(job)[-1]
    job.results.write(PageReading(last.id, last.scan, 1, Status.FAILED, ErrorCode.PASSWORD, "locked"))
    totals = write_results(job).field_totals
    assert totals == FieldTotals(unseen=2, look_at=2, empty=1, expected_wrong=None)
    assert totals.all == 5
    assert write_results(job, Acceptance(0.999)).field_totals == FieldTotals(
        unseen=0, look_at=4, empty=1, expected_wrong=0
    )
    assert write_results(job_of(*names)).field_totals is None
