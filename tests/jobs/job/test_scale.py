"""Many scans: what each command opens, and memory that stays; docs/scale.md has the times."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading, Status, to_bytes
from lettermill.jobs.results.write import write_results
from tests.support import clean_environment

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]
Opened = Callable[..., list[str]]

MANY = 3000

WATCHED = """
import json, sys
from lettermill.cli import main
opened = []
def note(event, values):
    if event == "open":
        opened.append(str(values[0]))
sys.addaudithook(note)
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as file:
        json.dump(opened[:-1], file)
"""
"""Runs the command line and writes down which files it opened, or tried to."""


@pytest.fixture
def opened_by(tmp_path: Path) -> Opened:
    """Run a command of Lettermill in a process of its own and return the files that it opened."""

    def call(*words: object, status: int = 0) -> list[str]:
        note = tmp_path / "opened.json"
        command = [sys.executable, "-P", "-c", WATCHED, note, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
        assert done.returncode == status, done.stderr
        opened: list[str] = json.loads(note.read_text())
        return opened

    return call


def put_scans(scans: Path, count: int) -> None:
    """Files that nobody need be able to read, a hundred a folder."""
    for number in range(count):
        folder = scans / f"box {number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(b"not opened")


def put_results(job: Job, reading_of: ReadingOf) -> list[Path]:
    """Write a result for each page, every tenth a failure; without syncing each as `results.write` does."""
    paths = []
    for number, (entry, _) in enumerate(job.manifest()):
        reading = reading_of(entry, "HELLO WORLD\nAGAIN")
        if number % 10 == 0:
            reading = PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late")
        path = job.results.path(entry.id, failed=reading.failed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(reading))
        paths.append(path)
    return paths


def test_submit_opens_documents_only(scans: Path, tmp_path: Path, opened_by: Opened, broker: str) -> None:
    put_scans(scans, MANY)
    sheet = Image.new("1", (30, 20), 1)
    sheet.save(scans / "book.tif", save_all=True, append_images=[sheet])
    opened = opened_by("submit", scans, "--out", tmp_path / "out", "--broker", broker)
    (manifest,) = tmp_path.glob("out/*-*/manifest.jsonl")
    assert len(manifest.read_text().splitlines()) == MANY + 2
    assert [name for name in opened if name.endswith(".tif")]
    assert not [name for name in opened if name.endswith(".png")]


def test_status_opens_no_result(scans: Path, job_of: JobOf, reading_of: ReadingOf, opened_by: Opened) -> None:
    put_scans(scans, MANY)
    job = job_of()
    put_results(job, reading_of)
    opened = opened_by("status", job.path)
    assert str(job.manifest_path) in opened
    assert not [name for name in opened if "/pages/" in name]


def test_collect_opens_each_result_once(
    scans: Path, job_of: JobOf, reading_of: ReadingOf, opened_by: Opened
) -> None:
    put_scans(scans, MANY)
    job = job_of()
    results = put_results(job, reading_of)
    opened = Counter(opened_by("collect", job.path, status=1))
    assert {opened[str(path)] for path in results} == {1}
    assert max(count for name, count in opened.items() if "/pages/" in name) == 1


def test_memory_of_collect_does_not_grow(scans: Path, job_of: JobOf, reading_of: ReadingOf) -> None:
    peaks = []
    for pages in (250, 250, 2500):  # The first time is for the imports.
        put_scans(scans, pages)
        job = job_of()
        put_results(job, reading_of)
        tracemalloc.start()
        assert write_results(job).finished == pages
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 1_500_000  # The readings of 2,250 pages are many times that.
