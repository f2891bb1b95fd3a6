"""Collecting: the readings of a job become CSV files, texts and a summary, while it runs or afterwards.

Every file appears whole or not at all. Pages are read one after the other in the order of the manifest, so
memory stays flat however large the job, and the same readings give the same bytes.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime as dt
import errno
import functools
import hashlib
import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

from jobs import report
from jobs.ahead import in_order
from jobs.corrections import Correction, Corrections, corrected
from jobs.errors import NotAJob
from jobs.files import TEMPORARY, put, put_whole, shown
from jobs.job import Job
from jobs.manifest import ManifestEntry
from jobs.places import Disk, Place
from jobs.readings import READ, LineReading, PageReading, Status
from jobs.summary import Counting, Summary

LETTER_HEADER = (
    "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
    "third,third_confidence,flagged,decision,corrected,corrected_by"
)
LINE_HEADER = (
    "scan,page,line,x,y,width,height,text,letters,mean_confidence,min_confidence,flagged_letters,lexicon_text"
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
_DIGEST_LENGTH = 12

_LONGEST_OBJECT_NAME = 800
"""Bytes: keys end at 1,024, and the job's prefix comes before."""

_AT_ONCE = 256
"""Texts that wait until they are written to an object store together."""

_NO_PLACE = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})
"""Error numbers of a path that no file can have: others have its names, or it is too long."""


def collect(job: Job) -> Summary:
    """Write the job's CSV files, texts, summary.json and summary.html from the results that are there.

    A result file that is damaged stops nothing: its page counts as unfinished and is named in the summary;
    `lettermill resume` has it read again.

    Args:
        job: the job; it may still be running.

    What people decided about letters (`jobs.corrections`) stands beside what was read in letters.csv, and in
    its place in all other files.

    Returns:
        The counts, as they stand in summary.json.

    Raises:
        NotAJob: the manifest is missing or damaged, or the corrections cannot be read.
        ResultsNotWritable: the job folder does not take the files.
    """
    with job.lock():
        counting = Counting(job, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), job.cancelled)
        folder = job.path / "text"
        texts = _Texts(folder) if isinstance(folder, Disk) else _TextObjects(folder)
        corrections = Corrections(job)
        with contextlib.ExitStack() as stack:
            tables = _Tables(job, stack)
            entries, again = itertools.tee(entry for entry, _ in job.manifest())
            results = job.read_results(entry.id for entry in again)
            for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
                told = [_page_text(page, next(results)[1], counting, tables, corrections) for page in pages]
                texts.add(scan, told)
        texts.finish()
        job.path.remove_abandoned()
        summary = dataclasses.replace(counting.summary(), reviewed=corrections.count())
        (job.path / "summary.json").write(f"{json.dumps(summary.to_json(), indent=1)}\n".encode())
        (job.path / "summary.html").write(report.to_html(summary).encode())
    return summary


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
        reading = PageReading(
            entry.id, entry.scan, entry.page, Status.CANCELLED, error=counting.cancelled, attempts=0
        )
    decisions = corrections.of_page(reading)
    now = corrected(reading, decisions)
    counting.add_reading(entry, now)
    tables.add(reading, now, decisions)
    return "".join(f"{text}\n" for line in now.lines if (text := line.text)) if now.status in READ else None


class _Tables:
    """The three CSV files while they are written.

    Args:
        job: the job.
        stack: closes the files, which makes them appear.
    """

    def __init__(self, job: Job, stack: contextlib.ExitStack) -> None:
        self._letters, lines, pages = (
            stack.enter_context((job.path / name).written_whole())
            for name in ("letters.csv", "lines.csv", "pages.csv")
        )
        self._lines, self._pages = (csv.writer(file, lineterminator=_ROW_END) for file in (lines, pages))
        self._letters.write(LETTER_HEADER + _ROW_END)
        self._lines.writerow(LINE_HEADER.split(","))
        self._pages.writerow(PAGE_HEADER.split(","))

    def add(
        self, reading: PageReading, now: PageReading, decisions: dict[tuple[int, int], Correction]
    ) -> None:
        """Write the rows of a page.

        Args:
            reading: as it was read.
            now: as people say it reads.
            decisions: what they said of its letters, by line and position.
        """
        place = [inert(shown(reading.scan)), reading.page]
        for number, (line, line_now) in enumerate(zip(reading.lines, now.lines, strict=True), 1):
            said = {position: one for (at, position), one in decisions.items() if at == number}
            self._letters.writelines(_letter_rows(_row(*place, number), line, said))
            self._lines.writerow([*place, number, *_line_cells(line_now)])
        self._pages.writerow([*place, *_page_cells(now)])


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
    return _row(correction.decision.value, inert(correction.corrected), inert(shown(correction.by)))


def _row(*cells: object) -> str:
    """Return cells as they stand in a row, which goes on."""
    row = io.StringIO()
    csv.writer(row, lineterminator=_ROW_END).writerow(cells)
    return row.getvalue().removesuffix(_ROW_END)


@functools.lru_cache
def _letter_cell(char: str) -> str:
    return _row(inert(char))


def _line_cells(line: LineReading) -> list[Any]:
    sure = [letter.confidence for letter in line.letters if letter.letter]
    box = line.box
    return [
        *(box.x, box.y, box.width, box.height),
        inert(line.text),
        len(sure),
        _mean(sure),
        f"{min(sure):.4f}" if sure else "",
        sum(letter.flagged for letter in line.letters),
        inert(line.lexicon_text),
    ]


def _page_cells(reading: PageReading) -> list[Any]:
    letters = reading.letters
    return [
        reading.status.value,
        reading.error_code.value if reading.error_code else "",
        inert(reading.error),
        inert(reading.text),
        len(reading.lines),
        len(letters),
        _mean([letter.confidence for letter in letters]),
        sum(letter.flagged for letter in letters),
        f"{round(reading.skew_degrees, 2) + 0.0:.2f}",  # Adding zero turns -0.0 into 0.0.
        f"{reading.seconds:.3f}",
        reading.attempts,
        inert(" ".join(reading.quality)),
    ]


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f}" if values else ""


class _Texts:
    """The folder text/: one file a scan that was read.

    Args:
        folder: the folder; it need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._final = folder
        for abandoned in folder.parent.glob(f"{TEMPORARY}text-*"):  # Of a collector that was killed.
            shutil.rmtree(abandoned)
        self._new = not folder.exists()
        # The first time the folder appears as a whole: half the time of files that appear one by one.
        self._folder = f"{folder.parent}/{TEMPORARY}text-{os.getpid()}" if self._new else str(folder)
        self._name_limit = os.pathconf(folder.parent, "PC_NAME_MAX")
        self._written: set[int] = set()
        """Hashes of the paths written, to find others: far smaller than the paths."""

    def add(self, scan: str, pages: list[str | None]) -> None:
        """Write a scan's text, pages separated by a form feed; a scan of which nothing was read has none.

        The text stands under the scan's own path, or beside all others under a name that is shortened, where
        the file system has no room for that path, or a folder has its name, or a file one of its folders'.
        """
        if all(page is None for page in pages):
            return
        text = "\f".join(page or "" for page in pages)
        *folders, name = scan.split("/")
        try:
            if ".." in folders:  # Only somebody who edits manifests writes so.
                raise NotADirectoryError(errno.ENOTDIR, "leads out of the folder", scan)
            self._write("/".join([self._folder, *folders, self._fitting(name, scan)]), text)
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise
            self._write(f"{self._folder}/{self._shortened(name, scan)}", text)

    def finish(self) -> None:
        """Let the folder appear, or remove texts of scans that have no reading any more."""
        if self._new:
            if self._written:
                Path(self._folder).rename(self._final)
            return
        for folder, _, names in os.walk(self._folder, topdown=False):
            for name in names:
                path = f"{folder}/{name}"
                if name.endswith(_TEXT_SUFFIX) and hash(path) not in self._written:
                    Path(path).unlink()
            with contextlib.suppress(OSError):  # Not empty.
                Path(folder).rmdir()

    def _write(self, path: str, text: str) -> None:
        content = text.encode()
        if self._new:
            put(path, content)
        elif not _holds(path, content):  # Collecting again while the job runs leaves alone what is there.
            put_whole(path, content)
        self._written.add(hash(path))

    def _fitting(self, name: str, scan: str) -> str:
        full = name + _TEXT_SUFFIX
        return full if len(os.fsencode(full)) <= self._name_limit else self._shortened(name, scan)

    def _shortened(self, name: str, scan: str) -> str:
        return _cut(name, scan, self._name_limit)


class _TextObjects:
    """The same in an object store, where names have room and every path is free.

    Args:
        folder: the prefix of the texts.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._old = set(folder.files())
        self._waiting: dict[str, bytes] = {}

    def add(self, scan: str, pages: list[str | None]) -> None:
        """Write a scan's text, as `_Texts.add`; many are written at once."""
        if any(page is not None for page in pages):
            self._waiting[_object_name(scan)] = "\f".join(page or "" for page in pages).encode()
            if len(self._waiting) == _AT_ONCE:
                self._write()

    def finish(self) -> None:
        """Write what waits, and delete texts of scans that have no reading any more."""
        self._write()
        for name in self._old:
            (self._folder / name).unlink()

    def _write(self) -> None:
        for name, _ in in_order(self._put, self._waiting, self._folder.at_once):
            self._old.discard(name)
        self._waiting.clear()

    def _put(self, name: str) -> None:
        (self._folder / name).write(self._waiting[name])


def _object_name(scan: str) -> str:
    """Return the name of a scan's text: its own path as far as it is text and short enough."""
    name = f"{shown(scan)}{_TEXT_SUFFIX}"
    if len(name.encode()) <= _LONGEST_OBJECT_NAME:
        return name
    return _cut(shown(scan), scan, _LONGEST_OBJECT_NAME)


def _cut(name: str, scan: str, longest: int) -> str:
    """Return a name of at most so many bytes that no other scan's text has."""
    ending = f"~{hashlib.sha256(os.fsencode(scan)).hexdigest()[:_DIGEST_LENGTH]}{_TEXT_SUFFIX}"
    # Cut at a whole character: some systems refuse names that are no UTF-8.
    return os.fsencode(name)[: longest - len(ending)].decode("utf-8", "ignore") + ending


def _holds(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.open
            return file.read() == content
    except (FileNotFoundError, PermissionError):
        return False
