"""The formats of `lettermill export`, and the walk through a job that all of them share."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

from lettermill.jobs.errors import NotAJob, ScanError, UsageProblem
from lettermill.jobs.export.alto import alto
from lettermill.jobs.export.common import Files, Put, xml_files
from lettermill.jobs.export.hocr import hocr
from lettermill.jobs.export.jsonl import jsonl
from lettermill.jobs.export.page_xml import page_xml
from lettermill.jobs.export.parquet import parquet
from lettermill.jobs.export.pdf import pdf
from lettermill.jobs.export.xlsx import xlsx
from lettermill.jobs.job.corrections import Corrections, settled
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import READ, PageReading
from lettermill.jobs.results.write import by_scan, cancelled_page, flagging_of
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_MOST_PROBLEMS = 10
"""Scans that are named because they could not be exported."""


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        file: the name of what is written by default.
        folder: whether that is a folder of files.
        writer: opens the file or folder; what it gives takes a scan's readings.
        tells_failures: whether it takes pages without a reading, too.
        needs_size: whether it takes only pages whose width and height are known.
        tells_flags: whether it says which letters a person should look at.
    """

    file: str
    folder: bool
    writer: Callable[[Job, Files], AbstractContextManager[Put]]
    tells_failures: bool = False
    needs_size: bool = False
    tells_flags: bool = False


FORMATS = {
    "jsonl": Format("pages.jsonl", False, jsonl, tells_failures=True, tells_flags=True),
    "alto": Format("alto", True, xml_files(alto, ".xml"), needs_size=True),
    "hocr": Format("hocr", True, xml_files(hocr, ".hocr"), needs_size=True),
    "page-xml": Format("page-xml", True, xml_files(page_xml, ".xml"), needs_size=True),
    "pdf": Format("pdf", True, pdf),
    "xlsx": Format("tables.xlsx", False, xlsx, tells_failures=True, tells_flags=True),
    "parquet": Format("letters.parquet", False, parquet, tells_flags=True),
}


@dataclasses.dataclass
class Exported:
    """What became of an export.

    Attributes:
        place: what was written.
        pages: pages in it.
        left_out: pages that are not, by the reason.
        problems: the first scans that could not be exported though they were read, and why.
    """

    place: Place
    pages: int = 0
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    problems: list[str] = dataclasses.field(default_factory=list)


FAILED = "failed: pages.csv says why"
CANCELLED = "not begun, for the job was stopped: `lettermill resume` goes on"
UNFINISHED = "not read yet"
DAMAGED = "with a damaged result file: `lettermill resume` reads them again"
NO_SIZE = (
    "read by an early version, which did not note the size of the page: `lettermill run` with another --out "
    "reads them anew"
)
NOT_OPENED = "of scans that could not be exported"


def export_job(job: Job, form: Format, out: Place | None, accept_at: float | None = None) -> Exported:
    """Write a job's readings in a format.

    Args:
        job: the job; it may still be running.
        form: the format.
        out: the file or folder to write; None for the default below the job folder. In a folder of the
            caller's, files of the same name are replaced and no other is touched.
        accept_at: how right the letters that are not flagged are to be, as `write_results` takes it.

    Returns:
        What was written and what was left out.

    Raises:
        UsageProblem: `out` cannot be what the format writes, or the format cannot hold the job or the flags.
        MissingExtra: the format needs a package that is not installed.
        NotAJob: the manifest is missing or damaged.
        ResultsNotWritable: the disk is full, read-only or forbidden.
    """
    if accept_at is not None and not form.tells_flags:
        raise UsageProblem(
            "--accept-at says which letters are flagged, and this format has no flags",
            f"Give it with {', '.join(name for name, one in FORMATS.items() if one.tells_flags)}.",
        )
    if out is not None:
        _check(job, form, out)
        return _write(job, form, Files(out, own=False), accept_at)
    (job.path / "export").make()
    with (job.path / ".exporting").held(wait=True):
        return _write(job, form, Files(job.path / "export" / form.file, own=True), accept_at)


def _check(job: Job, form: Format, out: Place) -> None:
    if form.folder and out.exists() and not out.is_folder():
        raise UsageProblem(
            f"{display_path(out)} is a file, and the format is a folder of files", "Give a folder."
        )
    if not form.folder and out.is_folder():
        raise UsageProblem(
            f"{display_path(out)} is a folder, and the format is one file", "Give a file's name."
        )
    scans = job.local_roots.scans / job.scans_below
    try:
        out.resolve().below(scans.resolve())
    except ValueError:
        return
    raise UsageProblem(
        f"{display_path(out)} lies in the folder of the scans {display_path(scans)}",
        "Give a place beside it: what is exported must not be taken for scans.",
    )


def _write(job: Job, form: Format, files: Files, accept_at: float | None) -> Exported:
    exported = Exported(files.place)
    cancelled = job.cancelled
    flagging = flagging_of(job, accept_at)
    corrections = Corrections(job)
    with form.writer(job, files) as put:
        for scan, pages in by_scan(job):
            readings = []
            for entry, result in pages:
                reading = _taken(form, entry, result, cancelled, exported)
                if reading:
                    reading = flagging.applied(reading)
                    readings.append(settled(reading, corrections.of_page(reading)))
            if not readings:
                continue
            try:
                put(entry, readings)
                exported.pages += len(readings)
            except ScanError as error:
                exported.left_out[NOT_OPENED] += len(readings)
                if len(exported.problems) < _MOST_PROBLEMS:
                    exported.problems.append(f"{display_path(scan)!r}: {error.message}")
    return exported


def _taken(
    form: Format,
    entry: ManifestEntry,
    result: PageReading | NotAJob | None,
    cancelled: str | None,
    exported: Exported,
) -> PageReading | None:
    """Return what the format takes of a page; None, and count the reason, where that is nothing."""
    if isinstance(result, NotAJob):
        reason = DAMAGED
    elif result is None:
        if cancelled is not None and form.tells_failures:
            return cancelled_page(entry, cancelled)
        reason = UNFINISHED if cancelled is None else CANCELLED
    elif result.status not in READ and not form.tells_failures:
        reason = FAILED
    elif form.needs_size and (result.width is None or result.height is None):
        reason = NO_SIZE
    else:
        return result
    exported.left_out[reason] += 1
    return None
