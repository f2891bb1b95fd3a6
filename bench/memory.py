"""Reads thousands of half-A4 pages of about 200 letters through one worker process, and plots its memory.

    LETTERMILL_DATA=DATA python -m bench.memory OUT --pages 10000

The process is never replaced: a worker replaces one only above 2 GB.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import psutil

from bench.half_a4 import write_scans

SETTLED = 500
"""Pages after which memory must be flat."""


def sampled(run: subprocess.Popen[bytes], out: Path) -> Iterator[tuple[int, int, int]]:
    """Give pages finished, the child's number and its resident memory in bytes, every ten seconds."""
    while run.poll() is None:
        finished = sum(len(files) for folder, _, files in os.walk(out) if "/pages/" in folder)
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                words = process.cmdline()
                if "worker" in words and process.ppid() != run.pid:
                    yield finished, process.pid, process.memory_info().rss
            except psutil.Error:
                continue
        time.sleep(10)


def plot(rows: list[tuple[int, int, int]], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot([row[0] for row in rows], [row[2] / 1e6 for row in rows], linewidth=1)
    axes.axvline(SETTLED, color="0.6", linewidth=0.8)
    axes.set(xlabel="pages read by one child", ylabel="resident memory, MB", ylim=(0, None), xlim=(0, None))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--pages", default=10_000, show_default=True)
def main(out: Path, pages: int) -> None:
    shutil.rmtree(out, ignore_errors=True)
    write_scans(out / "scans", pages)
    command = [
        sys.executable,
        "-P",
        "-m",
        "lettermill.cli",
        "run",
        out / "scans",
        "--out",
        out / "job",
        "--workers",
        "1",
    ]
    rows = []
    with (out / "run.log").open("wb") as log:
        run = subprocess.Popen([*map(str, command)], stdout=log, stderr=log)
        try:
            with (out / "memory.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["pages", "process", "resident_bytes"])
                for row in sampled(run, out / "job"):
                    rows.append(row)
                    writer.writerow(row)
                    file.flush()
        finally:
            run.send_signal(signal.SIGINT)
            run.wait()
    plot(rows, out / "memory.png")
    settled = [rss / 1e6 for finished, _, rss in rows if finished >= SETTLED]
    late = np.polyfit([row[0] for row in rows if row[0] >= SETTLED], settled, 1)[0] * 1000
    click.echo(f"children: {len({row[1] for row in rows})}, pages: {rows[-1][0]}")
    first, last, most = settled[0], settled[-1], max(settled)
    click.echo(f"after {SETTLED} pages: {first:.1f} MB, at the end {last:.1f} MB, most {most:.1f} MB")
    click.echo(f"slope after {SETTLED} pages: {late:+.3f} MB a thousand pages")


if __name__ == "__main__":
    main()
