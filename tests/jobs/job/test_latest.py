"""The link `latest`: to the job that was last used, and what there is where links are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.latest import find_latest, last_used, point_latest
from lettermill.jobs.job.make import make_job
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from tests.support import disk_roots


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


def test_a_folder_that_takes_no_link_stops_nothing(
    open_folder: Path, model: Model, picture: Image.Image, as_nobody: Callable[..., str]
) -> None:
    scans, out = open_folder / "scans", open_folder / "out"
    scans.mkdir()
    picture.save(scans / "a.png")
    path = make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(scans, out)).job.path
    code = """
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import find_latest, point_latest
job = Job.open(Path(sys.argv[1]))
point_latest(job)
sys.stdout.write(str(find_latest(job.path.parent)))
"""
    assert as_nobody(code, path) == str(path)
    assert [one.name for one in out.iterdir()] == [path.name]


def test_without_jobs_there_is_none(tmp_path: Path) -> None:
    assert find_latest(Disk(tmp_path / "nowhere")) is None
    assert find_latest(Disk(tmp_path)) is None
    assert last_used(Disk(tmp_path / "deleted")) == 0
