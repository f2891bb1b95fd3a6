"""Collecting: the readings of a job become CSV files, texts and a summary, while it runs or afterwards.

Every file appears whole or not at all. Pages are read one after the other in the order of the manifest, so
memory stays flat however large the job, and the same readings give the same bytes.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

from jobs import report
from jobs.errors import NotAJob
from jobs.files import shown, written_whole
from jobs.job import Job, ManifestEntry
from jobs.readings import LineReading, PageReading
from jobs.summary import FAILED, Counting, Summary

LETTER_HEADER = (
    "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
    "third,third_confidence,flagged"
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

_TEXT_SUFFIX = ".txt"
_DIGEST_LENGTH = 12


def collect(job: Job) -> Summary:
    """Write the job's CSV files, texts, summary.json and summary.html from the results that are there.

    A result file that is damaged stops nothing: its page counts as unfinished and is named in the summary;
    `lettermill resume` has it read again.

    Args:
        job: the job; it may still be running.

    Returns:
        The counts, as they stand in summary.json.

    Raises:
        NotAJob: the manifest is missing or damaged.
        ResultsNotWritable: the job folder does not take the files.
    """
    with job.lock():
        counting = Counting(job, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
        texts = _Texts(job.path / "text")
        with contextlib.ExitStack() as stack:
            tables = _Tables(job, stack)
            entries = (entry for entry, _ in job.manifest())
            for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
                texts.add(scan, [_page_text(job, entry, counting, tables) for entry in pages])
        texts.remove_others()
        summary = counting.summary()
        with written_whole(job.path / "summary.json") as file:
            json.dump(summary.to_json(), file, indent=1)
            file.write("\n")
        with written_whole(job.path / "summary.html") as file:
            file.write(report.to_html(summary))
    return summary


def inert(cell: str) -> str:
    """Return a text cell that no spreadsheet runs: what looks like a formula gets a leading apostrophe."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def not_inert(cell: str) -> str:
    """Return the text that `inert` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _page_text(job: Job, entry: ManifestEntry, counting: Counting, tables: _Tables) -> str | None:
    """Count a page, write its rows, and return its text; None where nothing was read."""
    counting.add_page(entry)
    try:
        reading = job.read_result(entry.id)
    except NotAJob:
        counting.add_damaged(entry.id)
        return None
    if reading is None:
        return None
    counting.add_reading(entry, reading)
    tables.add(reading)
    return None if reading.status in FAILED else "".join(f"{line.text}\n" for line in reading.lines)


class _Tables:
    """The three CSV files while they are written.

    Args:
        job: the job.
        stack: closes the files, which makes them appear.
    """

    def __init__(self, job: Job, stack: contextlib.ExitStack) -> None:
        self._letters, self._lines, self._pages = (
            csv.writer(stack.enter_context(written_whole(job.path / name)), lineterminator="\r\n")
            for name in ("letters.csv", "lines.csv", "pages.csv")
        )
        self._letters.writerow(LETTER_HEADER.split(","))
        self._lines.writerow(LINE_HEADER.split(","))
        self._pages.writerow(PAGE_HEADER.split(","))

    def add(self, reading: PageReading) -> None:
        """Write the rows of a page."""
        place = [inert(shown(reading.scan)), reading.page]
        for number, line in enumerate(reading.lines, 1):
            self._letters.writerows(_letter_rows([*place, number], line))
            self._lines.writerow([*place, number, *_line_cells(line)])
        self._pages.writerow([*place, *_page_cells(reading)])


def _letter_rows(place: list[Any], line: LineReading) -> Iterator[list[Any]]:
    for position, letter in enumerate(line.letters, 1):
        box = letter.box
        choices = [cell for char, sure in letter.ranking[:3] for cell in (inert(char), f"{sure:.4f}")]
        choices += [""] * (6 - len(choices))
        yield [
            *place,
            letter.word,
            position,
            *(box.x, box.y, box.width, box.height),
            *choices,
            int(letter.flagged),
        ]


def _line_cells(line: LineReading) -> list[Any]:
    sure = [letter.confidence for letter in line.letters]
    box = line.box
    return [
        *(box.x, box.y, box.width, box.height),
        inert(line.text),
        len(sure),
        _mean(sure),
        f"{min(sure):.4f}",
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
        self._folder = folder
        self._name_limit = os.pathconf(folder.parent, "PC_NAME_MAX")
        self._path_limit = os.pathconf(folder.parent, "PC_PATH_MAX") - 1
        self._written: set[int] = set()
        """Hashes of the paths written, for `remove_others`: far smaller than the paths."""

    def add(self, scan: str, pages: list[str | None]) -> None:
        """Write a scan's text, pages separated by a form feed; a scan of which nothing was read has none."""
        if all(page is None for page in pages):
            return
        text = "\f".join(page or "" for page in pages)
        path = self._path(scan)
        self._written.add(hash(str(path)))
        # Collecting again while the job runs leaves alone what is there: a sync a file takes its time.
        if not (path.is_file() and path.read_bytes() == text.encode()):
            with written_whole(path) as file:
                file.write(text)

    def remove_others(self) -> None:
        """Remove texts of scans that are no longer in the job, or have no reading any more."""
        for folder, _, names in os.walk(self._folder, topdown=False):
            for name in names:
                path = Path(folder) / name
                if path.suffix == _TEXT_SUFFIX and hash(str(path)) not in self._written:
                    path.unlink()
            with contextlib.suppress(OSError):  # Not empty.
                Path(folder).rmdir()

    def _path(self, scan: str) -> Path:
        """Return the scan's text file: its own path, shortened where the file system has no room for it."""
        *folders, name = scan.split("/")
        plain = self._folder.joinpath(*folders, self._short(name, scan))
        if self._fits(plain, folders) and not self._taken(plain):
            return plain
        return self._folder / self._short(name, scan, always=True)

    def _fits(self, path: Path, folders: list[str]) -> bool:
        names_fit = all(len(os.fsencode(folder)) <= self._name_limit for folder in folders)
        return names_fit and len(os.fsencode(path)) <= self._path_limit

    def _taken(self, path: Path) -> bool:
        """Say whether a folder has the file's name, or a file the name of one of its folders."""
        folders = [folder for folder in path.parents if folder.is_relative_to(self._folder)]
        return path.is_dir() or any(folder.is_file() for folder in folders)

    def _short(self, name: str, scan: str, always: bool = False) -> str:
        full = name + _TEXT_SUFFIX
        if len(os.fsencode(full)) <= self._name_limit and not always:
            return full
        ending = f"~{hashlib.sha256(os.fsencode(scan)).hexdigest()[:_DIGEST_LENGTH]}{_TEXT_SUFFIX}"
        # Cut at a whole character: some systems refuse names that are no UTF-8.
        start = os.fsencode(name)[: self._name_limit - len(ending)].decode("utf-8", "ignore")
        return start + ending
