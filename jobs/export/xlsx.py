"""Write Excel: the tables as sheets; for forms, the sheet of fields comes first.

Texts become text cells: no formula runs, and no leading zero is lost.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.export.common import Destination, PutPages, printable
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER, Cell, form_row, letter_rows, line_rows, page_row
from lettermill.jobs.inputs.form_template import header
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER
from lettermill.jobs.results.scan_pages import by_scan

_MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
"""The limits of a sheet and of a cell."""

_OPTIONS = {
    "constant_memory": True,  # Rows go to the disk as they come; each sheet gets its rows in order.
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@contextlib.contextmanager
def xlsx(job: Job, destination: Destination) -> Iterator[PutPages]:
    """Write the file; see `Format.writer`."""
    import xlsxwriter  # Here, not above: the other formats do not need it.

    _check_limits(job)
    template = job.template
    with (
        destination.place.atomic_write() as file,
        xlsxwriter.Workbook(file.buffer, _OPTIONS) as book,
    ):
        # The same readings give the same bytes.
        book.set_properties({"created": dt.datetime.fromisoformat(job.created).astimezone(dt.UTC)})
        forms = _Sheet(book.add_worksheet("fields"), header(template)) if template else None
        pages, lines, letters = (
            _Sheet(book.add_worksheet(name), columns.split(","))
            for name, columns in (
                ("pages", PAGE_HEADER),
                ("lines", LINE_HEADER),
                ("letters", TYPED_LETTER_HEADER),
            )
        )

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                if forms and template:
                    forms.add(form_row(template, reading))
                pages.add(page_row(reading))
                for row in line_rows(reading):
                    lines.add(row)
                for row in letter_rows(reading):
                    letters.add(row)

        yield put
        for sheet in filter(None, (forms, pages, lines, letters)):
            sheet.add_filter()


class _Sheet:
    """A sheet whose header stays in sight."""

    def __init__(self, sheet: Any, columns: Sequence[str]) -> None:
        self._sheet = sheet
        self._row = 0
        self._columns = len(columns)
        self.add(columns)
        sheet.freeze_panes(1, 0)

    def add(self, cells: Sequence[Cell]) -> None:
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                self._sheet.write_string(self._row, column, cell)
            elif cell is not None:
                self._sheet.write_number(self._row, column, cell)
        self._row += 1

    def add_filter(self) -> None:
        """Let the header filter the rows; to be called when all are there."""
        self._sheet.autofilter(0, 0, self._row - 1, self._columns - 1)


def _check_limits(job: Job) -> None:
    """Check before anything is written that the job fits: half a job in a sheet helps nobody.

    Raises:
        UsageProblem: a cell or a sheet would be too large.
    """
    pages = letters = 0
    for _, results in by_scan(job):
        for entry, reading in results:
            pages += 1
            if not isinstance(reading, PageReading):
                continue
            letters += len(reading.letters)
            if len(reading.text) > _MOST_CHARACTERS:
                raise UsageProblem(
                    f"page {entry.page} of {printable(entry.scan)!r} has {len(reading.text)} characters, "
                    f"and a cell of Excel holds {_MOST_CHARACTERS}",
                    "Use --format parquet or jsonl, which have no such limit.",
                )
    # There are at most as many lines as letters; one row is the header.
    if max(pages, letters) >= _MOST_ROWS:
        raise UsageProblem(
            f"the job has {pages} pages and {letters} letters, and a sheet of Excel holds {_MOST_ROWS} rows",
            "Use --format parquet, which has no such limit.",
        )
