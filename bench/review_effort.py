"""Measures the review page at 100,000 letters, and estimates how long a review takes a person against keying.

    python -m bench.review_effort [--letters 100000] [--job JOB …] [--rate 0.999]

It needs Debian's chromium and the extra `browser`. It makes the job: pages of 200 letters drawn in a font,
with confidences that are calibrated by construction. `--job` estimates for the letters of real jobs.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import LETTERS, Settings
from lettermill.jobs.web.session import SHEET_LETTERS
from tests.support import LETTERMILL, clean_environment, disk_roots

CHROMIUM = "/usr/bin/chromium"
FIRST_PAINT = """new Promise((done) => new PerformanceObserver((list) => {
  const found = list.getEntriesByName("first-contentful-paint")[0];
  if (found) done(found.startTime);
}).observe({ type: "paint", buffered: true }))"""
LINES, COLUMNS, PITCH = 20, 10, 100
DRAWINGS = 10


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long a person takes, in seconds; docs/review.md says where the figures come from.

    Attributes:
        glance: at a letter on a sheet of letters read alike: one fixation of the eye, or some.
        sheet: to decide that the rest is right and press Enter.
        mark: to point at a wrong letter and click.
        single: to see what a letter is in its line, and type it.
        key: to key one letter from a picture.
    """

    glance: float
    sheet: float
    mark: float
    single: float
    key: float


QUICK = Pace(0.2, 1.6, 1.0, 1.9, 3600 / 12_000)
MIDDLING = Pace(0.3, 1.8, 1.3, 2.5, 3600 / 10_000)
SLOW = Pace(0.7, 3.0, 1.7, 4.0, 3600 / 8_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=0.999, help="of letters that are to be right")
    parser.add_argument("--job", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    for path in arguments.job:
        print(estimate(f"{path.name}", list(confidences(path)), arguments.rate))  # noqa: T201
    if arguments.letters:
        with tempfile.TemporaryDirectory() as folder:
            job = make(Path(folder), arguments.letters // (LINES * COLUMNS))
            for line in measure(job):
                print(line, flush=True)  # noqa: T201


def make(folder: Path, pages: int) -> Job:
    """Make a job of that many pages, all read."""
    rng = random.Random(0)
    scans = folder / "scans"
    scans.mkdir()
    drawn = [draw(scans / f"{number}.png", rng) for number in range(min(DRAWINGS, pages))]
    for number in range(len(drawn), pages):
        shutil.copyfile(scans / f"{number % DRAWINGS}.png", scans / f"{number}.png")
    model = load_model(installed_model_folder())
    job = make_job(
        scans, folder / "out", ReadingRecipe(Settings(), model), disk_roots(scans, folder / "out")
    ).job
    for entry, _ in job.manifest():
        text = drawn[int(Path(entry.scan).stem) % DRAWINGS]
        lines = tuple(line(number, row, rng) for number, row in enumerate(text))
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=lines))
    return job


def draw(path: Path, rng: random.Random) -> list[str]:
    """Draw a page of A4 at 150 dpi; its lines."""
    font = ImageFont.load_default(60)
    page = Image.new("L", (1240, 2100), 250)
    pen = ImageDraw.Draw(page)
    text = ["".join(rng.choices(LETTERS, k=COLUMNS)) for _ in range(LINES)]
    for number, row in enumerate(text):
        for column, char in enumerate(row):
            pen.text((60 + column * PITCH, 40 + number * PITCH), char, font=font, fill=20)
    page.save(path)
    return text


def line(number: int, row: str, rng: random.Random) -> LineReading:
    letters = []
    for column, char in enumerate(row):
        sure = 1 - 0.5 * rng.random() ** 12
        read = char if rng.random() < sure else rng.choice(LETTERS)
        box = Box(55 + column * PITCH, 50 + number * PITCH, 60, 62)
        ranking = ((read, sure), ("X", (1 - sure) / 2), ("Y", (1 - sure) / 2))
        letters.append(Letter(box, 1, ranking, sure < Settings().flag_below))
    return LineReading(Box(55, 50 + number * PITCH, COLUMNS * PITCH, 62), tuple(letters))


def measure(job: Job) -> Iterator[str]:
    """Open the review in a browser; what it took."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*LETTERMILL, "review", str(job.path), "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean_environment(),
    )  # fmt: skip
    try:
        assert process.stdout
        address = process.stdout.readline().split()[1]
        yield f"the address is printed after {time.perf_counter() - begun:.2f} s"
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = chromium.new_page(viewport={"width": 1024, "height": 768})
            page.goto(address)
            base = "/".join(page.url.split("/")[:4])
            for what, path in (
                ("overview", "/"),
                ("sheet of 40", "/sheet/V"),
                ("single letter", "/letter/5"),
            ):
                yield f"{what}: {paint(page, base + path)}"
            chromium.close()
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        yield f"memory of the server: {memory:.0f} MB"
    finally:
        process.terminate()
        process.wait()


def paint(page: Page, address: str) -> str:
    """First paint, and when the pictures are there, too, in milliseconds: median of five and longest."""
    first, whole = [], []
    for _ in range(5):
        begun = time.perf_counter()
        page.goto(address, wait_until="load")
        whole.append((time.perf_counter() - begun) * 1000)
        first.append(page.evaluate(FIRST_PAINT))
    return (
        f"first paint {statistics.median(first):.0f} ms (longest {max(first):.0f}), "
        f"with all pictures {statistics.median(whole):.0f} ms (longest {max(whole):.0f})"
    )


def confidences(job: Path) -> Iterator[tuple[str, float]]:
    for reading in (path.read_bytes() for path in (job / "pages").glob("*/*.json")):
        page = msgspec.json.decode(reading)["reading"]
        for one in page.get("lines", ()):
            for letter in one["letters"]:
                yield letter[2][0][0], letter[2][0][1]


def estimate(name: str, letters: list[tuple[str, float]], rate: float) -> str:
    """How many letters a person looks at until that share is expected to be right, and how long it takes."""
    ordered = sorted(letters, key=lambda one: one[1])
    left = sum(1 - sure for _, sure in ordered)
    looked: list[tuple[str, float]] = []
    for char, sure in ordered:
        if left <= (1 - rate) * len(ordered):
            break
        left -= 1 - sure
        looked.append((char, sure))
    wrong = sum(1 - sure for _, sure in looked)
    sheets = sum(-(-count // SHEET_LETTERS) for count in Counter(char for char, _ in looked).values())
    scale = 1000 / len(ordered)
    minutes = [
        (len(looked) * pace.glance + sheets * pace.sheet + wrong * (pace.mark + pace.single)) * scale / 60
        for pace in (QUICK, MIDDLING, SLOW)
    ]
    keyed = [2 * 1000 * pace.key / 60 for pace in (QUICK, MIDDLING, SLOW)]
    return (
        f"{name}: of 1,000 letters {len(looked) * scale:.0f} looked at on {sheets * scale:.1f} sheets, "
        f"{wrong * scale:.1f} wrong ones marked and typed: {(sheets + 2 * wrong) * scale:.0f} clicks or "
        f"keys, {minutes[1]:.1f} min ({minutes[0]:.1f}–{minutes[2]:.1f}); keyed twice {keyed[1]:.0f} min "
        f"({keyed[0]:.0f}–{keyed[2]:.0f})"
    )


if __name__ == "__main__":
    main()
