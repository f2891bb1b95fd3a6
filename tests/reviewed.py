"""A job whose letters people decided in a review."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.corrections import Correction, Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.support import disk_roots, draw

BOXES = {
    "H": Box(30, 30, 48, 70),
    "E": Box(150, 30, 42, 70),
    "I": Box(258, 30, 24, 70),
    "T": Box(390, 30, 42, 70),
}


def job_to_review(folder: Path) -> Job:
    """Make a job of a card with H, E, I and T far from each other, all read as X."""
    for char in BOXES:
        draw(folder / f"{char}.png", [char])
    page = Image.new("L", (520, 180), 255)
    for char, box in BOXES.items():
        page.paste(Image.open(folder / f"{char}.png").crop((25, 25, 85, 120)), (box.x - 5, box.y - 5))
    scans, out = folder / "scans", folder / "out"
    scans.mkdir()
    page.save(scans / "card.png")
    model = load_model(installed_model_folder())
    job = make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(scans, out)).job
    ((entry, _),) = job.manifest()
    letters = tuple(Letter(box, 1, (("X", 0.5),), True) for box in BOXES.values())
    line = LineReading(Box(30, 30, 400, 70), letters)
    job.results.write(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=(line,)))
    return job


def say(job: Job, position: int, decision: Decision, corrected: str = "") -> None:
    """Decide about a letter of the card."""
    ((entry, _),) = job.manifest()
    one = Correction(
        job.token, entry.id, 1, position, list(BOXES.values())[position - 1], "X", 0.5, decision, corrected,
        "anna", "2026-11-27T10:00:00+00:00",
    )  # fmt: skip
    Corrections(job).add([(one, 0)])
