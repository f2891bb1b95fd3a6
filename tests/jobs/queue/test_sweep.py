"""Sweeps find lost jobs, and nothing in a job folder stops them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import redis
from celery import Celery

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.records.readings import PageReading, Status
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


@pytest.mark.parametrize("name", ["job.json", "manifest.jsonl"])
def test_a_pipe_in_a_job_folder_holds_nobody_up(
    job: Job, app: Celery, client: redis.Redis, name: str
) -> None:
    pipe = job.path.parent / "a pipe" / name
    pipe.parent.mkdir()
    for file in ("job.json", "manifest.jsonl"):
        (pipe.parent / file).write_bytes((job.path / file).read_bytes())
    pipe.unlink()
    os.mkfifo(pipe)
    Sweep(job.path.parent, app, client)()
    assert client.exists(f"lettermill:{job.token}:state")


def test_a_sweep_counts_what_is_in_flight(job: Job, app: Celery, client: redis.Redis) -> None:
    sweep = Sweep(job.path.parent, app, client)
    assert sweep.backlog is None
    sweep()  # Queues the job.
    sweep()
    assert sweep.backlog is not None
    assert sweep.backlog.pages == 3
    assert sweep.backlog.oldest is not None
    assert time.time() - sweep.backlog.oldest < 60


def test_a_complete_job_is_looked_at_once_until_its_manifest_changes(
    job: Job, app: Celery, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry, _ in job.manifest():
        job.results.write(PageReading(entry.id, entry.scan, entry.page, Status.EMPTY))
    opened: list[object] = []
    monkeypatch.setattr(Job, "is_cancelled", property(opened.append))
    sweep = Sweep(job.path.parent, app, client)
    for _ in range(3):
        sweep()
    assert len(opened) == 1
    job.manifest_path.renew()
    sweep()
    assert len(opened) == 2


def test_a_job_of_this_machine_or_a_stopped_one_is_left_alone(
    job: Job, app: Celery, client: redis.Redis
) -> None:
    job.cancel("because")
    Sweep(job.path.parent, app, client)()
    assert not client.exists(f"lettermill:{job.token}:state")
