"""Sweeps find lost jobs, and nothing in a job folder stops them."""

from __future__ import annotations

import os
import time

import pytest
import redis
from celery import Celery

from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.records.readings import PageReading, Status


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
