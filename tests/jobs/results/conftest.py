"""Jobs whose results are written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.inputs.model import CARD_FILE, LINE_FILE, Model, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.results import (
    entries,
)
from tests.support import disk_roots

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]


@pytest.fixture
def contract_job(job_of: JobOf) -> Job:
    """A page with two lines, an empty one, a failed one, a quarantined one."""
    job = job_of("a.png", "b.png", "c.png", "d.png")
    a, b, c, d = entries(job)
    first = LineReading(
        Box(10, 20, 200, 40),
        (
            Letter(Box(10, 20, 30, 40), 1, (("Q", 0.98765), ("O", 0.01), ("G", 0.00231)), False),
            Letter(Box(45, 21, 30, 39), 1, (("U", 0.5), ("V", 0.49999)), True),
            Letter(Box(95, 22, 30, 38), 2, (("X", 1.0),), False, cell=(3, 2)),
        ),
        "=Qu X",
    )
    second = LineReading(Box(10, 80, 30, 40), (Letter(Box(10, 80, 30, 40), 1, (("A", 0.75),), True),))
    for reading in (
        PageReading(a.id, a.scan, 1, Status.DONE, lines=(first, second), skew_degrees=-1.236,
                    quality=("LOW_RESOLUTION", "SKEWED"), seconds=1.23456, attempts=2),
        PageReading(b.id, b.scan, 1, Status.EMPTY, skew_degrees=-0.001, seconds=0.1),
        PageReading(c.id, c.scan, 1, Status.FAILED, ErrorCode.TRUNCATED, 'cut off, "badly"\nhere'),
        PageReading(d.id, d.scan, 1, Status.QUARANTINED, ErrorCode.WORKER_LOST, "=died", attempts=3),
    ):  # fmt: skip
        job.results.write(reading)
    return job


@pytest.fixture
def documents(job_of: JobOf, scans: Path) -> Callable[..., list[ManifestEntry]]:
    """Make a TIFF of several pages and return the job's pages."""
    from PIL import Image

    def make(name: str, pages: int) -> list[ManifestEntry]:
        sheet = Image.new("1", (30, 20), 1)
        sheet.save(scans / name, save_all=True, append_images=[sheet] * (pages - 1))
        return entries(job_of())

    return make


@pytest.fixture
def calibrated_job(
    tmp_path: Path, scans: Path, model: Model, job_of: JobOf, reading_of: ReadingOf
) -> Callable[..., Job]:
    """Make a job of letters of one confidence, whose model was calibrated on parts of 0.93 and more."""

    def make(letters: int, sure: float, settings: Settings | None = None) -> Job:
        job_of("a.png")
        folder = tmp_path / "calibrated"
        shutil.copytree(f"{model.folder}", folder, dirs_exist_ok=True)
        (folder / LINE_FILE).write_bytes(b"")
        line_card = {"labels": [], "line_version": 1, "sha256": hashlib.sha256(b"").hexdigest()}
        card = {**model.card, "line_network": {**line_card, "low_mean_confidence": {"letters": 0.93}}}
        (folder / CARD_FILE).write_text(json.dumps(card))
        recipe = ReadingRecipe(settings or Settings(), load_model(folder))
        out = tmp_path / "out"
        job = make_job(scans, out, recipe, disk_roots(scans, out)).job
        job.results.write(reading_of(entries(job)[0], "A" * letters, sure))
        return job

    return make


@pytest.fixture
def read_job(job_of: JobOf, reading_of: ReadingOf) -> Callable[..., Job]:
    """Make a job whose scans all read AB CD, not surely."""

    def make(*names: str) -> Job:
        job = job_of(*names)
        for entry in entries(job):
            job.results.write(reading_of(entry, "AB CD", sure=0.61))
        return job

    return make
