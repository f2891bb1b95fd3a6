"""Keeps one table over all batches of a watched folder: `all-inbox-lines.csv` and its like beside the jobs.

Each has the rows of the jobs' tables of that name, with the job in a first column. A batch's rows are added
when it is collected, and replaced when it is collected again, so that corrections arrive there, too. Rows of
jobs that were deleted stay.
"""

from __future__ import annotations

import csv
import glob
import io
import itertools
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.csv_tables import FIELDS_FILE, LINES_FILE, PAGES_FILE
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import not_writable

_NAMES = (FIELDS_FILE, LINES_FILE, PAGES_FILE)
"""A table of single letters would grow by hundreds of rows a page; the jobs have them."""

_LOCK = ".all-tables.lock"
_ROW_END = "\r\n"


def add_batch(out: Disk, folder: str, job: Job, *, again: bool) -> None:
    """Add the rows of a batch to the tables of a watched folder.

    Args:
        out: the folder that holds the job folders, and gets the tables.
        folder: the watched folder's name.
        job: the batch's job; its tables are written.
        again: whether some of the rows may be there already: a watch was killed while it added them.

    Raises:
        ResultsNotWritable: the tables cannot be written.
    """
    with (out / _LOCK).held(wait=True):
        for name in _NAMES:
            if not (job.path / name).exists():
                continue
            rows = _rows_of(job, name)
            called = f"all-{folder}-{name.removesuffix('.csv')}"
            try:
                if again:
                    for torn in out.glob(f"{glob.escape(called)}*.csv"):
                        _cut_torn_row(torn)
                table = _table(out, called, rows[0])
                if again and _has(table, job):
                    _replace(table, job, rows[1:])
                else:
                    _append(table, rows[1:] if _header(table) else rows)
            except OSError as error:
                raise not_writable(out / called, error) from error


def refresh(job: Job) -> None:
    """Replace a job's rows in the tables beside it, where it has any.

    Args:
        job: a job whose tables were written again.

    Raises:
        ResultsNotWritable: a table cannot be written.
    """
    out = job.path.parent
    if not isinstance(out, Disk):
        return  # Only folders on disk are watched.
    for name in _NAMES:
        for table in sorted(out.glob(f"all-*-{name.removesuffix('.csv')}*.csv")):
            with (out / _LOCK).held(wait=True):
                rows = _rows_of(job, name)
                if _has(table, job) and _header(table) == rows[0]:
                    _replace(table, job, rows[1:])


def _rows_of(job: Job, name: str) -> list[list[str]]:
    """Return a table of a job with the job's name in front of each row; the header comes first."""
    with (job.path / name).opened() as file:
        header, *rows = csv.reader(io.StringIO(file.read().decode(errors="surrogateescape"), newline=""))
    return [["job", *header], *([job.path.name, *row] for row in rows)]


def _table(out: Path, name: str, header: list[str]) -> Path:
    """Return the table that has these columns: with another template a new one begins, with a number."""
    for number in itertools.count(1):
        table = out / (f"{name}.csv" if number == 1 else f"{name}-{number}.csv")
        if _header(table) in (header, []):
            return table
    raise AssertionError  # Numbers do not end.


def _header(table: Path) -> list[str]:
    """Return the columns of a table; none where it is empty or not there."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return next(csv.reader(file), [])


def _has(table: Path, job: Job) -> bool:
    """Return whether a table has a row of a job; the name of a watch's job is never quoted."""
    if not table.exists():
        return False
    with table.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(f"{_ROW_END}{job.path.name},".encode()) >= 0


def _append(table: Path, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=_ROW_END).writerows(rows)
    with table.open("ab", buffering=0) as file:
        left = text.getvalue().encode(errors="surrogateescape")
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())


def _cut_torn_row(table: Path) -> None:
    """Cut what the process was writing when it was killed: a row without its end."""
    content = table.read_bytes()
    end = _ROW_END.encode()
    if not content.endswith(end):
        os.truncate(table, content.rfind(end) + len(end) if end in content else 0)


def _replace(table: Path, job: Job, rows: Sequence[Sequence[str]]) -> None:
    """Write a table anew with other rows of a job, in the place of its first one."""
    with (
        table.open(encoding="utf-8", errors="surrogateescape", newline="") as old,
        atomic_write(table) as new,
    ):
        writer = csv.writer(new, lineterminator=_ROW_END)
        waiting = list(rows)
        for row in csv.reader(old):
            if row[:1] != [job.path.name]:
                writer.writerow(row)
            else:
                writer.writerows(waiting)
                waiting = []
