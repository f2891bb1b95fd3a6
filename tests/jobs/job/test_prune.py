"""Old jobs are found and deleted, and nothing else; test_front_door.py tries the command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.prune import finish_pruning, old_jobs, prune
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.storage.disk import Disk

TEN_DAYS_SECONDS = 10 * 86_400


@pytest.fixture
def old_job(job_of: Callable[..., Job], reading_of: Callable[..., PageReading]) -> Job:
    """A complete job in which nothing was written for ten days."""
    job = job_of("a.png")
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    for folder in [Path(str(job.path)), *Path(str(job.path)).rglob("*")]:
        os.utime(folder, (time.time() - TEN_DAYS_SECONDS,) * 2)
    return job


def test_a_complete_job_is_deleted_once_it_is_old(old_job: Job, tmp_path: Path) -> None:
    out = Disk(tmp_path / "out")
    assert list(old_jobs(out, 11)) == []
    assert prune([Disk(old_job.path)], 11) == 0
    (found,) = old_jobs(out, 9)
    assert prune([found], 9) == 1
    assert list(out.iterdir()) == []


def test_an_unfinished_job_is_kept(old_job: Job, tmp_path: Path) -> None:
    for entry, _ in old_job.manifest():
        old_job.results.forget(entry.id)
    assert list(old_jobs(Disk(tmp_path / "out"), 0)) == []


def test_a_job_that_a_command_works_on_is_kept(old_job: Job, tmp_path: Path) -> None:
    with old_job.reading_here():
        assert prune(old_jobs(Disk(tmp_path / "out"), 9), 9) == 0
    assert old_job.path.is_folder()


def test_an_interrupted_prune_is_finished(old_job: Job, tmp_path: Path) -> None:
    out = Disk(tmp_path / "out")
    Path(str(old_job.path)).rename(out / f".lettermill-pruned-{old_job.path.name}")
    assert list(old_jobs(out, 0)) == []
    finish_pruning(out)
    assert list(out.iterdir()) == []


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(NotAJob):
        list(old_jobs(Disk(tmp_path / "nothing"), 1))
