"""The link `latest`: to the job that was last used, and what there is where links are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.latest import find_latest, point_latest
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk


def used_at(job: Job, seconds: int) -> None:
    os.utime(job.path / JOB_FILE, (seconds, seconds))


def test_the_link_leads_to_the_last_job_and_is_relative(job_of: Callable[..., Job], tmp_path: Path) -> None:
    one, other = job_of("a.png"), job_of("a.png", settings=Settings(alphabet="digits"))
    link = tmp_path / "out" / "latest"
    for job in (one, other, one):
        point_latest(job)
        assert link.readlink() == Path(job.path.name)
        assert find_latest(Disk(tmp_path / "out")) == job.path
    assert not list((tmp_path / "out").glob(".writing-*"))


def test_a_folder_of_that_name_stays_and_the_last_job_is_found_by_its_time(
    job_of: Callable[..., Job], tmp_path: Path
) -> None:
    one, other = job_of("a.png"), job_of("a.png", settings=Settings(alphabet="digits"))
    mine = tmp_path / "out" / "latest"
    mine.mkdir()
    point_latest(one)
    assert mine.is_dir() and not mine.is_symlink()
    for last, before in ((one, other), (other, one)):
        used_at(last, 2_000_000_000)
        used_at(before, 1_000_000_000)
        assert find_latest(Disk(tmp_path / "out")) == last.path


def test_a_link_that_leads_nowhere_is_replaced(job_of: Callable[..., Job], tmp_path: Path) -> None:
    job = job_of("a.png")
    link = tmp_path / "out" / "latest"
    link.symlink_to("gone")
    assert find_latest(Disk(tmp_path / "out")) == job.path
    point_latest(job)
    assert link.resolve() == job.path


def test_without_jobs_there_is_none(tmp_path: Path) -> None:
    assert find_latest(Disk(tmp_path / "nowhere")) is None
    assert find_latest(Disk(tmp_path)) is None
