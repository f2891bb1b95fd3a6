"""Excel: the tables as texts and numbers, and jobs that are too large."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import msgspec
import openpyxl
import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.export import xlsx
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER
from lettermill.jobs.results.write import write_results
from tests.exports import ODD
from tests.form_jobs import field, form_job


def test_excel_has_the_three_tables_as_texts_and_numbers(job: Job) -> None:
    write_results(job)
    export_job(job, FORMATS["xlsx"], None)
    book = openpyxl.load_workbook(job.path / "export" / "tables.xlsx")
    for name, header in (("pages", PAGE_HEADER), ("lines", LINE_HEADER), ("letters", TYPED_LETTER_HEADER)):
        rows = list(book[name].iter_rows())
        assert [cell.value for cell in rows[0]] == header.split(",")
        assert not any(cell.data_type == "f" for row in rows for cell in row)
        with (job.path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.reader(file))
        assert len(rows) == len(table)
        for row, cells in zip(rows[1:], table[1:], strict=True):
            for cell, wanted in zip(row[1:], cells[1 : len(row)], strict=True):
                if isinstance(cell.value, int | float):
                    assert float(wanted) == cell.value
                else:
                    assert wanted.removeprefix("'") == (cell.value or "")
    lines = list(book["lines"].iter_rows(min_row=2, values_only=True))
    assert {row[0] for row in lines} >= {"=cmd|x.png", "007.png"}
    assert lines[1][7] == "0"  # A text: as a number it would have lost its leading zeros.


def test_the_header_stays_in_sight_and_filters(job: Job) -> None:
    book = openpyxl.load_workbook(str(export_job(job, FORMATS["xlsx"], None).place))
    for sheet in book.worksheets:
        assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", sheet.dimensions)


def test_excel_says_before_it_writes_that_a_sheet_is_too_small(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 4 * (len(ODD) + 1))
    with pytest.raises(UsageProblem, match="letters, and a sheet of Excel holds") as caught:
        export_job(job, FORMATS["xlsx"], None)
    assert "parquet" in str(caught.value)
    assert not list((job.path / "export").iterdir())
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 4 * (len(ODD) + 1) + 1)
    assert export_job(job, FORMATS["xlsx"], None).pages
    monkeypatch.setattr(xlsx, "_MOST_CHARACTERS", 5)
    with pytest.raises(UsageProblem, match="6 characters"):
        export_job(job, FORMATS["xlsx"], None)


def test_doubtful_fields_are_yellow_and_lead_to_their_picture(
    tmp_path: Path, scans: Path, model: Model
) -> None:
    doubtful, number = field("surname", "FENVICK", 0.6), field("number", "0042")
    town = msgspec.structs.replace(field("surname", "A"), lexicon_text="1987-03-01")
    job = form_job(tmp_path, scans, model, (doubtful, number), (field("surname", "SURE"),), (town, number))
    book = openpyxl.load_workbook(str(export_job(job, FORMATS["xlsx"], None).place))
    sheet, pictures = book["fields"], book["pictures"]
    names = [cell.value for cell in sheet[1]]
    yellow = {
        (cell.row, names[cell.column - 1]): cell.hyperlink.location
        for row in sheet.iter_rows(min_row=2)
        for cell in row
        if cell.fill.fgColor.rgb == "FFFFEB84" and cell.hyperlink
    }
    assert yellow == {(2, "surname"): "'pictures'!A2", (3, "number"): "'pictures'!A3"}
    first = dict(zip(names, (cell.value for cell in sheet[2]), strict=True))
    assert (first["surname"], first["number"]) == ("FENVICK", "0042")
    assert dt.datetime(1987, 3, 1) in [cell.value for cell in sheet[4]]
    folded = [name for name, column in sheet.column_dimensions.items() if column.hidden]
    assert [sheet[f"{name}1"].value for name in folded] == [
        "surname_confidence",
        "number_confidence",
        "town_confidence",
    ]
    rows = list(pictures.iter_rows(min_row=2, values_only=True))
    assert [row[:5] for row in rows] == [
        ("0.png", 1, "surname", "FENVICK", "letters doubtful"),
        ("1.png", 1, "number", "", "empty, but required"),
    ]
    assert [image.anchor._from.row for image in pictures._images] == [1, 2]


def test_a_scan_that_is_gone_leaves_the_field_yellow(tmp_path: Path, scans: Path, model: Model) -> None:
    job = form_job(tmp_path, scans, model, (field("surname", "FENVICK", 0.6), field("number", "0042")))
    (scans / "0.png").unlink()
    sheet = openpyxl.load_workbook(str(export_job(job, FORMATS["xlsx"], None).place))["fields"]
    (cell,) = [cell for cell in sheet[2] if cell.value == "FENVICK"]
    assert cell.fill.fgColor.rgb == "FFFFEB84" and cell.hyperlink is None
