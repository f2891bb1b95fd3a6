"""Downloads: every result, with the corrections, and nothing else of the disk."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.front.downloads import Download, bring_up_to_date, download, zipped
from lettermill.jobs.job.corrections import Correction, Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, PageReading
from lettermill.jobs.storage.disk import Disk
from tests.review_browser import entries

JobOf = Callable[..., Job]


@pytest.fixture
def job(job_of: JobOf, reading_of: Callable[..., PageReading]) -> Job:
    job = job_of("a.png")
    job.results.write(reading_of(entries(job)[0], "QA", 0.6))
    return job


def content(found: Download) -> bytes:
    return found.path.read_bytes() if found.path else b"".join(found.chunks or ())


def letters(job: Job) -> list[str]:
    text = content(download(job, "letters.csv")).decode()
    return [row["corrected"] or row["letter"] for row in csv.DictReader(io.StringIO(text))]


def test_tables_have_the_corrections_that_came_after_them(job: Job) -> None:
    assert letters(job) == ["Q", "A"]
    written = (Path(str(job.path)) / "summary.json").stat().st_mtime_ns
    assert letters(job) == ["Q", "A"]
    assert (Path(str(job.path)) / "summary.json").stat().st_mtime_ns == written, "nothing is written twice"
    page = entries(job)[0].id
    now = "2026-12-01T00:00:00+00:00"
    box = Box(4, 4, 17, 11)
    one = Correction(job.token, page, 1, 1, box, "Q", 0.6, Decision.CORRECTED, "O", "anna", now)
    Corrections(job).add([(one, 0)])
    assert letters(job) == ["O", "A"]


def test_all_in_one_archive(job: Job) -> None:
    archive = zipfile.ZipFile(io.BytesIO(content(download(job, "all.zip"))))
    assert archive.testzip() is None
    names = set(archive.namelist())
    assert {"letters.csv", "summary.html", "text/a.png.txt", "export/tables.xlsx"} <= names
    assert not [name for name in names if name.startswith(("pages/", "model/")) or name == "job.json"]


def test_excel_and_pdfs_and_texts(job: Job) -> None:
    sheets = openpyxl.load_workbook(io.BytesIO(content(download(job, "tables.xlsx"))))
    assert "letters" in sheets.sheetnames
    sheets.close()
    pdfs = zipfile.ZipFile(io.BytesIO(content(download(job, "pdf.zip"))))
    assert [name.endswith(".pdf") for name in pdfs.namelist()] == [True]
    texts = zipfile.ZipFile(io.BytesIO(content(download(job, "text.zip"))))
    assert texts.read("text/a.png.txt") == b"QA\n"


def test_nothing_else_is_given_away(job: Job, tmp_path: Path) -> None:
    bring_up_to_date(job)
    folder = Path(str(job.path))
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "overlays").mkdir(exist_ok=True)
    (folder / "overlays" / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "lines.csv").unlink()
    (folder / "lines.csv").symlink_to(tmp_path / "secret.png")
    for what in (
        *("job.json", "corrections.jsonl", "../secret.png", "overlays/../job.json", "overlays/../../x.png"),
        *("overlays/link.png", "lines.csv", "", "/etc/passwd", "fields.csv", "overlays/x\0.png", "model/"),
    ):
        with pytest.raises(NotAJob, match="the job has no"):
            download(job, what)
    assert "lines.csv" not in zipfile.ZipFile(io.BytesIO(content(download(job, "all.zip")))).namelist()


def test_an_archive_comes_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "large").write_bytes(bytes(range(256)) * 20_000)
    parts = list(zipped(Disk(tmp_path), ["a", "gone"]))
    assert len(parts) > 3
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.read("a/large") == bytes(range(256)) * 20_000
