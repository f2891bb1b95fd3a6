"""The rows of the tables as numbers and texts."""

from __future__ import annotations

import csv

from lettermill.jobs.export.rows import TYPED_LETTER_HEADER, letter_rows, line_rows, page_row
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER, unescape_formula
from lettermill.jobs.results.write import write_results


def test_they_are_those_of_the_csv_files(job: Job) -> None:
    write_results(job)
    readings = [job.results.read(entry.id) for entry, _ in job.manifest()]
    # Names with controls are written in another way.
    known = [one for one in readings if isinstance(one, PageReading) and "\\" not in repr(one.scan)]
    for name, header, rows in (
        ("letters", TYPED_LETTER_HEADER, [row for reading in known for row in letter_rows(reading)]),
        ("lines", LINE_HEADER, [row for reading in known for row in line_rows(reading)]),
        ("pages", PAGE_HEADER, [page_row(reading) for reading in known]),
    ):
        columns = header.split(",")
        with (job.path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            scans = {reading.scan for reading in known}
            wanted = [row for row in csv.DictReader(file) if unescape_formula(row["scan"]) in scans]
        assert len(rows) == len(wanted) > 0
        for row, cells in zip(rows, wanted, strict=True):
            for column, cell in zip(columns, row, strict=True):
                written = unescape_formula(cells[column])
                if isinstance(cell, bool | int | float):
                    assert float(written) == float(cell), column
                else:
                    assert written == (cell or ""), column
