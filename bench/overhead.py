"""Measures what queue and files cost beside plain reading, and what a second worker gives, in paired rounds.

    LETTERMILL_DATA=DATA python -m bench.overhead

Each round reads the same pages in one plain process (decode, read, write nothing), then with `lettermill run
--workers 1`, then with `--workers 2`: half-A4 pages, and the mixed folder of `peers.py`. For a run, the time
from its first result to its last counts, which leaves out its start (server, worker, model). The plain
process begins with one page that does not count.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from bench.half_a4 import write_scans
from bench.peer_pages import MIXED, mixed_pages, write_set

PLAIN = """
import sys, time
from pathlib import Path
import cv2
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines
cv2.setNumThreads(1)
settings = Settings()
classifier = Classifier(load_model(installed_model_folder()), settings.characters)
scans = sorted(Path(sys.argv[1]).iterdir())
begun = None
for scan in scans:
    read_lines(read_page(scan, 1, settings.dpi, settings.limits), settings, classifier)
    begun = begun or time.monotonic()
print((len(scans) - 1) / (time.monotonic() - begun))
"""


def plain(scans: Path) -> float:
    """Pages a second in one plain process."""
    done = subprocess.run([sys.executable, "-c", PLAIN, scans], capture_output=True, text=True, check=True)
    return float(done.stdout)


def run(scans: Path, workers: int) -> float:
    """Pages a second of `lettermill run`."""
    with tempfile.TemporaryDirectory() as out:
        words = ["run", scans, "--out", out, "--workers", workers]
        subprocess.run(
            [sys.executable, "-P", "-m", "lettermill", *map(str, words)], capture_output=True, check=True
        )
        written = sorted(path.stat().st_mtime for path in Path(out).glob("*-*/pages/*/*.json"))
    return (len(written) - 1) / (written[-1] - written[0])


@click.command(help=__doc__)
@click.option("--pages", default=96, show_default=True, help="Half-A4 pages.")
@click.option("--rounds", default=5, show_default=True)
def main(pages: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scans(folder / "half", pages)
        write_set(folder / "mixed", MIXED, mixed_pages(0, 40))
        for scans, words in ((folder / "half", f"{pages} half-A4 pages"), (folder / "mixed", MIXED)):
            compare(scans, words, rounds)


def compare(scans: Path, words: str, rounds: int) -> None:
    """Read a folder in all ways, several times, and print the ratios."""
    overhead, speed_up = [], []
    for _ in range(rounds):
        alone, one, two = plain(scans), run(scans, 1), run(scans, 2)
        overhead.append(alone / one - 1)
        speed_up.append(two / one)
        click.echo(f"{words}: plain {alone:.2f}, one worker {one:.2f}, two workers {two:.2f} pages a second")
    for name, values, form in (
        ("overhead of queue and files", overhead, ".1%"),
        ("two workers against one", speed_up, ".2f"),
    ):
        median, least, most = statistics.median(values), min(values), max(values)
        click.echo(f"{words}, {name}: {median:{form}} ({least:{form}} to {most:{form}})")


if __name__ == "__main__":
    main()
