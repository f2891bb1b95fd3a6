"""Write Excel: the tables as sheets; for forms, the sheet of fields comes first.

Texts become text cells: no formula runs, and no leading zero is lost. Doubtful fields are coloured, and each
leads to its picture on a sheet of pictures.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ScanError, UsageProblem
from lettermill.jobs.export.common import Destination, PutPages, printable
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER, Cell, form_row, letter_rows, line_rows, page_row
from lettermill.jobs.inputs.form_template import Template, header
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.csv_tables import LINE_HEADER, PAGE_HEADER
from lettermill.jobs.results.field_place import field_crop, place_of
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.results.letter_crop import page_pixels
from lettermill.jobs.results.scan_pages import by_scan

_MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
"""The limits of a sheet and of a cell."""

_MOST_PICTURES = 5_000
"""How many doubtful fields get their picture: about 4 kB each."""

_PICTURE_PIXELS = (640, 64)
"""The largest picture of a field."""

_ISO_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")
"""A date that Excel can hold as one: its days begin in 1900."""

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
        forms = _Fields(book, template) if template else None
        pages, lines, letters = (
            _Sheet(book.add_worksheet(name), columns.split(","))
            for name, columns in (
                ("pages", PAGE_HEADER),
                ("lines", LINE_HEADER),
                ("letters", TYPED_LETTER_HEADER),
            )
        )

        pictures = _Pictures(book.add_worksheet("pictures"), job) if template else None

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                if forms and pictures and template:
                    doubts = [value.doubt for value in form_values(template, reading).values]
                    links = pictures.add_form(entry, template, reading, doubts)
                    forms.add_form(form_row(template, reading), doubts, links)
                pages.add(page_row(reading))
                for row in line_rows(reading):
                    lines.add(row)
                for row in letter_rows(reading):
                    letters.add(row)

        yield put
        for sheet in filter(None, (forms, pages, lines, letters, pictures)):
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
            self._write(column, cell)
        self._row += 1

    def _write(self, column: int, cell: Cell, look: Any = None) -> None:
        if isinstance(cell, str):
            self._sheet.write_string(self._row, column, cell, look)
        elif cell is not None:
            self._sheet.write_number(self._row, column, cell, look)
        elif look:
            self._sheet.write_blank(self._row, column, None, look)

    def add_filter(self) -> None:
        """Let the header filter the rows; to be called when all are there."""
        self._sheet.autofilter(0, 0, self._row - 1, self._columns - 1)


class _Fields(_Sheet):
    """The sheet of a form's fields; their confidences are folded away."""

    def __init__(self, book: Any, template: Template) -> None:
        sheet = book.add_worksheet("fields")
        columns = header(template)
        self._first = len(columns) - 2 * len(template.fields)
        sheet.set_column(0, self._first - 1, 12)
        for column in range(self._first, len(columns), 2):
            sheet.set_column(column, column, 20)
            sheet.set_column(column + 1, column + 1, 12, None, {"level": 1, "hidden": True})
        super().__init__(sheet, columns)
        self._date = book.add_format({"num_format": "yyyy-mm-dd"})
        self._doubtful = book.add_format({"bg_color": "#FFEB84"})

    def add_form(self, cells: Sequence[Cell], doubts: Sequence[str], links: Sequence[str]) -> None:
        """Add the row of a page.

        Args:
            cells: in the columns of `header`.
            doubts: why each field is doubtful; empty where it is not.
            links: the place of each field's picture; empty where there is none.
        """
        for column, cell in enumerate(cells):
            field, is_confidence = divmod(column - self._first, 2)
            if field < 0 or is_confidence:
                self._write(column, cell)
                continue
            date = _date(cell)
            if links[field]:
                text = str(cell or "")
                self._sheet.write_url(self._row, column, links[field], self._doubtful, text, doubts[field])
            elif doubts[field]:
                self._write(column, cell, self._doubtful)
            elif date:
                self._sheet.write_datetime(self._row, column, date, self._date)
            else:
                self._write(column, cell)
        self._row += 1


class _Pictures(_Sheet):
    """The sheet with the pictures of doubtful fields."""

    def __init__(self, sheet: Any, job: Job) -> None:
        self._job = job
        sheet.set_column(0, 4, 20)
        sheet.set_column(5, 5, 90)
        super().__init__(sheet, ["scan", "page", "field", "read", "doubt", "picture"])

    def add_form(
        self, entry: ManifestEntry, template: Template, reading: PageReading, doubts: Sequence[str]
    ) -> list[str]:
        """Add a row for each doubtful field of a page.

        Args:
            entry: a page of the scan.
            template: the form.
            reading: the page.
            doubts: why each field is doubtful; empty where it is not.

        Returns:
            The place of each field's picture; empty where there is none, or the scan cannot be opened.
        """
        links = [""] * len(doubts)
        if self._row > _MOST_PICTURES or not any(doubts):
            return links
        try:
            pixels = page_pixels(self._job, msgspec.structs.replace(entry, page=reading.page))
        except ScanError:  # The row of the page says what was read; the review says why there is no picture.
            return links
        values = form_values(template, reading).values
        for number, (field, value) in enumerate(zip(template.fields, values, strict=True)):
            if value.doubt:
                self._sheet.set_row_pixels(self._row, _PICTURE_PIXELS[1] + 4)
                picture = _jpeg(field_crop(pixels, place_of(template, reading, field.name)))
                self._sheet.insert_image(self._row, 5, f"{self._row}.jpg", {"image_data": picture})
                links[number] = f"internal:'pictures'!A{self._row + 1}"
                self.add([printable(reading.scan), reading.page, field.name, value.text, value.doubt])
        return links


def _jpeg(pixels: NDArray[np.uint8]) -> io.BytesIO:
    import PIL.Image

    picture = PIL.Image.fromarray(pixels)
    picture.thumbnail(_PICTURE_PIXELS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    return file


def _date(cell: Cell) -> dt.date | None:
    """Return the date that a text is; None if it is no date."""
    if not isinstance(cell, str) or not _ISO_DATE.fullmatch(cell):
        return None
    try:
        return dt.date.fromisoformat(cell)
    except ValueError:  # The 30th of February.
        return None


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
