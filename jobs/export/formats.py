"""Export a job in one of the formats of `lettermill export`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

from lettermill.jobs.errors import NotAJob, ScanError, UsageProblem
from lettermill.jobs.export.alto import alto
from lettermill.jobs.export.common import Destination, PutPages, xml_files
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
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.flagging import flagging_of
from lettermill.jobs.results.scan_pages import by_scan, cancelled_page
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_PROBLEMS_LISTED = 10
"""How many scans are named that could not be exported."""


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        file: the default name of the file or folder.
        folder: whether it is a folder of files.
        writer: opens the file or folder; the function that it yields takes the readings of one scan.
        holds_failures: whether it also holds pages without a reading.
        needs_size: whether it needs the width and height of each page.
        holds_flags: whether it says which letters a person should check.
    """

    file: str
    folder: bool
    writer: Callable[[Job, Destination], AbstractContextManager[PutPages]]
    holds_failures: bool = False
    needs_size: bool = False
    holds_flags: bool = False


FORMATS = {
    "jsonl": Format("pages.jsonl", False, jsonl, holds_failures=True, holds_flags=True),
    "alto": Format("alto", True, xml_files(alto, ".xml"), needs_size=True),
    "hocr": Format("hocr", True, xml_files(hocr, ".hocr"), needs_size=True),
    "page-xml": Format("page-xml", True, xml_files(page_xml, ".xml"), needs_size=True),
    "pdf": Format("pdf", True, pdf),
    "xlsx": Format("tables.xlsx", False, xlsx, holds_failures=True, holds_flags=True),
    "parquet": Format("letters.parquet", False, parquet, holds_flags=True),
}


@dataclasses.dataclass
class Exported:
    """The outcome of an export.

    Attributes:
        place: the file or folder that was written.
        pages: how many pages are in it.
        left_out: how many pages are not, by reason.
        problems: the first scans that were read but could not be exported, and why.
    """

    place: Place
    pages: int = 0
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    problems: list[str] = dataclasses.field(default_factory=list)


FAILED = "that failed: pages.csv says why"
CANCELLED = "not begun because the job was stopped: `lettermill resume` continues it"
UNFINISHED = "not read yet"
DAMAGED = "with a damaged result file: `lettermill resume` reads them again"
NO_SIZE = (
    "read by an early version that did not note the size of pages: `lettermill run` with another --out "
    "reads them again"
)
NOT_OPENED = "of scans that could not be opened"


def export_job(job: Job, form: Format, out: Place | None, acceptance: Acceptance | None = None) -> Exported:
    """Write a job's readings in a format.

    Args:
        job: the job; it may still be running.
        form: the format.
        out: the file or folder to write; None for the default below the job folder. In a given folder, files
            of the same name are replaced and no other file is touched.
        acceptance: what is accepted unseen, as for `write_results`.

    Returns:
        What was written and what was left out.

    Raises:
        UsageProblem: `out` cannot be what the format writes, or the format cannot hold the job or the flags.
        MissingExtra: the format needs a package that is not installed.
        NotAJob: the manifest is missing or damaged.
        ResultsNotWritable: the disk is full, read-only or forbidden.
    """
    if acceptance is not None and not form.holds_flags:
        raise UsageProblem(
            f"{acceptance.option} chooses which letters are flagged, and this format has no flags",
            f"Use it with --format {', '.join(name for name, one in FORMATS.items() if one.holds_flags)}.",
        )
    if out is not None:
        _check(job, form, out)
        return _write(job, form, Destination(out, own=False), acceptance)
    (job.path / "export").make()
    with (job.path / ".exporting").held(wait=True):
        return _write(job, form, Destination(job.path / "export" / form.file, own=True), acceptance)


def _check(job: Job, form: Format, out: Place) -> None:
    if form.folder and out.exists() and not out.is_folder():
        raise UsageProblem(
            f"{display_path(out)} is a file, and this format is a folder of files",
            "Give a folder.",
        )
    if not form.folder and out.is_folder():
        raise UsageProblem(
            f"{display_path(out)} is a folder, and this format is one file", "Give a file name."
        )
    scans = job.local_roots.scans / job.scans_below
    try:
        out.resolve().below(scans.resolve())
    except ValueError:
        return
    raise UsageProblem(
        f"{display_path(out)} lies in the folder of the scans {display_path(scans)}",
        "Give a place outside of it: exported files would be read as scans.",
    )


def _write(job: Job, form: Format, destination: Destination, acceptance: Acceptance | None) -> Exported:
    exported = Exported(destination.place)
    cancelled = job.cancelled
    flagging = flagging_of(job, acceptance)
    corrections = Corrections(job)
    with form.writer(job, destination) as put:
        for scan, pages in by_scan(job):
            readings = []
            for entry, result in pages:
                reading = _exportable(form, entry, result, cancelled, exported)
                if reading:
                    reading = flagging.applied(reading)
                    letters, fields = corrections.of_page(reading), corrections.fields_of_page(reading)
                    readings.append(settled(reading, letters, fields))
            if not readings:
                continue
            try:
                put(entry, readings)
                exported.pages += len(readings)
            except ScanError as error:
                exported.left_out[NOT_OPENED] += len(readings)
                if len(exported.problems) < _PROBLEMS_LISTED:
                    exported.problems.append(f"{display_path(scan)!r}: {error.message}")
    return exported


def _exportable(
    form: Format,
    entry: ManifestEntry,
    result: PageReading | NotAJob | None,
    cancelled: str | None,
    exported: Exported,
) -> PageReading | None:
    """Return the reading of a page if the format can hold it; otherwise count the reason and return None."""
    if isinstance(result, NotAJob):
        reason = DAMAGED
    elif result is None:
        if cancelled is not None and form.holds_failures:
            return cancelled_page(entry, cancelled)
        reason = UNFINISHED if cancelled is None else CANCELLED
    elif result.status not in READ and not form.holds_failures:
        reason = FAILED
    elif form.needs_size and (result.width is None or result.height is None):
        reason = NO_SIZE
    else:
        return result
    exported.left_out[reason] += 1
    return None
