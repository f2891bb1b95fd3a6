"""`lettermill review`: how it ends, and what cannot be reviewed."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import Browser, held, job_to_review
from tests.support import Command, Starter, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


@pytest.fixture
def job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    return job_to_review(job_of, reading_of)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it_gives_letters_back_and_says_what_comes_next(
    job: Job, start: Starter, tmp_path: Path, how: signal.Signals
) -> None:
    process = start("review", job.path, "--no-browser")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "review: " in log.read_text(), what="the address")
    browser = Browser(re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0])
    browser.open("/1/sheet/V", browser.look(browser.open("/1/sheet/V")))
    assert len(held(job)) == 1
    process.send_signal(how)
    assert process.wait(60) == 0
    assert "8 letters decided. Next: lettermill collect" in log.read_text()
    assert held(job) == []


def test_what_cannot_be_reviewed(job: Job, lettermill: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = lettermill("review", job.path, "--no-browser", "--port", port, status=2)
    assert f"port {port} cannot be used" in done.stderr
    done = lettermill("review", "s3://bucket/job", "--no-browser", status=2)
    assert "takes a folder on disk" in done.stderr
