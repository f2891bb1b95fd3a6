"""Write the CSV files of a job: the headers, the rows, and the escaping of formulas."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import re
from collections.abc import Iterator
from typing import Any

from lettermill.jobs.inputs.form_template import Template, header
from lettermill.jobs.job.corrections import Correction
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import LineReading, PageReading
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.settings import MARKS
from lettermill.jobs.storage.display import display_path

LETTERS_FILE = "letters.csv"
LINES_FILE = "lines.csv"
PAGES_FILE = "pages.csv"
FIELDS_FILE = "fields.csv"

READ_LETTER_HEADER = (
    "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
    "third,third_confidence,flagged"
)
CELL_COLUMNS = "cell_row,cell"
LETTER_HEADER = f"{READ_LETTER_HEADER},decision,corrected,corrected_by,by_ink,{CELL_COLUMNS}"
LINE_HEADER = (
    "scan,page,line,x,y,width,height,text,letters,mean_confidence,min_confidence,flagged_letters,"
    "lexicon_text,field,field_confidence"
)
PAGE_HEADER = (
    "scan,page,status,error_code,error,text,lines,letters,mean_confidence,flagged_letters,"
    "skew_degrees,seconds,attempts,quality"
)


_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""How a cell begins that a spreadsheet would run; the wide forms count in East Asian spreadsheets. Leading
apostrophes are skipped, so that the one that `escape_formula` adds can be told from those of the text."""

_ROW_END = "\r\n"
NOTHING_BY_INK = "none"
"""In `by_ink`: the ink alone gives no letter there."""

_NO_CHOICE = ",,"
_NO_DECISION = ",,,"
_NO_CELL = ","


def escape_formula(cell: str) -> str:
    """Return a cell's text so that no spreadsheet runs it: a formula gets a leading apostrophe."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Return the text from which `escape_formula` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class CsvTables:
    """The CSV files of a job while they are written; fields.csv is among them if the job has a template.

    Args:
        job: the job.
        stack: closes the files. Only then do they get their names.
    """

    def __init__(self, job: Job, stack: contextlib.ExitStack) -> None:
        self._letters, lines, pages = (
            stack.enter_context((job.path / name).atomic_write())
            for name in (LETTERS_FILE, LINES_FILE, PAGES_FILE)
        )
        self._lines, self._pages = (csv.writer(file, lineterminator=_ROW_END) for file in (lines, pages))
        self._letters.write(LETTER_HEADER + _ROW_END)
        self._lines.writerow(LINE_HEADER.split(","))
        self._pages.writerow(PAGE_HEADER.split(","))
        self._fields = self._template = None
        if job.template:
            fields = stack.enter_context((job.path / FIELDS_FILE).atomic_write())
            self._template = job.template
            self._fields = csv.writer(fields, lineterminator=_ROW_END)
            self._fields.writerow(header(job.template))

    def add(
        self,
        reading: PageReading,
        now: PageReading,
        texts: list[str],
        decisions: dict[tuple[int, int], Correction],
    ) -> None:
        """Write the rows of a page.

        Args:
            reading: the page as it was read.
            now: the page with people's corrections; a field in which nothing was found may be one more line.
            texts: the texts of its lines, made once by the caller: they cost as much as the rest of a row.
            decisions: people's decisions about its letters, by line and position.
        """
        place = [escape_formula(display_path(reading.scan)), reading.page]
        for number, (line_now, text) in enumerate(zip(now.lines, texts, strict=True), 1):
            if number <= len(reading.lines):
                said = {position: one for (at, position), one in decisions.items() if at == number}
                read = reading.lines[number - 1]
                self._letters.writelines(_letter_rows(_row(*place, number), read, said))
            self._lines.writerow([*place, number, *_line_cells(line_now, text)])
        self._pages.writerow([*place, *_page_cells(now, "\n".join(filter(None, texts)))])
        if self._fields and self._template:
            self._fields.writerow([*place, *_field_cells(self._template, now)])


def _letter_rows(place: str, line: LineReading, said: dict[int, Correction]) -> Iterator[str]:
    # There are millions of letters, and csv.writer would take twice as long for their rows.
    for position, letter in enumerate(line.letters, 1):
        box, ranking, decision = letter.box, letter.ranking[:3], _NO_DECISION
        by_ink = "" if letter.by_ink is None else _letter_cell(letter.by_ink or NOTHING_BY_INK)
        cell = _NO_CELL if letter.cell is None else f"{letter.cell[0]},{letter.cell[1]}"
        if position in said:
            letter = said[position].applied_to(letter)
            decision = f",{_decision_cells(said[position])}"
        choices = ",".join([f"{_letter_cell(char)},{confidence:.4f}" for char, confidence in ranking])
        yield (
            f"{place},{letter.word},{position},{box.x},{box.y},{box.width},{box.height},"
            f"{choices}{_NO_CHOICE * (3 - len(ranking))},{letter.flagged:d}{decision},{by_ink},{cell}"
            f"{_ROW_END}"
        )


def _decision_cells(correction: Correction) -> str:
    said, by = _letter_text(correction.corrected), escape_formula(display_path(correction.by))
    return _row(correction.decision.value, said, by)


def _row(*cells: object) -> str:
    """Return cells as the beginning of a CSV row, without the end of the line."""
    row = io.StringIO()
    csv.writer(row, lineterminator=_ROW_END).writerow(cells)
    return row.getvalue().removesuffix(_ROW_END)


@functools.lru_cache
def _letter_cell(char: str) -> str:
    return _row(_letter_text(char))


def _letter_text(char: str) -> str:
    # A hyphen alone is no formula, and stands as itself.
    return char if char in MARKS else escape_formula(char)


def _line_cells(line: LineReading, text: str) -> list[Any]:
    confidences = [letter.confidence for letter in line.letters if letter.letter]
    box = line.box
    return [
        *(box.x, box.y, box.width, box.height),
        escape_formula(text),
        len(confidences),
        _mean(confidences),
        f"{min(confidences):.4f}" if confidences else "",
        sum(letter.flagged for letter in line.letters),
        escape_formula(line.lexicon_text),
        line.field,
        "" if line.confidence is None else f"{line.confidence:.4f}",
    ]


def _page_cells(reading: PageReading, text: str) -> list[Any]:
    letters = reading.letters
    return [
        reading.status.value,
        reading.error_code.value if reading.error_code else "",
        escape_formula(reading.error),
        escape_formula(text),
        len(reading.lines),
        len(letters),
        _mean([letter.confidence for letter in letters]),
        sum(letter.flagged for letter in letters),
        f"{round(reading.skew_degrees, 2) + 0.0:.2f}",  # Adding zero turns -0.0 into 0.0.
        f"{reading.seconds:.3f}",
        reading.attempts,
        escape_formula(" ".join(reading.quality)),
    ]


def _field_cells(template: Template, reading: PageReading) -> list[Any]:
    form = form_values(template, reading)
    cells: list[Any] = [reading.status.value, int(form.flagged), " ".join(form.look_at)]
    for value in form.values:
        cells += [escape_formula(value.text), "" if value.confidence is None else f"{value.confidence:.4f}"]
    return cells + [escape_formula(cell) for cell in form.meant]


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f}" if values else ""
