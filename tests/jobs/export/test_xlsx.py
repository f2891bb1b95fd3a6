"""Excel: the tables as texts and numbers, and jobs that are too large."""

from __future__ import annotations

import csv

import openpyxl
import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.export import xlsx
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER
from lettermill.jobs.results.write import write_results
from tests.exports import ODD


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
