"""Progress that tells the truth: counts, time left, the bar on a terminal."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.running import progress
from lettermill.jobs.running.progress import JobProgress, JobWatch
from tests.support import LETTERMILL, Command, Starter, clean_environment, finished, statuses, wait_for


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


def test_counts_follow_a_manifest_that_is_written_anew(
    scans: Path, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of(*(f"{number}.png" for number in range(5)))
    watched = JobWatch(job)
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    assert watched.look() == Tally(5, 5)
    for number in range(3):
        (scans / f"{number}.png").unlink()
    job_of("3.png", "new.png")
    assert watched.look() == Tally(3, 2)
    job_of("0.png")
    (entry,) = [entry for entry, _ in job.manifest() if entry.scan == "new.png"]
    job.results.write(reading_of(entry, "B"))
    assert watched.look() == Tally(4, 3)  # The new 0.png has another time than the one that was read.


def test_a_run_follows_scans_that_another_one_adds(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "growing", tmp_path / "out"
    shutil.copytree(many_scans, folder)
    run = start("run", folder, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    for number in range(10):
        shutil.copy(many_scans / f"{number}.png", folder / f"new {number}.png")
    lettermill("run", folder, "--out", out, "--workers", "1")
    assert run.wait(120) == 0
    said = (tmp_path / "process-0.log").read_text()
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+) pages done", said)]
    assert all(done <= pages for done, pages in counts)
    assert (counts[0][1], counts[-1]) == (40, (50, 50))
    (job,) = out.glob("*-*")
    assert statuses(job) == {"DONE": 50}


def test_lines_tell_no_time_left_from_what_was_done_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("lettermill.jobs.running.progress.time.monotonic", lambda: now[0])
    with JobProgress() as shown:
        for seconds, tally in (
            (0, Tally(100, 90)),
            (10, Tally(100, 92)),
            (10, Tally(1000, 92)),
            (10, Tally(1000, 102)),
            (10, Tally(1000, 60)),
            (10, Tally(1000, 80)),
        ):
            now[0] += seconds
            shown.show(tally)
    assert capsys.readouterr().err.splitlines() == [
        "90 of 100 pages done, 0 failed",
        "92 of 100 pages done, 0 failed, 0.2 a second, about 40 s left",
        "92 of 1000 pages done, 0 failed",
        "102 of 1000 pages done, 0 failed, 1.0 a second, about 898 s left",
        "60 of 1000 pages done, 0 failed",
        "80 of 1000 pages done, 0 failed, 2.0 a second, about 460 s left",
    ]


def on_a_terminal(words: list[object], cwd: Path) -> str:
    """Run a command on a pseudo-terminal and return what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*LETTERMILL, *map(str, words)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**clean_environment(), "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so when the last process has closed the other side.
            break
        if not part:
            break
        shown += part
    os.close(leader)
    process.wait(60)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_the_bar_begins_with_what_was_done_and_never_goes_over(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 5, what="pages")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(60) == 130
    done = finished(out)
    (job,) = out.glob("*-*")
    shown = on_a_terminal(["resume", job, "--workers", "1"], tmp_path)
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+)/(\d+) +pages", shown)]
    assert counts, shown
    assert counts[0] == (done, 40)
    assert counts[-1] == (40, 40)
    assert counts == sorted(counts)
    assert {whole for _, whole in counts} == {40}
