"""Measures how the cost of reading grows with letters on a page, with its pixels, with pages of a job.

    LETTERMILL_DATA=DATA python -m bench.growth

It writes its part of docs/benchmarks.md and docs/images/growth.png. Each page is read in a process of its
own, so the process's peak memory is the page's; `lettermill run` with two workers reads the jobs. Seconds
are processor time, because the machine may have other things to do. `--pages 1000` leaves out the longest
job.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np

from bench.cost import measure
from bench.docs_parts import DOCS, machine, table, write_part
from bench.pages.difficulties import NONE
from bench.pages.hands import Hand
from bench.pages.layouts import KINDS, lay_out
from bench.peer_pages import A4_HEIGHT, A4_WIDTH, Pixels, a4_page, a4_text, made, writers_of_pages
from tests.support import LETTERMILL

LETTERS = (10, 30, 100, 300, 1000, 2000, 5000)
MEGAPIXELS = (1, 3, 10, 30, 100)
PAGES = (1, 10, 100, 1000, 10_000)
WRITTEN = 300
"""Letters on the page that is scanned at several resolutions."""

SMALL = 18
"""Height in pixels of the capitals of which 5,000 fit on an A4 page."""

DISTINCT = 24
"""How many of the small pages differ; the others are links to them."""

READ = """
import re, sys, time
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
took = []
for _ in range(3):
    begun = time.process_time()
    read_lines(read_page(Path(sys.argv[1]), 1, settings.dpi, settings.limits), settings, classifier)
    took.append(time.process_time() - begun)
print(min(took), *re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()))
"""
"""Reads a page three times, for the first one warms the caches: the fewest seconds, kilobytes at most."""

LETTERS_A_LINE = 70

LINEAR = 1.1
"""Slopes up to here count as linear: between sizes three times apart, a tenth of the seconds is noise."""


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """What one size took: seconds of processors, and megabytes at most."""

    size: float
    seconds: float
    megabytes: float


def read_page_alone(path: Path) -> tuple[float, float]:
    """Read a scan in a new process: processor seconds of decoding and reading, megabytes at most."""
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    seconds, kilobytes = done.stdout.split()
    return float(seconds), int(kilobytes) / 1024


def dense_page(hand: Hand, letters: int) -> Pixels:
    """Write an A4 page at 300 dpi with so many small letters, filled from the top: grey uint8."""
    kind = dataclasses.replace(KINDS["a4"], cap=SMALL)
    text = a4_text(0, letters, math.ceil(letters / LETTERS_A_LINE))
    ink = lay_out(kind, text, hand, NONE, 0).ink
    if ink.shape[0] > A4_HEIGHT or ink.shape[1] > A4_WIDTH:
        raise ValueError(f"{letters} letters of {hand.name} take {ink.shape[1]}×{ink.shape[0]} pixels")
    page = np.full((A4_HEIGHT, A4_WIDTH), 255, np.uint8)
    page[: ink.shape[0], : ink.shape[1]] -= ink
    return page


def by_letters(folder: Path) -> Iterator[Point]:
    """Read pages with more and more letters of one size."""
    hand = writers_of_pages()[0]
    for letters in LETTERS:
        path = folder / f"{letters}.png"
        cv2.imwrite(str(path), dense_page(hand, letters))
        yield Point(letters, *read_page_alone(path))


def by_pixels(folder: Path) -> Iterator[Point]:
    """Read one page as it is scanned at higher and higher resolutions."""
    page, _ = a4_page(writers_of_pages()[0], 0, WRITTEN)
    for megapixels in MEGAPIXELS:
        scale = math.sqrt(megapixels * 1e6 / page.size)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        path = folder / f"{megapixels}.png"
        cv2.imwrite(str(path), cv2.resize(page, None, fx=scale, fy=scale, interpolation=way))
        yield Point(megapixels, *read_page_alone(path))


def by_pages(folder: Path, most: int) -> Iterator[Point]:
    """Read jobs of more and more lines of writing, everything from the command to its tables included."""
    scans = folder / "scans"
    scans.mkdir()
    present = 0
    for pages in (pages for pages in PAGES if pages <= most):
        for number in range(present, pages):
            path = scans / f"{number:05}.png"
            if number < DISTINCT:
                cv2.imwrite(str(path), made("field", number, ".png")[1])
            else:
                os.link(scans / f"{number % DISTINCT:05}.png", path)
        present = pages
        cores = sorted(os.sched_getaffinity(0))[:2]
        command = [*LETTERMILL, "run", scans, "--out", folder / str(pages), "--workers", len(cores)]
        cost = measure([command], cores)
        yield Point(pages, cost.processor, cost.tree)


def slopes(points: Sequence[Point]) -> list[float]:
    """Return, between neighbours, the power of the size with which seconds grow: 1 where they are linear."""
    return [
        math.log(after.seconds / before.seconds) / math.log(after.size / before.size)
        for before, after in itertools.pairwise(points)
    ]


def fixed_and_each(points: Sequence[Point]) -> tuple[float, float]:
    """Fit seconds = fixed + each · size, so that shares of the seconds miss as little as they can."""
    sizes = np.array([point.size for point in points])
    seconds = np.array([point.seconds for point in points])
    columns = np.stack((np.ones_like(sizes), sizes), axis=1)
    fixed, each = np.linalg.lstsq(columns / seconds[:, None], np.ones_like(sizes), rcond=None)[0]
    return float(fixed), float(each)


def verdict(points: Sequence[Point]) -> str:
    """Say whether a curve is linear at most, within what noise does to a slope."""
    steepest = max(slopes(points))
    return (
        f"The steepest slope is {steepest:.2f}: "
        f"{'no more than linear' if steepest <= LINEAR else 'more than linear'}."
    )


def tables(curves: dict[str, list[Point]]) -> str:
    """Return the curves as Markdown, each with the line that fits it."""
    parts = []
    for name, points in curves.items():
        fixed, each = fixed_and_each(points)
        line = [fixed + each * point.size for point in points]
        rows = [
            [
                f"{point.size:,}",
                f"{point.seconds:.3f}",
                f"{fitted:.3f}",
                slope,
                f"{point.megabytes:.0f}",
            ]
            for point, fitted, slope in zip(
                points, line, ["–", *(f"{slope:.2f}" for slope in slopes(points))], strict=True
            )
        ]
        parts.append(
            f"{name.capitalize()}: {fixed:.3f} s + {1000 * each:.3f} ms for each fits best. "
            f"{verdict(points)}\n\n"
            + table([name, "processor seconds", "the line", "slope", "memory, MB"], rows)
        )
    return "\n\n".join(parts)


def plot(curves: dict[str, list[Point]], path: Path) -> None:
    """Draw seconds and memory against size, with the lines that fit."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(4 * len(curves), 6), layout="constrained")
    panels = figure.subplots(2, len(curves), sharex="col", squeeze=False)
    for (name, points), (above, below) in zip(curves.items(), panels.T, strict=True):
        sizes = [point.size for point in points]
        fixed, each = fixed_and_each(points)
        smooth = np.geomspace(sizes[0], sizes[-1], 100)
        above.plot(
            smooth, fixed + each * smooth, color="0.6", label=f"{fixed:.2g} s + {1000 * each:.2g} ms each"
        )
        above.plot(sizes, [point.seconds for point in points], "o", label="measured")
        below.plot(sizes, [point.megabytes for point in points], "o-")
        above.set(xscale="log", yscale="log", ylabel="processor seconds")
        below.set(xscale="log", ylabel="memory at most, MB", xlabel=name, ylim=(0, None))
        above.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        above.yaxis.set_minor_formatter(NullFormatter())
        for axis in (above.yaxis, below.xaxis):
            axis.set_major_formatter("{x:,g}")
        below.set_ylim(top=1.1 * max(point.megabytes for point in points))
        above.legend(fontsize="small")
        for axes in (above, below):
            axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def medians(rounds: Sequence[Sequence[Point]]) -> list[Point]:
    """Return a curve of the medians of several."""
    return [
        Point(
            same[0].size,
            statistics.median(point.seconds for point in same),
            statistics.median(point.megabytes for point in same),
        )
        for same in zip(*rounds, strict=True)
    ]


@click.command(help=__doc__)
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1))
@click.option("--pages", "most", default=PAGES[-1], show_default=True, help="Pages of the longest job.")
def main(rounds: int, most: int) -> None:
    kinds = {
        "letters on a page": by_letters,
        "megapixels of a page": by_pixels,
        "pages of a job": functools.partial(by_pages, most=most),
    }
    curves: dict[str, list[list[Point]]] = {name: [] for name in kinds}
    for name in [*kinds] * rounds:
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            curves[name].append(list(kinds[name](Path(folder))))
        click.echo(f"{name}: {curves[name][-1]}")
    merged = {name: medians(each) for name, each in curves.items()}
    write_part("growth", f"{machine('ai-edge-litert', 'opencv-python-headless')}.\n\n{tables(merged)}")
    plot(merged, DOCS / "images" / "growth.png")


if __name__ == "__main__":
    main()
