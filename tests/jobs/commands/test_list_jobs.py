"""`lettermill jobs`: the list, and deleting old jobs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.records.readings import PageReading
from tests.support import LETTERMILL, Command, clean_environment


def age(path: Path, days: int) -> None:
    """Make everything in a folder look as if it was written long ago."""
    then = time.time() - days * 86_400
    for folder, folders, names in os.walk(path):
        for name in (*folders, *names):
            os.utime(Path(folder) / name, (then, then), follow_symlinks=False)


@pytest.fixture
def jobs_of_all_kinds(
    tmp_path: Path, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> dict[str, Path]:
    """Job folders: complete, stopped and unfinished ones, all of them old."""
    job = job_of("a.png", "b.png")
    out = job.path.parent
    entries = [entry for entry, _ in job.manifest()]
    job.results.write(reading_of(entries[0], "A"))
    paths = {"unfinished": job.path}
    for kind in ("complete", "stopped", "another complete"):
        paths[kind] = out / "below" / kind
        shutil.copytree(job.path, paths[kind])
    Job.open(paths["stopped"]).cancel("enough")
    for kind in ("complete", "another complete"):
        Job.open(paths[kind]).results.write(reading_of(entries[1], "B"))
    for path in paths.values():
        age(path, 30)
    return paths


def test_jobs_says_what_state_each_is_in(lettermill: Command, jobs_of_all_kinds: dict[str, Path]) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    rows = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert {row["job"]: row["state"] for row in rows} == {
        str(path): kind.split()[-1] for kind, path in jobs_of_all_kinds.items()
    }
    plain = lettermill("jobs", "--out", out).stdout
    assert plain.startswith("made              state       pages         last page  read as  job\n")
    for row in ("unfinished  1 of 2 pages", "complete    2 of 2 pages"):
        assert re.search(rf"^20..-..-.. ..:..  {row}  30 d ago   letters  ", plain, re.MULTILINE)
    with Job.open(jobs_of_all_kinds["unfinished"]).reading_here() as ours:
        assert ours
        assert "being read  1 of 2 pages" in lettermill("jobs", "--out", out).stdout


def test_prune_deletes_old_jobs_and_nothing_else(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], tmp_path: Path
) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    precious = tmp_path / "precious"
    shutil.copytree(jobs_of_all_kinds["complete"], precious)
    (out / "a link").symlink_to(precious)
    (jobs_of_all_kinds["complete"] / "a link").symlink_to(precious)
    no_job = out / "no job"
    shutil.copytree(jobs_of_all_kinds["complete"] / "pages", no_job / "pages")
    age(out, 30)
    done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
    assert "deleted 3 of 3 job folders" in done.stderr
    assert "unfinished" not in done.stdout
    assert jobs_of_all_kinds["unfinished"].is_dir()
    assert [path for kind, path in jobs_of_all_kinds.items() if path.exists() and kind != "unfinished"] == []
    assert (precious / "job.json").exists()
    assert list(no_job.rglob("*.json"))
    assert list((out / "below").iterdir()) == []


def test_prune_takes_away_the_link_to_a_job_that_it_deletes(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path]
) -> None:
    complete, other = jobs_of_all_kinds["complete"], jobs_of_all_kinds["unfinished"]
    point_latest(Job.open(complete))
    point_latest(Job.open(other))
    lettermill("jobs", "--out", other.parent, "--prune", "7", "--yes")
    assert not (complete.parent / "latest").is_symlink()
    assert (other.parent / "latest").resolve() == other


@pytest.mark.parametrize(("answer", "left"), [("y\n", 1), ("n\n", 4)])
def test_prune_asks(jobs_of_all_kinds: dict[str, Path], answer: str, left: int) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    done = subprocess.run(
        [*LETTERMILL, "jobs", "--out", out, "--prune", "7"],
        input=answer,
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
    )
    assert "Delete 3 job folders" in done.stderr
    assert sum(path.exists() for path in jobs_of_all_kinds.values()) == left


def test_prune_leaves_alone_what_is_young_or_in_use(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], reading_of: Callable[..., PageReading]
) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    entry, _ = next(Job.open(jobs_of_all_kinds["stopped"]).manifest())
    Job.open(jobs_of_all_kinds["stopped"]).results.write(reading_of(entry, "NEW"))
    locked, read = jobs_of_all_kinds["complete"], jobs_of_all_kinds["another complete"]
    with (locked / ".lock").open("a") as lock, Job.open(read).reading_here() as ours:
        assert ours
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
        assert "deleted 0 of 2 job folders" in done.stderr
    assert all(path.exists() for path in jobs_of_all_kinds.values())
    done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
    assert "deleted 2 of 2 job folders" in done.stderr


def test_a_prune_that_was_cut_off_leaves_no_job_and_the_next_one_finishes_it(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], tmp_path: Path
) -> None:
    complete = jobs_of_all_kinds["complete"]
    out = jobs_of_all_kinds["unfinished"].parent
    half = complete.rename(complete.with_name(f".lettermill-pruned-{complete.name}"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / ".lettermill-pruned-link").symlink_to(elsewhere)
    rows = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert str(half) not in {row["job"] for row in rows}
    assert "no job below" in lettermill("jobs", "--out", out, "--prune", "1000").stderr
    assert not half.exists()
    assert elsewhere.is_dir()
    assert jobs_of_all_kinds["another complete"].exists()
