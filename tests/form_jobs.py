"""What tests of the review of fields share: a job of a small form, whose readings the test writes."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.support import disk_roots

TEMPLATE = """blank = "blank.png"
[[fields]]
name = "surname"
box = [20, 20, 240, 40]
[[fields]]
name = "number"
box = [20, 80, 160, 40]
alphabet = '\\d{4}'
comb = 4
required = true
[[fields]]
name = "town"
box = [20, 140, 240, 40]
lexicon = "towns.txt"
"""
WIDTH, HEIGHT = 300, 200
ROWS = {"surname": 20, "number": 80, "town": 140}


def field(name: str, text: str, sure: float = 0.98, entry: str = "") -> LineReading:
    """A field as it was read, on a scan that lies exactly on the blank; doubtful below 0.9."""
    top = ROWS[name] + 10
    letters = tuple(
        Letter(Box(30 + 40 * at, top, 20, 20), 1, ((char, sure), ("X", 1 - sure)), sure < 0.9)
        for at, char in enumerate(text)
    )
    return LineReading(Box(30, top, 40 * len(text) - 20, 20), letters, entry, name, sure)


def form_job(folder: Path, scans: Path, model: Model, *pages: tuple[LineReading, ...]) -> Job:
    """A job of a form, with the given fields of each page."""
    blank = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(blank)
    draw.rectangle((20, 20, 260, 60), outline=0)
    form = folder / "form"
    form.mkdir(parents=True)
    blank.save(form / "blank.png")
    (form / "towns.txt").write_text("Darton\nMarsh Keep\n")
    (form / "form.toml").write_text(TEMPLATE)
    scans.mkdir(exist_ok=True)
    for number in range(len(pages)):
        blank.save(scans / f"{number}.png")
    recipe = ReadingRecipe(Settings(alphabet="alnum"), model, template=read_template(form / "form.toml"))
    job = make_job(scans, folder / "out", recipe, disk_roots(scans, folder / "out")).job
    for (entry, _), lines in zip(job.manifest(), pages, strict=True):
        status = Status.DONE if lines else Status.EMPTY
        job.results.write(
            PageReading(entry.id, entry.scan, 1, status, lines=lines, width=WIDTH, height=HEIGHT)
        )
    return job
