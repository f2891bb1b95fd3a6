"""`lettermill run` and what can happen to it: killed outright, started twice, poisoned, model replaced."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from lettermill.jobs.inputs.model import installed_model_folder
from tests.support import (
    PATIENCE_SECONDS,
    SLOW,
    Command,
    Starter,
    alive,
    descendants,
    draw,
    finished,
    kill,
    letters,
    pages,
    wait_for,
    worker_main,
)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_process_and_goes_on_with_the_same_command(
    start: Starter,
    lettermill: Command,
    many_scans: Path,
    tmp_path: Path,
    temporary: Path,
    undisturbed: bytes,
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "2", faults=SLOW)
    wait_for(lambda: finished(out) >= 5, what="pages")
    family = descendants(run.pid)
    assert {"valkey-server"} <= {process.name() for process in family}
    assert len(family) >= 5  # The guard, the server, the worker and its two children.
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_for(lambda: not any(alive(process) for process in family), what="the end of all processes")
    wait_for(lambda: not list(temporary.iterdir()), what="the end of the engine's folder")
    done = finished(out)
    assert done < 40
    again = lettermill("run", many_scans, "--out", out)
    assert f"{done} of them read before" in again.stderr
    assert Counter(row["status"] for row in pages(out)) == {"DONE": 40}
    assert letters(out) == undisturbed


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_starts_leaves_nothing(
    start: Starter, many_scans: Path, tmp_path: Path, temporary: Path
) -> None:
    """Whatever it has just begun to start: the guard, the server, the worker."""
    for milliseconds in (0, 30, 60, 100, 150, 250, 400):
        run = start("run", many_scans, "--out", tmp_path / str(milliseconds))
        wait_for(lambda: list(temporary.glob("lettermill-*")), what="the engine's folder")
        time.sleep(milliseconds / 1000)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: not list(temporary.iterdir()), what="the end of the engine's folder")
        wait_for(lambda: not named(str(temporary)), what="the end of all processes")


def named(text: str) -> list[psutil.Process]:
    """The processes with a text in their command line."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if any(text in word for word in process.info["cmdline"] or ())]


def test_a_run_whose_guard_is_killed_still_cleans_up(
    start: Starter, many_scans: Path, tmp_path: Path, temporary: Path
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out)
    wait_for(lambda: finished(out) >= 3, what="pages")
    for process in descendants(run.pid):
        if "lettermill.jobs.running.cleanup" in process.cmdline():
            kill(process)
    assert run.wait(PATIENCE_SECONDS) == 0
    assert not list(temporary.iterdir())


def test_a_workers_children_die_with_it(start: Starter, tmp_path: Path) -> None:
    """A page that would never end has nobody left to stop it."""
    draw(tmp_path / "scans" / "endless.png", ["PAGE"])
    out = tmp_path / "out"
    run = start("run", tmp_path / "scans", "--out", out, faults={"slow": ["endless", 3600]})
    wait_for(lambda: list(out.glob("*-*/attempts/*/*.log")), what="the page to begin")
    main = worker_main(run.pid)
    assert main is not None
    children = main.children()
    kill(main)
    wait_for(lambda: not any(alive(child) for child in children), what="the end of the children")


@pytest.mark.parametrize("command", ["run", "resume"])
def test_the_same_command_twice_at_once_reads_every_page_once(
    start: Starter, lettermill: Command, many_scans: Path, tmp_path: Path, undisturbed: bytes, command: str
) -> None:
    out = tmp_path / "out"
    words: tuple[object, ...] = ("run", many_scans, "--out", out)
    if command == "resume":
        first = start(*words)
        wait_for(lambda: finished(out) >= 3, what="pages")
        os.kill(first.pid, signal.SIGINT)
        first.wait(PATIENCE_SECONDS)
        words = ("resume", next(out.glob("*-*")))
    both = [start(*words), start(*words)]
    assert [process.wait(PATIENCE_SECONDS) for process in both] == [0, 0]
    assert Counter(row["status"] for row in pages(out)) == {"DONE": 40}
    assert {row["attempts"] for row in pages(out)} <= {"1", "2"}  # 2: the page at work at Ctrl-C.
    assert letters(out) == undisturbed


def test_the_second_run_takes_over_when_the_first_is_killed(
    start: Starter, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    first = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    second = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: "following it" in (tmp_path / "process-1.log").read_text(), what="the second to follow")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait(PATIENCE_SECONDS) == 0
    assert letters(out) == undisturbed


def test_many_pages_that_kill_their_worker_every_time(lettermill: Command, tmp_path: Path) -> None:
    """Each is quarantined with the signal in its row, and the good ones among them are read."""
    poisoned = int(os.environ.get("LETTERMILL_POISONED_PAGES", "25"))
    for number in range(poisoned):
        draw(tmp_path / "scans" / f"poison {number}.png", ["PAGE"])
        draw(tmp_path / "scans" / f"good {number}.png", ["PAGE"])
    done = lettermill("run", "scans", "--out", "out", status=1, faults={"kill": "poison"})
    assert f"{poisoned} QUARANTINED" in done.stdout
    for row in pages(tmp_path / "out"):
        if "good" in row["scan"]:
            assert (row["status"], row["text"]) == ("DONE", "PAGE")
        else:
            assert (row["status"], row["error_code"], row["attempts"]) == ("QUARANTINED", "WORKER_LOST", "3")
            assert "signal 9 (SIGKILL)" in row["error"]


def test_a_model_that_is_replaced_in_mid_job_changes_nothing(
    start: Starter, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(installed_model_folder(), model)
    run = start("run", many_scans, "--out", out, "--model", model, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    (model / "handprint.tflite").write_bytes(b"another network")
    main = worker_main(run.pid)
    assert main is not None
    kill(main)  # Whoever comes next loads the model anew: the job's.
    assert run.wait(PATIENCE_SECONDS) == 0
    assert letters(out) == undisturbed


def test_results_are_readable_as_the_umask_says(lettermill: Command, tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "a.png", ["PAGE"])
    before = os.umask(0o077)
    try:
        lettermill("run", "scans", "--out", "out")
    finally:
        os.umask(before)
    for path in (tmp_path / "out").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
