"""Measures the first paint of `lettermill web` with many jobs: its list, an older page of it, a job.

    python -m bench.front_page [--jobs 1000] [--letters 100]

It needs Debian's chromium and the extra `browser`. It makes the jobs, of one page each, with a network that
nobody runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import click
import psutil
from PIL import Image
from playwright.sync_api import sync_playwright

from bench.review_effort import CHROMIUM, FIRST_PAINT
from lettermill.jobs.inputs.model import load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.support import LETTERMILL, clean_environment, disk_roots, wait_for

TIMES = 5


def make_jobs(folder: Path, jobs: int, letters: int) -> None:
    """Make finished jobs of one page each."""
    model = folder / "model"
    model.mkdir()
    (model / "handprint.tflite").write_bytes(b"not a network")
    card = {
        "labels": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "glyph_version": 1,
        "temperature": 1.0,
        "sha256": hashlib.sha256(b"not a network").hexdigest(),
    }
    (model / "handprint.json").write_text(json.dumps(card))
    recipe = ReadingRecipe(Settings(), load_model(model))
    line = tuple(Letter(Box(4 * place, 4, 4, 8), 1, (("E", 0.98),), False) for place in range(letters))
    for number in range(jobs):
        scans = folder / "scans" / f"box {number}"
        scans.mkdir(parents=True)
        Image.new("L", (60, 40), 255).save(scans / "card.png")
        job = make_job(scans, folder / "out", recipe, disk_roots(scans, folder / "out")).job
        ((entry, _),) = job.manifest()
        lines = (LineReading(Box(0, 4, 4 * letters, 8), line),)
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=lines))


def main() -> None:
    """Make the jobs, start the server, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--letters", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_jobs(folder, given.jobs, given.letters)
        log = folder / "log"
        begun = time.monotonic()
        with log.open("wb") as said:
            server = subprocess.Popen(
                [*LETTERMILL, "web", "--out", str(folder / "out"), "--no-browser", "--name", "bench"],
                stdout=said,
                stderr=said,
                env=clean_environment(),
            )
        wait_for(lambda: "web: " in log.read_text(), what="the address")
        click.echo(f"the address is printed after {time.monotonic() - begun:.1f} s")
        address = re.findall(r"^web: (\S+)$", log.read_text(), re.MULTILINE)[0]
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = chromium.new_page()
            page.goto(address)
            own = page.get_by_role("rowheader").first.get_by_role("link").get_attribute("href")
            base = address.partition("/?")[0]
            last = -(-given.jobs // 50)
            for what, path in (("the list", "/"), ("its last page", f"/?page={last}"), ("a job", own)):
                times = []
                for _ in range(TIMES):
                    page.goto(f"{base}{path}")
                    times.append(page.evaluate(FIRST_PAINT) / 1000)
                click.echo(
                    f"first paint of {what}: {statistics.median(times):.2f} s (longest {max(times):.2f} s)"
                )
            chromium.close()
        click.echo(f"the server takes {psutil.Process(server.pid).memory_info().rss / 1e6:.0f} MB")
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
