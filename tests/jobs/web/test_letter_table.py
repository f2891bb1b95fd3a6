"""The letters of a job, sorted by how doubtful they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import Browser, entries
from tests.support import Command

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_doubtful_letters_come_first_however_sure(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    """Where a field does not fit its template, all of its letters are flagged."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "V" * 45, 0.95))
    reading = reading_of(second, "VVVVV", 0.99)
    flagged = tuple(msgspec.structs.replace(one, flagged=True) for one in reading.lines[0].letters)
    line = msgspec.structs.replace(reading.lines[0], letters=flagged)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    page = Browser(reviewing(job)).open("/1/sheet")
    sure = re.findall(r'class="sure">(\d+) %', page)
    assert sure == ["99"] * 5 + ["95"] * 35


def test_accept_at_says_what_is_doubtful(
    job: Job, reviewing: Callable[..., str], lettermill: Command
) -> None:
    assert "<strong>9</strong> doubtful left" in Browser(reviewing(job)).open("/1/")
    assert "<strong>13</strong> doubtful left" in Browser(reviewing(job, "--accept-at", "0.99")).open("/1/")
    lettermill("collect", job.path, "--accept-at", "0.99")
    assert Path(f"{job.path}/letters.csv").read_text().count(",1,,,") == 13
