"""Jobs are read one after the other, by real processes; a job that cannot be read stops no other."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.runner import Runner, job_folders, log_end
from lettermill.jobs.front.submit import Wanted
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk
from tests.jobs.front.conftest import Web
from tests.support import PATIENCE_SECONDS, SLOW, Starter, draw, wait_for


def asked_for(office: Office, scans: Path, *names: str) -> list[Job]:
    for name in names:
        draw(scans / name / "a.png", ["A"])
    return [office.submit(Wanted(folder=name, alphabet="letters", name=name), "anna") for name in names]


def test_one_after_the_other(office: Office, scans: Path) -> None:
    asked_for(office, scans, "first", "second")
    office.runner.add("first")
    assert [office.runner.turn(name) for name in ("first", "second", "gone")] == [1, 2, None]


@pytest.mark.slow
def test_a_damaged_job_stops_no_other_and_what_is_left_over_is_read(office: Office, scans: Path) -> None:
    """Jobs that were asked for and have no end are read by the next server; those of others are not."""
    damaged, read, stopped = asked_for(office, scans, "damaged", "read", "stopped")
    (damaged.path / "model" / "handprint.json").unlink()
    stopped.cancel("enough")
    own = asked_for(office, scans, "own")[0]
    (own.path / "asked.json").unlink()
    runner = Runner(office.places, workers=1)
    runner.start()
    wait_for(lambda: (Path(str(read.path)) / "summary.html").exists(), what="the job")
    wait_for(lambda: runner.turn("read") is None, what="the end of the process")
    runner.end()
    assert "Error: " in log_end(Disk(str(damaged.path)))
    assert damaged.tally().state == "unfinished"
    assert [job.tally().state for job in (read, stopped, own)] == ["complete", "stopped", "unfinished"]
    assert runner.turn("own") is None


def test_what_is_a_job_folder(tmp_path: Path) -> None:
    for name in ("job", ".hidden", "other", "deep/job"):
        (tmp_path / name).mkdir(parents=True)
        if name != "other":
            (tmp_path / name / "job.json").touch()
    (tmp_path / "latest").symlink_to("job")
    assert [path.name for path in job_folders(Disk(tmp_path))] == ["job"]
    assert job_folders(Disk(tmp_path / "gone")) == []


@pytest.mark.slow
def test_a_server_that_ends_loses_no_page(thirteen_scans: Path, serving: Callable[..., Web]) -> None:
    """Ended in order, then killed, in the middle of a job: the next one continues, and no page is twice."""
    scans = ("--scans", thirteen_scans.parent, "--workers", 1)
    web = serving(*scans, faults=SLOW)
    wanted = {"folder": thirteen_scans.name, "alphabet": "letters", "name": "many"}
    assert web.call("POST", "/jobs", wanted).status == 201
    for least, how in ((1, signal.SIGTERM), (3, signal.SIGKILL)):
        wait_for(lambda least=least, web=web: web.status("many")["finished"] >= least, what="pages")  # type: ignore[misc]
        web.process.send_signal(how)
        web.process.wait(PATIENCE_SECONDS)
        web = serving(*scans, faults=SLOW)
    assert (web.ended("many")["finished"], web.status("many")["failed"]) == (13, 1)
    table = web.call("GET", "/jobs/many/results/pages.csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len({row["scan"] for row in rows}) == len(rows) == 13


@pytest.mark.slow
def test_a_fleet_reads(broker: str, start: Starter, serving: Callable[..., Web], tmp_path: Path) -> None:
    """A worker that sees the two roots alone reads an upload; the server writes the results."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    out.mkdir()
    web = serving("--scans", scans, "--broker", broker)
    upload = web.upload(draw(tmp_path / "a.png", ["A"]))
    assert (scans / "uploads" / upload / "a.png").exists()
    made = web.call("POST", "/jobs", {"upload": upload, "alphabet": "letters", "name": "far"})
    assert made.json()["state"] in ("waiting", "being read")
    start("worker", "--broker", broker, "--scans", scans, "--results", out, "--concurrency", 1)
    assert (web.ended("far")["finished"], web.status("far")["failed"]) == (1, 0)
    wait_for(lambda: (out / "far" / "summary.html").exists(), what="the report")
    assert web.call("GET", "/jobs/far/results/letters.csv").content.startswith(b"scan,page")
