"""Give a job's results away: its report, its tables, Excel, searchable PDFs, or all as one archive."""

from __future__ import annotations

import dataclasses
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.job.corrections import CORRECTIONS_FILE
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.csv_tables import FIELDS_FILE, LETTERS_FILE, LINES_FILE, PAGES_FILE
from lettermill.jobs.results.pictures import OVERLAYS
from lettermill.jobs.results.write import write_results
from lettermill.jobs.storage.disk import Disk

REPORT = "summary.html"
SUMMARY = "summary.json"
TABLES = (LETTERS_FILE, LINES_FILE, PAGES_FILE, FIELDS_FILE)
EXCEL = "tables.xlsx"
PDFS = "pdf.zip"
TEXTS = "text.zip"
ALL = "all.zip"

MEDIA_TYPES = {
    REPORT: "text/html; charset=utf-8",
    SUMMARY: "application/json",
    **dict.fromkeys(TABLES, "text/csv; charset=utf-8"),
    EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PDFS: "application/zip",
    TEXTS: "application/zip",
    ALL: "application/zip",
}
"""What can be asked for, and as what it is sent."""

_DRAWING = re.compile(rf"{OVERLAYS}/[^/\0]{{1,200}}\.png")
_COPIED_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Download:
    """What is sent.

    Attributes:
        name: the name of the file for whoever saves it.
        media_type: its type.
        path: the file; None for an archive.
        chunks: the bytes of an archive; None for a file.
    """

    name: str
    media_type: str
    path: Path | None = None
    chunks: Iterator[bytes] | None = None


def download(job: Job, what: str) -> Download:
    """Return a result of a job, with all corrections; tables that are older than these are written anew.

    Args:
        job: a job on disk.
        what: a name of `MEDIA_TYPES`, or the path of one of the report's drawings.

    Raises:
        NotAJob: the job has no such result.
        MissingExtra, ResultsNotWritable, UsageProblem: it cannot be written.
    """
    folder = Disk(str(job.path))
    if _DRAWING.fullmatch(what):
        return Download(what.rpartition("/")[2], "image/png", path=_file(folder, what))
    if what not in MEDIA_TYPES:
        raise _none(what)
    bring_up_to_date(job)
    name, media_type = f"{job.path.name}-{what}", MEDIA_TYPES[what]
    if what == EXCEL:
        return Download(name, media_type, path=Path(str(export_job(job, FORMATS["xlsx"], None).place)))
    if what == PDFS:
        export_job(job, FORMATS["pdf"], None)
        return Download(name, media_type, chunks=zipped(folder, [f"export/{FORMATS['pdf'].file}"]))
    if what == TEXTS:
        return Download(name, media_type, chunks=zipped(folder, ["text"]))
    if what == ALL:
        export_job(job, FORMATS["xlsx"], None)
        whole = (REPORT, SUMMARY, *TABLES, "text", OVERLAYS, f"export/{EXCEL}")
        return Download(name, media_type, chunks=zipped(folder, whole))
    return Download(name, media_type, path=_file(folder, what))


def bring_up_to_date(job: Job) -> None:
    """Write the results of a job anew if pages or corrections came after them.

    Raises:
        NotAJob, ResultsNotWritable: as `write_results`.
    """
    folder = Disk(str(job.path))
    written = _changed(folder / SUMMARY)
    newest = max(_changed(folder / CORRECTIONS_FILE), job.results.last_change() or 0.0)
    if not written or written < newest:
        write_results(job)


def zipped(folder: Disk, parts: Iterable[str]) -> Iterator[bytes]:
    """Yield the bytes of a ZIP archive of files and folders; nothing is kept on disk.

    Args:
        folder: the folder to which their paths are relative.
        parts: files, and folders with all below them; those that are not there are left out.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in _below(folder, parts):
            member = zipfile.ZipInfo.from_file(path, path.relative_to(folder), strict_timestamps=False)
            member.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as file, archive.open(member, "w", force_zip64=True) as inside:
                while content := file.read(_COPIED_BYTES):
                    inside.write(content)
                    yield sink.taken()
    yield sink.taken()


def _below(folder: Disk, parts: Iterable[str]) -> Iterator[Disk]:
    for part in parts:
        path = folder / part
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and not one.is_symlink())
        elif path.is_file():
            yield path


class _Sink(io.RawIOBase):
    """Keeps what an archive writes until it is taken; it cannot be searched."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        size = len(self._kept)
        self._kept += memoryview(content)  # type: ignore[arg-type]
        return len(self._kept) - size

    def taken(self) -> bytes:
        """Return what is kept, and forget it."""
        content = bytes(self._kept)
        self._kept.clear()
        return content


def _file(folder: Disk, name: str) -> Path:
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise _none(name)
    return path


def _none(name: str) -> NotAJob:
    return NotAJob(f"the job has no {name!r}", "Choose one of those that its page lists.")


def _changed(path: Disk) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
