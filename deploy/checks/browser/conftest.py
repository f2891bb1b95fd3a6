"""A job whose letters are drawn, its review in a real browser: Debian's chromium, without a window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.conftest import start, temporary
from tests.support import Starter, disk_roots, draw, wait_for

__all__ = ["start", "temporary"]  # Fixtures.

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with six doubtful letters read as V, of which the third is a Y, and a doubtful Q."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    draw(scans / "card.png", ["V V Y V V V", "Q S U R E"])
    model = load_model(installed_model_folder())
    job = make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(scans, out)).job
    ((entry, _),) = job.manifest()
    sure = [0.5 + 0.01 * number for number in range(6)], [0.6, 0.99, 0.99, 0.99, 0.99]
    lines = tuple(line(number, text, sure[number]) for number, text in enumerate(("VVVVVV", "QSURE")))
    job.results.write(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=lines))
    return job


def line(number: int, text: str, sure: list[float]) -> LineReading:
    """A line as `draw` writes it in capitals of 60 pixels, one of them and a space a letter."""
    boxes = [Box(28 + 58 * place, 30 + 120 * number, 46, 66) for place in range(len(text))]
    letters = tuple(
        Letter(box, 1, ((char, confidence), ("Y", 1 - confidence)), confidence < 0.8)
        for box, char, confidence in zip(boxes, text, sure, strict=True)
    )
    return LineReading(Box(28, 30 + 120 * number, 58 * len(text), 66), letters)


@pytest.fixture
def reviewing(start: Starter, tmp_path: Path) -> Callable[[Job], str]:
    """Start a review in the background; the address that it prints."""

    def begin(job: Job) -> str:
        start("review", job.path, "--no-browser", "--name", "anna")
        log = tmp_path / "process-0.log"
        wait_for(lambda: "review: " in log.read_text(), what="the address")
        return re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0]

    return begin


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of the browser; what its console says is an error."""
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_context(
            viewport={"width": 1024, "height": 768}, reduced_motion="reduce"
        ).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        chromium.close()
    assert said == []
