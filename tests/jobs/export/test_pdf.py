"""Searchable PDFs: their text, and scans that are gone."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pypdfium2

from lettermill.jobs.export.formats import FAILED, FORMATS, NOT_OPENED, export_job
from lettermill.jobs.job.folder import Job
from tests.exports import ODD, written


def test_a_scan_that_is_gone_is_named_and_the_others_are_exported(job: Job, scans: Path) -> None:
    (scans / "two.tif").unlink()
    exported = export_job(job, FORMATS["pdf"], None)
    assert exported.left_out[NOT_OPENED] == 1
    assert exported.problems == [
        "'two.tif': the file is not there: put it back; or, where it is, give submit the --scans of the "
        "workers; and run again"
    ]
    assert exported.pages == len(ODD) + 1


def test_the_text_is_that_of_the_page_and_stays_with_its_page(job: Job) -> None:
    exported = export_job(job, FORMATS["pdf"], None)
    assert exported.left_out == {FAILED: 1}
    (path,) = (path for path in written(exported) if path.name == "two.tif.pdf")
    with contextlib.closing(pypdfium2.PdfDocument(path)) as document:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    assert [text.split() for text in texts] == [["NO", "A", "0"]]
