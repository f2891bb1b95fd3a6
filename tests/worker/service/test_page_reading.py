"""A page becomes a PageReading, even where reading it fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode, ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.attempts import MAX_ATTEMPTS
from lettermill.jobs.job.folder import VERSION, Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.settings import Settings
from lettermill.worker.service import page_reading
from lettermill.worker.service.events import STAGES
from lettermill.worker.service.page_reading import failed_reading, read_entry
from tests.support import disk_roots

Read = Callable[..., PageReading]


@pytest.fixture
def job(tmp_path: Path, draw_page: Callable[..., Path]) -> Job:
    draw_page(tmp_path / "scans" / "a.png", ["HELLO"])
    (tmp_path / "scans" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    roots = disk_roots(tmp_path / "scans", tmp_path / "out")
    recipe = ReadingRecipe(Settings(), load_model(installed_model_folder()))
    return make_job(roots.scans, roots.results, recipe, roots).job


@pytest.fixture
def read(job: Job) -> Read:
    """Read one of the job's two pages."""

    def call(number: int = 0, attempt: int = 1, debug: Path | None = None, **stages: float) -> PageReading:
        return read_entry(job, job.local_roots.scans, pages(job)[number], attempt, debug, stages)

    return call


def pages(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def test_a_page_that_can_be_read(job: Job, read: Read, tmp_path: Path) -> None:
    seconds: dict[str, float] = {}
    reading = read_entry(job, job.local_roots.scans, pages(job)[0], 2, tmp_path / "drawings", seconds)
    assert (reading.status, reading.text, reading.attempts) == (Status.DONE, "HELLO", 2)
    assert (reading.scan, reading.page, reading.version) == ("a.png", 1, VERSION)
    assert reading.width and reading.height and reading.seconds > 0
    assert list(seconds) == [stage for stage in STAGES if stage != "write"]
    assert [path.name for path in (tmp_path / "drawings").iterdir()] == [pages(job)[0].drawing]


def test_a_broken_scan_is_the_pages_result(read: Read) -> None:
    reading = read(1)
    assert (reading.status, reading.error_code, reading.lines) == (Status.FAILED, ErrorCode.NOT_AN_IMAGE, ())
    assert reading.error


def test_a_page_that_ended_its_worker_too_often_is_not_opened(job: Job, read: Read) -> None:
    with job.attempts.begin(pages(job)[0].id):
        job.attempts.note_loss(pages(job)[0].id, "signal 9 (SIGKILL)")
    reading = read(attempt=MAX_ATTEMPTS + 1)
    assert (reading.status, reading.error_code) == (Status.QUARANTINED, ErrorCode.WORKER_LOST)
    assert "last cause: signal 9 (SIGKILL)" in reading.error
    assert reading.attempts == MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("error", "code"),
    [(ZeroDivisionError("x" * 1000), ErrorCode.INTERNAL), (MemoryError(), ErrorCode.OUT_OF_MEMORY)],
)
def test_an_unexpected_error_is_the_pages_result(
    read: Read, monkeypatch: pytest.MonkeyPatch, error: Exception, code: ErrorCode
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(page_reading, "read_lines", fails)
    reading = read()
    assert (reading.status, reading.error_code) == (Status.FAILED, code)
    assert len(reading.error) < 500


def test_a_damaged_model_is_no_fault_of_the_page(
    job: Job, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job.path / "model" / "handprint.tflite").write_bytes(b"another")
    with pytest.raises(ModelProblem):
        read()


def test_a_failure_has_no_reading(job: Job) -> None:
    reading = failed_reading(pages(job)[0], ErrorCode.TIMEOUT, "too long")
    assert (reading.failed, reading.error_code, reading.error) == (True, ErrorCode.TIMEOUT, "too long")
