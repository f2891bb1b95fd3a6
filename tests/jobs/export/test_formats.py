"""Exports: what becomes of pages that a format cannot hold, and of places that cannot be written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import msgspec
import pytest
from PIL import Image

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.export.formats import FORMATS, NO_SIZE, UNFINISHED, export_job
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.readings import (
    PageReading,
    Status,
    from_bytes,
    to_bytes,
)
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.bucket import Bucket
from lettermill.jobs.storage.disk import Disk
from tests.exports import LINES, written
from tests.object_store import object_store

JobOf = Callable[..., Job]


def test_cancelled_pages(job_of: JobOf) -> None:
    job = job_of("a.png")
    assert export_job(job, FORMATS["jsonl"], None).left_out == {UNFINISHED: 1}
    job.cancel("enough")
    assert not export_job(job, FORMATS["jsonl"], None).left_out
    row = json.loads((job.path / "export" / "pages.jsonl").read_text())
    assert (row["status"], row["error"]) == ("CANCELLED", "enough")
    (reason,) = export_job(job, FORMATS["alto"], None).left_out
    assert "resume" in reason


def test_damaged_results_and_results_without_a_size_are_left_out(job_of: JobOf) -> None:
    job = job_of("a.png", "b.png")
    (a, _), (b, _) = job.manifest()
    job.results.write(PageReading(a.id, a.scan, 1, Status.DONE, lines=LINES))
    job.results.write(PageReading(b.id, b.scan, 1, Status.DONE, lines=LINES, width=60, height=40))
    assert export_job(job, FORMATS["alto"], None).left_out == {NO_SIZE: 1}
    path = job.path / f"pages/{b.id[:2]}/{b.id}.json"
    path.write_bytes(path.read_bytes()[:-9])
    exported = export_job(job, FORMATS["alto"], None)
    assert exported.left_out.total() == 2
    assert exported.pages == 0
    assert not written(exported)


def test_results_of_before_there_were_sizes_are_read() -> None:
    reading = PageReading("1" * 24, "a.png", 1, Status.DONE, lines=LINES, width=60, height=40)
    old = json.loads(to_bytes(reading))["reading"]
    del old["width"], old["height"]
    decoded = msgspec.convert(old, PageReading, strict=False)
    assert (decoded.width, decoded.height) == (None, None)
    assert from_bytes(to_bytes(decoded)).width is None


def test_an_extra_that_is_not_installed(job: Job) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from lettermill.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", code, "export", str(job.path), "--format", "parquet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "pip install pyarrow" in done.stderr
    assert not list((job.path / "export").iterdir())


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_export_gives_the_same_files(name: str, job: Job) -> None:
    def content() -> dict[str, bytes]:
        place = export_job(job, FORMATS[name], None).place
        paths = [place] if not FORMATS[name].folder else Path(str(place)).rglob("*.*")
        return {str(path): Path(str(path)).read_bytes() for path in paths if Path(str(path)).is_file()}

    first = content()
    assert first
    if name == "pdf":  # PDFium gives each file an identifier of its own.
        assert content().keys() == first.keys()
    else:
        assert content() == first


def test_lettermills_own_folder_forgets_scans_that_are_gone_and_no_other_does(
    job: Job, tmp_path: Path
) -> None:
    own = job.path / "export" / "alto"
    export_job(job, FORMATS["alto"], None)
    (own / "gone.png.xml").write_text("old")
    export_job(job, FORMATS["alto"], None)
    assert not (own / "gone.png.xml").exists()
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "letter.xml").write_text("mine")
    exported = export_job(job, FORMATS["alto"], Disk(elsewhere))
    assert (elsewhere / "letter.xml").read_text() == "mine"
    assert len(written(exported)) == exported.pages + 1


def test_places_that_cannot_be(job: Job, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, place in (("alto", tmp_path / "file"), ("jsonl", tmp_path), ("pdf", scans / "new")):
        with pytest.raises(UsageProblem):
            export_job(job, FORMATS[name], Disk(place))


def test_a_job_in_an_object_store(scans: Path, model: Model, picture: Image.Image) -> None:
    for name in ("a.png", "b.png"):
        picture.save(scans / name)
    with object_store():
        boto3.session.Session().client("s3").create_bucket(Bucket="exports")
        out = Bucket("exports", "results")
        job = make_job(scans, out, ReadingRecipe(Settings(), model), Roots(Disk(scans), out)).job
        for entry, _ in job.manifest():
            job.results.write(
                PageReading(entry.id, entry.scan, 1, Status.DONE, lines=LINES, width=60, height=40)
            )
        (job.path / "export" / "alto" / "gone.png.xml").write(b"old")
        for form in FORMATS.values():
            assert export_job(job, form, None).pages == 2
        suffixes = {"alto": ".xml", "hocr": ".hocr", "page-xml": ".xml", "pdf": ".pdf"}
        files = {f"{name}/{scan}{end}" for name, end in suffixes.items() for scan in ("a.png", "b.png")}
        wanted = files | {"pages.jsonl", "tables.xlsx", "letters.parquet"}
        assert set((job.path / "export").files()) == wanted
        elsewhere = Bucket("exports", "mine")
        (elsewhere / "letter.xml").write(b"mine")
        export_job(job, FORMATS["alto"], elsewhere)
        assert set(elsewhere.files()) == {"a.png.xml", "b.png.xml", "letter.xml"}
        for name, place in (("jsonl", elsewhere), ("alto", elsewhere / "letter.xml")):
            with pytest.raises(UsageProblem):
                export_job(job, FORMATS[name], place)
