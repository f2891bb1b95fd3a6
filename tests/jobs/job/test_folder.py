"""Job folders are opened, stopped and locked; damaged ones are found."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode, NotAJob
from lettermill.jobs.job.folder import Job, find_job_folders
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import (
    PageReading,
    Status,
)
from lettermill.jobs.settings import Limits, Settings


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def failed(entry: ManifestEntry, code: ErrorCode, status: Status = Status.FAILED) -> PageReading:
    return PageReading(entry.id, entry.scan, entry.page, status, code, "why")


def test_manifest_from_an_offset(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png", "b.png", "c.png")
    (_, behind_first), *rest = job.manifest()
    assert list(job.manifest(behind_first)) == rest


@pytest.mark.parametrize("name", ["=1+1.png", "new\nline.png", 'quote".png', os.fsdecode(b"caf\xe9.png")])
def test_odd_names_survive_the_manifest(job_of: Callable[..., Job], scans: Path, name: str) -> None:
    job = job_of(f"folder {name}/{name}")
    (entry,) = entries(Job.open(job.path))
    assert entry.scan == f"folder {name}/{name}"
    assert (scans / entry.scan).is_file()


def test_open_gives_what_was_made(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png", settings=Settings(alphabet="alnum", dpi=150, limits=Limits(page_seconds=7)))
    assert Job.open(job.path) == job


def test_what_is_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotAJob, match=r"is not a job folder|does not exist"):
            Job.open(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": {}}', "\xff"])
def test_damaged_job_json(job_of: Callable[..., Job], content: str) -> None:
    job = job_of("a.png")
    (job.path / "job.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


@pytest.mark.parametrize("key", ["scan_root", "created", "version"])
def test_text_that_cannot_be_written_is_damage(job_of: Callable[..., Job], key: str) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    (job.path / "job.json").write_text(json.dumps({**values, key: "half a pair: \ud800"}))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", "base64"),
        ("created", "0001-01-01T00:00:00+14:00"),
        ("scan_root", "/scans\0/may"),
        ("scans_below", "a\0"),
    ],
)
def test_job_json_with_what_nobody_could_use(job_of: Callable[..., Job], key: str, value: str) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    (job.path / "job.json").write_text(json.dumps({**values, key: value}))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


def test_settings_of_another_version(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    values["settings"]["colour"] = "blue"
    (job.path / "job.json").write_text(json.dumps(values))
    with pytest.raises(NotAJob, match="colour"):
        Job.open(job.path)


@pytest.mark.parametrize("line", ["", '{"id": 1', "[]", '{"id": "x"}'])
def test_damaged_manifest(job_of: Callable[..., Job], line: str) -> None:
    job = job_of("a.png")
    job.manifest_path.write_text(line + "\n")
    with pytest.raises(NotAJob, match=r"manifest\.jsonl"):
        entries(job)


def test_find_job_folders(job_of: Callable[..., Job], tmp_path: Path) -> None:
    paths = {job_of("a.png").path, job_of("a.png", settings=Settings(dpi=100)).path}
    assert set(find_job_folders(tmp_path)) == paths
    with pytest.raises(NotAJob):
        list(find_job_folders(tmp_path / "missing"))


def test_a_job_is_stopped_and_goes_on(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    job.results.write(reading_of(entries(job)[0], "A"))
    assert job.cancelled is None
    job.cancel("because")
    job.cancel("for another reason")
    assert job.cancelled == "because"
    tally = job.tally()
    assert (tally.finished, tally.cancelled, tally.complete) == (1, True, True)
    job.uncancel()
    assert not job.tally().complete
    job.cancel("again")
    assert job_of().cancelled is None  # The same command goes on.


def test_a_job_is_stopped_when_more_fail_than_it_allows(job_of: Callable[..., Job]) -> None:
    job = dataclasses.replace(job_of("a.png", "b.png", "c.png"), max_failures=1)
    for entry, stopped in zip(entries(job), (False, True, True), strict=True):
        job.results.write(failed(entry, ErrorCode.TRUNCATED))
        assert job.cancel_after_failures() is stopped
    assert "2 pages failed" in (job.cancelled or "")


def test_the_lock_is_exclusive_and_ends_with_its_holder(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    order = []

    def second() -> None:
        with job.lock():
            order.append("second")

    other = threading.Thread(target=second)
    with pytest.raises(ZeroDivisionError), job.lock():
        other.start()
        time.sleep(0.2)
        order.append("first")
        raise ZeroDivisionError
    other.join(10)
    assert order == ["first", "second"]
