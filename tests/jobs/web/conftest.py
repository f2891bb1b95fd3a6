"""A job to review, and its review as a process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import COMMON, entries
from tests.support import Starter, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


@pytest.fixture
def job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    """Eight doubtful Vs and a doubtful Q on the first page, sure letters on the second."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, f"{COMMON}\nQ", 0.6))
    job.results.write(reading_of(second, "SURE"))
    return job


@pytest.fixture
def reviewing(start: Starter, tmp_path: Path) -> Callable[..., str]:
    """Start a review in the background; the address that it prints."""
    count = 0

    def begin(job: Job, *words: str) -> str:
        nonlocal count
        log = tmp_path / f"process-{count}.log"
        count += 1
        start("review", job.path, "--no-browser", *words)
        wait_for(lambda: "review: " in log.read_text(), what="the address")
        return re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0]

    return begin
