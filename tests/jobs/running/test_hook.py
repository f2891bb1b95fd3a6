"""The command of --then gets the job and its counts, and cannot change the results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.running.hook import run_then

PRINT = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"


def test_it_gets_the_job_and_its_counts(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading], capfd: pytest.CaptureFixture[str]
) -> None:
    job = job_of("a.png", "b.png")
    job.results.write(reading_of(next(entry for entry, _ in job.manifest()), "A"))
    job.cancel("because")
    run_then([sys.executable, "-c", PRINT, "first"], job)
    printed = capfd.readouterr()
    assert printed.out == ""
    arguments, environment = json.loads(printed.err)
    assert arguments == ["first", str(job.path)]
    counts = {"LETTERMILL_JOB": str(job.path), "LETTERMILL_STATE": "stopped", "LETTERMILL_PAGES": "2"}
    assert environment == {**environment, **counts, "LETTERMILL_FAILED": "0"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "exit status 3"),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], "signal 9"),
        (["/nowhere/program"], "does not start: /nowhere/program"),
    ],
)
def test_its_failure_is_reported(
    job_of: Callable[..., Job], capfd: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    run_then(command, job_of("a.png"))
    assert words in capfd.readouterr().err
