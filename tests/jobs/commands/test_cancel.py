"""`lettermill cancel`, with real workers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import redis

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.support import SLOW, Command, Starter, finished, statuses, wait_for


def test_a_cancelled_run_ends_and_resume_makes_it_whole(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1", faults=SLOW)
    wait_for(lambda: finished(out) >= 3, what="pages")
    (job,) = out.glob("*-*")
    said = lettermill("cancel", job)
    assert re.fullmatch(r"\d+ of 40 pages done, 0 failed\n", said.stdout)
    assert f"lettermill resume '{job}'" in said.stderr
    assert run.wait(60) == 1
    assert 3 <= finished(out) < 40
    assert statuses(job) == {"DONE": finished(out), "CANCELLED": 40 - finished(out)}
    (row,) = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert row["state"] == "stopped"
    assert lettermill("wait", job, status=1).stderr.count("lettermill resume") == 1

    lettermill("resume", job)
    assert statuses(job) == {"DONE": 40}
    assert (job / "letters.csv").read_bytes() == undisturbed


def test_run_takes_a_cancelled_job_up_again_too(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    (job,) = out.glob("*-*")
    lettermill("cancel", job)
    assert run.wait(60) == 1
    lettermill("run", many_scans, "--out", out)
    assert statuses(job) == {"DONE": 40}


def test_a_fleet_drops_a_cancelled_job_and_takes_it_up_again(
    lettermill: Command,
    start: Starter,
    broker: str,
    client: redis.Redis,
    many_scans: Path,
    tmp_path: Path,
    undisturbed: bytes,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    start(
        "worker",
        "--broker",
        broker,
        "--scans",
        many_scans,
        "--results",
        out,
        "--concurrency",
        "1",
        faults=SLOW,
    )
    job = Path(lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip())
    wait = start("wait", job)
    wait_for(lambda: finished(out) >= 3, what="pages")
    lettermill("cancel", job)
    assert wait.wait(60) == 1
    token = Job.open(job).token
    wait_for(lambda: not client.keys(f"lettermill:{token}:*"), what="the job's keys to go")
    done = finished(out)
    assert done < 40
    lettermill("resume", job, "--broker", broker)
    lettermill("wait", job, "--timeout", "200")
    lettermill("collect", job)
    assert (job / "letters.csv").read_bytes() == undisturbed


def test_a_complete_job_cannot_be_cancelled(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png")
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    assert "nothing to stop" in lettermill("cancel", job.path).stderr
    assert not job.is_cancelled
