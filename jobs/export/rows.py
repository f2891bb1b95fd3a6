"""Make the rows of the CSV files as numbers and texts, for formats that have types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lettermill.jobs.export.common import printable
from lettermill.jobs.inputs.form_template import Template
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.csv_tables import CELL_COLUMNS, READ_LETTER_HEADER
from lettermill.jobs.results.form_values import form_values

Cell = str | int | float | None
"""None is an empty cell."""

TYPED_LETTER_HEADER = f"{READ_LETTER_HEADER},{CELL_COLUMNS}"
"""The columns of letters.csv without those of the review and of the context."""

_DECIMALS = 4


def letter_rows(reading: PageReading) -> Iterator[list[Cell]]:
    """Yield one row per letter, in the columns of `TYPED_LETTER_HEADER`."""
    scan = printable(reading.scan)
    for number, line in enumerate(reading.lines, 1):
        for position, letter in enumerate(line.letters, 1):
            choices: list[Cell] = []
            for char, confidence in letter.ranking[:3]:
                choices += [char, round(confidence, _DECIMALS)]
            choices += [None] * (6 - len(choices))
            box = letter.box
            place = [reading.page, number, letter.word, position, box.x, box.y, box.width, box.height]
            yield [scan, *place, *choices, letter.flagged, *(letter.cell or (None, None))]


def line_rows(reading: PageReading) -> Iterator[list[Cell]]:
    """Yield one row per line, in the columns of `LINE_HEADER`."""
    for number, line in enumerate(reading.lines, 1):
        confidences = [letter.confidence for letter in line.letters]
        box = line.box
        yield [
            printable(reading.scan),
            *(reading.page, number, box.x, box.y, box.width, box.height),
            *(line.text, len(confidences), _mean(confidences), round(min(confidences), _DECIMALS)),
            sum(letter.flagged for letter in line.letters),
            line.lexicon_text,
            line.field,
            None if line.confidence is None else round(line.confidence, _DECIMALS),
        ]


def page_row(reading: PageReading) -> list[Cell]:
    """Return the row of a page, in the columns of `PAGE_HEADER`."""
    letters = reading.letters
    return [
        printable(reading.scan),
        *(reading.page, reading.status.value, reading.error_code and reading.error_code.value),
        *(reading.error, reading.text, len(reading.lines), len(letters)),
        _mean([letter.confidence for letter in letters]),
        sum(letter.flagged for letter in letters),
        *(round(reading.skew_degrees, 2), reading.seconds, reading.attempts, " ".join(reading.quality)),
    ]


def form_row(template: Template, reading: PageReading) -> list[Cell]:
    """Return the row of a page as the copy of a form, in the columns of `template.header`."""
    form = form_values(template, reading)
    cells: list[Cell] = []
    for value in form.values:
        confidence = None if value.confidence is None else round(value.confidence, _DECIMALS)
        cells += [value.text or None, confidence]
    look_at = " ".join(form.look_at) or None
    meant = [cell or None for cell in form.meant]
    return [
        printable(reading.scan),
        reading.page,
        reading.status.value,
        form.flagged,
        look_at,
        *cells,
        *meant,
    ]


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), _DECIMALS) if values else None
