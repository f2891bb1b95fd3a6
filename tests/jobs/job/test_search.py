"""The job that a person means is found, and one that may be another is not guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.search import find_job
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from tests.support import disk_roots

Find = Callable[[object], Path]


@pytest.fixture
def letters(job_of: Callable[..., Job]) -> Job:
    return job_of("a.png", "b.png")


@pytest.fixture
def find(tmp_path: Path) -> Find:
    return lambda meant: Path(str(find_job(Disk(str(meant)), Disk(tmp_path / "out"))))


def test_the_folder_itself(letters: Job, find: Find) -> None:
    assert find(letters.path) == letters.path


def test_by_name_without_the_hash_and_by_scans(letters: Job, find: Find, scans: Path, tmp_path: Path) -> None:
    for meant in ("scans-letters", "scans", tmp_path / "out" / "scans", tmp_path / "out", scans):
        assert find(meant) == letters.path


def test_latest(letters: Job, job_of: Callable[..., Job], find: Find, tmp_path: Path) -> None:
    other = job_of("a.png", settings=Settings(alphabet="digits"))
    for job in (letters, other):
        point_latest(job)
        assert find("latest").resolve() == find(tmp_path / "out" / "latest").resolve() == job.path


def test_of_several_none_is_guessed_and_all_are_named(
    letters: Job, job_of: Callable[..., Job], find: Find, scans: Path, tmp_path: Path
) -> None:
    digits = job_of("a.png", settings=Settings(alphabet="digits"))
    assert find("scans-d") == digits.path
    for meant in ("scans", scans, tmp_path / "out"):
        with pytest.raises(NotAJob, match="may be any of 2 jobs") as error:
            find(meant)
        assert error.value.next_step.splitlines()[1:] == [f"  {digits.path}", f"  {letters.path}"]


def test_a_job_of_a_file_is_found_by_that_file_and_not_by_its_folder(
    letters: Job, model: Model, find: Find, scans: Path, tmp_path: Path
) -> None:
    roots = disk_roots(scans, tmp_path / "out")
    one = make_job(scans, tmp_path / "out", ReadingRecipe(Settings(), model), roots, only=["a.png"]).job
    assert find(scans / "a.png") == one.path
    assert find(scans) == letters.path


def test_what_is_no_job_gets_the_sentence_that_helps(
    letters: Job, find: Find, scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (scans / "a.png").rename(tmp_path / "other" / "a.png")
    (tmp_path / "empty").mkdir()
    for meant, what, next_step in (
        (tmp_path / "other", "is a folder of scans, not a job", "Read it first: lettermill run '"),
        (tmp_path / "other" / "a.png", "is a scan, not a job", "Read it first: lettermill run '"),
        (tmp_path / "empty", "is not a job folder", f"  {letters.path}"),
        ("nowhere", "does not exist", f"  {letters.path}"),
    ):
        with pytest.raises(NotAJob) as error:
            find(meant)
        assert f"{meant} {what}" in error.value.what
        assert next_step in error.value.next_step


def test_a_damaged_job_does_not_stop_the_search(
    letters: Job, find: Find, scans: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "out" / "damaged"
    damaged.mkdir()
    (damaged / "job.json").write_text("{")
    assert find(scans) == letters.path
