"""Attempts are counted while a page has no result."""

from __future__ import annotations

from collections.abc import Callable

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import (
    PageReading,
)


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def begin(job: Job, entry: ManifestEntry) -> int | None:
    with job.attempts.begin(entry.id) as attempt:
        return attempt


def test_a_result_ends_the_attempts(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    assert [begin(job, entry) for _ in range(2)] == [1, 2]
    job.attempts.note_loss(entry.id, "WORKER_LOST")
    job.attempts.note_loss(entry.id, "OUT_OF_MEMORY")
    assert job.attempts.count(entry.id) == 2
    assert job.attempts.last_loss(entry.id) == "OUT_OF_MEMORY"
    job.results.write(reading_of(entry, "A"))
    assert job.attempts.count(entry.id) == 0
    assert job.attempts.last_loss(entry.id) == ""
    assert begin(job, entry) == 1


def test_a_page_is_attempted_by_one_process_at_a_time(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    with job.attempts.begin(entry.id) as first, job.attempts.begin(entry.id) as second:
        assert (first, second) == (1, None)
    assert job.attempts.count(entry.id) == 1
    assert begin(job, entry) == 2


def test_an_attempt_that_was_nobodys_fault_does_not_count(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    begin(job, entry)
    job.attempts.note_loss(entry.id, "signal 9")
    with job.attempts.begin(entry.id):
        job.attempts.take_back(entry.id)
    assert (job.attempts.count(entry.id), job.attempts.last_loss(entry.id)) == (1, "signal 9")


def test_a_fresh_start_leaves_alone_what_is_being_read(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png", "b.png")
    pages = entries(job)
    with job.attempts.begin(pages[0].id):
        with job.attempts.begin(pages[1].id):
            pass
        job.forget_results(failures=True)
        assert [job.attempts.count(page.id) for page in pages[:2]] == [1, 0]
        with job.attempts.begin(pages[0].id) as second:
            assert second is None
