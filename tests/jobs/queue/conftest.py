"""What the tests of the queue share: a small job of a fleet, and the application that sends its messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from celery import Celery

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.settings import Settings
from tests.support import disk_roots, draw


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three pages, the window of a fleet's job."""
    for number in range(3):
        draw(tmp_path / "scans" / f"{number}.png", ["PAGE"])
    out = tmp_path / "out"
    model = load_model(installed_model_folder())
    roots = disk_roots(tmp_path / "scans", out)
    return make_job(tmp_path / "scans", out, ReadingRecipe(Settings(), model), roots, shared=True).job


@pytest.fixture
def app(broker: str) -> Celery:
    return make_app(broker)
