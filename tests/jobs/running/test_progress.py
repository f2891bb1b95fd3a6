"""A job's progress is counted and shown; test_front_door.py looks at the bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.running import progress
from lettermill.jobs.running.progress import JobProgress, JobWatch


def test_tallies_end_with_the_job(
    job_of: Callable[..., Job],
    reading_of: Callable[..., PageReading],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = job_of("a.png", "b.png")
    left = [entry for entry, _ in job.manifest()]

    def finish_a_page(seconds: float) -> None:
        assert seconds >= 0.1
        job.results.write(reading_of(left.pop(), "A"))

    monkeypatch.setattr(progress.time, "sleep", finish_a_page)
    assert [tally.finished for tally in JobWatch(job).tallies()] == [0, 1, 2]


def test_lines_are_few_and_the_last_one_always_comes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with JobProgress() as shown:
        for number in range(11):
            shown.show(Tally(11, number + 1, failed=number // 10))
            now[0] += 1
        shown.print_above("no worker [yet]")
    assert capsys.readouterr().err.splitlines() == [
        "1 of 11 pages done, 0 failed",
        "6 of 11 pages done, 0 failed, 1.0 a second, about 5 s left",
        "11 of 11 pages done, 1 failed",
        "no worker [yet]",
    ]
