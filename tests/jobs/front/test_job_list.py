"""The list of jobs: states, what was asked for, and stop, continue, delete."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lettermill.jobs.errors import ErrorCode, NotAJob, UsageProblem
from lettermill.jobs.front import job_list as module
from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.runner import LOG_FILE
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.settings import Settings
from tests.review_browser import entries

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]


def test_a_job_from_its_beginning_to_its_end(office: Office, job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", settings=Settings(alphabet="alnum"))
    name, jobs = job.path.name, office.jobs
    row = jobs.row(name)
    assert (row.state, row.pages, row.request, row.scans) == ("unfinished", 2, "letters and digits", "scans")
    (job.path / LOG_FILE).write(b"1 of 2\nError: the worker does not stay up\nMend it.\n")
    assert jobs.row(name).problem == "the worker does not stay up\nMend it."
    office.runner.add("another")
    jobs.go_on(name)
    assert (jobs.row(name).state, jobs.row(name).turn) == ("waiting", 2)
    jobs.stop(name, "bob")
    assert jobs.row(name).state == "stopped"
    assert jobs.row(name).problem.startswith("stopped by bob at ")
    jobs.go_on(name)
    with job.reading_here():
        assert jobs.row(name).state == "being read"
    first, second = entries(job)
    job.results.write(reading_of(first, "A"))
    failed = PageReading(
        second.id, second.scan, 1, Status.FAILED, error_code=ErrorCode.EMPTY_FILE, error="it is empty"
    )
    job.results.write(failed)
    assert (jobs.row(name).state, jobs.row(name).failed) == ("complete", 1)
    assert [(page.scan, page.state, page.error) for page in jobs.pages(name)] == [
        ("a.png", "read", ""),
        ("b.png", "failed", "it is empty"),
    ]
    jobs.stop(name, "bob")
    assert jobs.row(name).state == "complete"
    jobs.go_on(name, failed_too=True)
    assert [page.state for page in jobs.pages(name)] == ["read", "open"]


def test_failed_pages_are_named_before_others(
    office: Office, job_of: JobOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of("a.png", "b.png", "c.png")
    last = entries(job)[2]
    job.results.write(
        PageReading(last.id, last.scan, 1, Status.FAILED, error_code=ErrorCode.EMPTY_FILE, error="empty")
    )
    monkeypatch.setattr(module, "PAGES_SHOWN", 2)
    assert [page.scan for page in office.jobs.pages(job.path.name)] == ["c.png", "a.png"]


def test_pages_of_the_list(office: Office, job_of: JobOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOBS_SHOWN", 2)
    names = [job_of("a.png", settings=Settings(dpi=dpi)).path.name for dpi in (100, 200, 300)]
    first, count = office.jobs.page(1)
    second, _ = office.jobs.page(2)
    assert ([row.name for row in [*first, *second]], count) == (names[::-1], 3)
    assert office.jobs.page(3) == ([], 3)


def test_only_jobs_that_have_ended_are_deleted(office: Office, job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    name = job.path.name
    with pytest.raises(UsageProblem, match="Stop it first"):
        office.jobs.delete(name)
    office.jobs.stop(name, "bob")
    with job.lock(), pytest.raises(UsageProblem, match="another command works on"):
        office.jobs.delete(name)
    office.jobs.delete(name)
    assert not job.path.exists()
    with pytest.raises(NotAJob):
        office.jobs.delete(name)


def test_a_damaged_job_is_shown(office: Office, job_of: JobOf) -> None:
    job = job_of("a.png")
    (job.path / "job.json").write(b"{")
    row = office.jobs.row(job.path.name)
    assert row.state == "damaged" and "job.json" in row.problem


def test_names_that_lead_to_no_job(office: Office, job_of: JobOf) -> None:
    job = job_of("a.png")
    (office.places.out / "latest").symlink_to(job.path.name)
    (office.places.out / "link").symlink_to(job.path.name)
    for name in (
        "latest",
        "link",
        "..",
        ".",
        "",
        f"../out/{job.path.name}",
        "gone",
        "\0",
        f"./{job.path.name}",
    ):
        with pytest.raises(NotAJob, match="no such job"):
            office.jobs.job(name)
