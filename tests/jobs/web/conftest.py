"""A job to review, and its review as a process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import job_to_review
from tests.support import Starter, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


@pytest.fixture
def job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    return job_to_review(job_of, reading_of)


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
