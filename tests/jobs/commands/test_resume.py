"""`lettermill resume`: failures that stop a job, and what --broker excludes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from tests.support import Command, statuses


@pytest.fixture
def bad_scans(many_scans: Path, tmp_path: Path) -> Path:
    """Three broken scans before forty good ones."""
    folder = tmp_path / "bad"
    shutil.copytree(many_scans, folder)
    for number in range(3):
        (folder / f"  broken {number}.png").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize(
    ("words", "allowed"),
    [(["--on-error", "stop", "--max-failures", "0"], 0), (["--max-failures", "1"], 1)],
)
def test_too_many_failures_stop_a_run(
    lettermill: Command, bad_scans: Path, tmp_path: Path, words: list[str], allowed: int
) -> None:
    done = lettermill("run", bad_scans, "--out", "out", "--workers", "1", *words, status=1)
    (job,) = (tmp_path / "out").glob("*-*")
    assert Job.open(job).max_failures == allowed
    counts = statuses(job)
    assert counts["FAILED"] == allowed + 1
    assert counts["CANCELLED"] > 0
    assert counts.total() == 43
    assert f"the job allows {allowed}" in lettermill("status", job).stderr + done.stdout


def test_resume_keeps_the_number_of_failures_or_takes_a_new_one(
    lettermill: Command, bad_scans: Path, tmp_path: Path
) -> None:
    lettermill("run", bad_scans, "--out", "out", "--workers", "1", "--on-error", "stop", status=1)
    (job,) = (tmp_path / "out").glob("*-*")
    lettermill("resume", job, "--workers", "1", status=1)
    assert (statuses(job)["FAILED"], Job.open(job).max_failures) == (2, 0)
    lettermill("resume", job, "--on-error", "continue", status=1)
    assert statuses(job) == {"FAILED": 3, "DONE": 40}
    assert Job.open(job).max_failures is None


def test_failures_within_the_number_stop_nothing(lettermill: Command, thirteen_scans: Path) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--max-failures", "1", status=1)
    assert "12 DONE, 1 FAILED" in done.stdout


def test_resume_at_a_broker_has_no_end_to_wait_for(lettermill: Command, job_of: Callable[..., Job]) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--then", "true")
    assert "lettermill wait" in lettermill("resume", job_of("a.png").path, *words, status=2).stderr


def test_a_fleets_job_is_read_on_this_machine_only_if_that_is_asked_for(
    lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    submitted = lettermill("submit", thirteen_scans, "--out", "out", "--broker", broker)
    job = Job.open(Path(submitted.stdout.strip()))
    refused = lettermill("resume", job.path, status=2).stderr
    assert "was submitted to workers on other machines" in refused
    assert "--here" in refused
    assert (job.tally().finished, Job.open(job.path).shared) == (0, True)
    both = lettermill("resume", job.path, "--here", "--broker", broker, status=2).stderr
    assert "contradict" in both
    assert "13 pages queued. No worker is alive" in lettermill("resume", job.path, "--broker", broker).stderr
    done = lettermill("resume", job.path, "--here", status=1)
    assert "12 DONE, 1 FAILED" in done.stdout
    assert not Job.open(job.path).shared
    lettermill("resume", job.path, "--broker", broker)
    queued = lettermill("resume", job.path, "--broker", broker).stderr
    assert "Every page has a result: nothing is queued." in queued
