"""Collecting: the readings of a job become CSV files, texts and a summary, while it runs or afterwards.

Every file appears whole or not at all. Pages are read one after the other in the order of the manifest, so
memory stays flat however large the job, and the same readings give the same bytes.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime as dt
import functools
import io
import itertools
import json
import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.inputs.form_template import Template, header
from lettermill.jobs.job.corrections import Correction, Corrections, corrected
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import READ, LineReading, PageReading, Status
from lettermill.jobs.results import report
from lettermill.jobs.results.flagging import Flagging
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.results.summary import Counting, Summary
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.scan_files import scan_files

FIELDS_FILE = "fields.csv"

READ_LETTER_HEADER = (
    "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
    "third,third_confidence,flagged"
)
LETTER_HEADER = f"{READ_LETTER_HEADER},decision,corrected,corrected_by"
LINE_HEADER = (
    "scan,page,line,x,y,width,height,text,letters,mean_confidence,min_confidence,flagged_letters,"
    "lexicon_text,field"
)
PAGE_HEADER = (
    "scan,page,status,error_code,error,text,lines,letters,mean_confidence,flagged_letters,"
    "skew_degrees,seconds,attempts,quality"
)


_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""How a cell starts that a spreadsheet would run; the wide forms count in East Asian spreadsheets. Leading
apostrophes are looked past, so that what `inert` adds can be told from what was there."""

_ROW_END = "\r\n"
_NO_CHOICE = ",,"
_NO_DECISION = ",,,"

_TEXT_SUFFIX = ".txt"


def write_results(job: Job, accept_at: float | None = None) -> Summary:
    """Write the job's CSV files, texts, summary.json and the report from the results that are there.

    A result file that is damaged stops nothing: its page counts as unfinished and is named in the summary;
    `lettermill resume` has it read again.

    Args:
        job: the job; it may still be running.
        accept_at: flag letters so that those that are not flagged are expected to be right at this rate,
            0–1; the results are read twice then. None keeps the flags of the job's settings.

    What people decided about letters (`corrections`) stands beside what was read in letters.csv, and in
    its place in all other files.

    Returns:
        The counts, as they stand in summary.json.

    Raises:
        NotAJob: the manifest is missing or damaged, or the corrections cannot be read.
        ResultsNotWritable: the job folder does not take the files.
    """
    with job.lock():
        flagging = flagging_of(job, accept_at)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        counting = Counting(job, now, job.cancelled, flagging)
        texts = scan_files(job.path / "text", _TEXT_SUFFIX, own=True)
        corrections = Corrections(job)
        with contextlib.ExitStack() as stack:
            tables = _Tables(job, stack)
            for scan, pages in by_scan(job):
                text = [_page_text(page, result, counting, tables, corrections) for page, result in pages]
                if any(page is not None for page in text):
                    texts.add(scan, "\f".join(page or "" for page in text).encode())
        texts.finish()
        job.path.remove_abandoned()
        summary = dataclasses.replace(counting.summary(), reviewed=corrections.count())
        (job.path / "summary.json").write(f"{json.dumps(summary.to_json(), indent=1)}\n".encode())
        (job.path / "summary.html").write(report.write_overlays_and_page(summary).encode())
    return summary


_Page = tuple[ManifestEntry, PageReading | NotAJob | None]


def by_scan(job: Job) -> Iterator[tuple[str, Iterator[_Page]]]:
    """Yield a job's scans in the order of the results, each with its pages and their `PageResults.read_each`.

    A scan's pages have to be taken before the next scan is.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    entries, again = itertools.tee(entry for entry, _ in job.manifest())
    results = job.results.read_each(entry.id for entry in again)
    for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
        yield scan, ((page, next(results)[1]) for page in pages)


def cancelled_page(entry: ManifestEntry, why: str) -> PageReading:
    """Return what stands for a page that was not begun when its job was stopped."""
    return PageReading(entry.id, entry.scan, entry.page, Status.CANCELLED, error=why, attempts=0)


def flagging_of(job: Job, accept_at: float | None) -> Flagging:
    """Return how a job's letters are flagged for a rate, as `collect` takes it; its results are read.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    below = job.settings.flag_below
    if accept_at is None:
        return Flagging(None, below, below)
    results = job.results.read_each(entry.id for entry, _ in job.manifest())
    readings = (reading for _, reading in results if isinstance(reading, PageReading))
    return Flagging.at(accept_at, readings, below)


def inert(cell: str) -> str:
    """Return a text cell that no spreadsheet runs: what looks like a formula gets a leading apostrophe."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def not_inert(cell: str) -> str:
    """Return the text that `inert` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _page_text(
    entry: ManifestEntry,
    reading: PageReading | NotAJob | None,
    counting: Counting,
    tables: _Tables,
    corrections: Corrections,
) -> str | None:
    """Count a page, write its rows, and return its text; None where nothing was read."""
    counting.add_page(entry)
    if isinstance(reading, NotAJob):
        counting.add_damaged(entry.id)
        return None
    if reading is None:
        if counting.cancelled is None:
            return None
        reading = cancelled_page(entry, counting.cancelled)
    counting.add_as_read(reading)
    reading = counting.flagging.applied(reading)
    decisions = corrections.of_page(reading)
    now = corrected(reading, decisions)
    counting.add_reading(entry, now)
    texts = [line.text for line in now.lines]
    tables.add(reading, now, texts, decisions)
    return "".join([f"{text}\n" for text in texts if text]) if now.status in READ else None


class _Tables:
    """The CSV files while they are written: fields.csv too where the job has a template.

    Args:
        job: the job.
        stack: closes the files, which makes them appear.
    """

    def __init__(self, job: Job, stack: contextlib.ExitStack) -> None:
        self._letters, lines, pages = (
            stack.enter_context((job.path / name).atomic_write())
            for name in ("letters.csv", "lines.csv", "pages.csv")
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
            reading: as it was read.
            now: as people say it reads.
            texts: of its lines; they are made once, for they take as long as the rest of a row.
            decisions: what they said of its letters, by line and position.
        """
        place = [inert(display_path(reading.scan)), reading.page]
        lines = zip(reading.lines, now.lines, texts, strict=True)
        for number, (line, line_now, text) in enumerate(lines, 1):
            said = {position: one for (at, position), one in decisions.items() if at == number}
            self._letters.writelines(_letter_rows(_row(*place, number), line, said))
            self._lines.writerow([*place, number, *_line_cells(line_now, text)])
        self._pages.writerow([*place, *_page_cells(now, "\n".join(filter(None, texts)))])
        if self._fields and self._template:
            self._fields.writerow([*place, *_field_cells(self._template, now)])


def _letter_rows(place: str, line: LineReading, said: dict[int, Correction]) -> Iterator[str]:
    # There are millions of letters, and csv.writer takes twice as long for their rows.
    for position, letter in enumerate(line.letters, 1):
        box, ranking, decision = letter.box, letter.ranking[:3], _NO_DECISION
        if position in said:
            letter = said[position].applied_to(letter)
            decision = f",{_decision_cells(said[position])}"
        choices = ",".join([f"{_letter_cell(char)},{sure:.4f}" for char, sure in ranking])
        yield (
            f"{place},{letter.word},{position},{box.x},{box.y},{box.width},{box.height},"
            f"{choices}{_NO_CHOICE * (3 - len(ranking))},{letter.flagged:d}{decision}{_ROW_END}"
        )


def _decision_cells(correction: Correction) -> str:
    return _row(correction.decision.value, inert(correction.corrected), inert(display_path(correction.by)))


def _row(*cells: object) -> str:
    """Return cells as they stand in a row, which goes on."""
    row = io.StringIO()
    csv.writer(row, lineterminator=_ROW_END).writerow(cells)
    return row.getvalue().removesuffix(_ROW_END)


@functools.lru_cache
def _letter_cell(char: str) -> str:
    return _row(inert(char))


def _line_cells(line: LineReading, text: str) -> list[Any]:
    sure = [letter.confidence for letter in line.letters if letter.letter]
    box = line.box
    return [
        *(box.x, box.y, box.width, box.height),
        inert(text),
        len(sure),
        _mean(sure),
        f"{min(sure):.4f}" if sure else "",
        sum(letter.flagged for letter in line.letters),
        inert(line.lexicon_text),
        line.field,
    ]


def _page_cells(reading: PageReading, text: str) -> list[Any]:
    letters = reading.letters
    return [
        reading.status.value,
        reading.error_code.value if reading.error_code else "",
        inert(reading.error),
        inert(text),
        len(reading.lines),
        len(letters),
        _mean([letter.confidence for letter in letters]),
        sum(letter.flagged for letter in letters),
        f"{round(reading.skew_degrees, 2) + 0.0:.2f}",  # Adding zero turns -0.0 into 0.0.
        f"{reading.seconds:.3f}",
        reading.attempts,
        inert(" ".join(reading.quality)),
    ]


def _field_cells(template: Template, reading: PageReading) -> list[Any]:
    form = form_values(template, reading)
    cells: list[Any] = [reading.status.value, int(form.flagged), " ".join(form.look_at)]
    for value in form.values:
        cells += [inert(value.text), "" if value.confidence is None else f"{value.confidence:.4f}"]
    return cells


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f}" if values else ""
