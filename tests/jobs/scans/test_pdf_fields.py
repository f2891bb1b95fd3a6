"""The form fields of a PDF, with the pixels in which they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.jobs.scans.reader import read_form_fields, read_page
from lettermill.jobs.settings import Limits
from tests.fillable_pdf import WIDGETS, fillable_pdf
from tests.support import ROOT


def test_the_fields_of_a_form(tmp_path: Path) -> None:
    path = tmp_path / "form.pdf"
    path.write_bytes(fillable_pdf(WIDGETS))
    *fields, hidden = read_form_fields(path, 72, Limits())
    assert fields == [
        PdfField("Last name", "text", (50, 172, 200, 20), cells=10, required=True),
        PdfField("agree", "tick", (300, 180, 12, 12)),
        PdfField("answer", "choice", (50, 272, 200, 20), choices=("Yes", "No")),
        PdfField("signed", "signature", (50, 372, 200, 20)),
    ]
    assert hidden.box[2:] == (0, 0)


def test_boxes_are_those_of_the_page_as_it_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "form.pdf"
    path.write_bytes(fillable_pdf(WIDGETS[:1], "/Rotate 90/CropBox[0 392 612 792]"))
    (field,) = read_form_fields(path, 144, Limits())
    assert read_page(path, 1, 144, Limits()).shape == (1224, 800)
    assert field.box == (416, 100, 40, 400)


def test_files_without_form_fields(tmp_path: Path) -> None:
    path = tmp_path / "form.pdf"
    path.write_bytes(fillable_pdf(()))
    assert read_form_fields(path, 72, Limits()) == ()
    assert read_form_fields(ROOT / "examples" / "form" / "blank.png", 72, Limits()) == ()
    path.write_bytes(b"%PDF-1.7\nnothing")
    with pytest.raises(ScanError) as caught:
        read_form_fields(path, 72, Limits())
    assert caught.value.code is ErrorCode.NOT_AN_IMAGE
