"""Write the results of a job: CSV files, texts, summary.json and the report, while it runs or afterwards.

Every file appears whole or not at all. Pages are read one after the other in the order of the manifest, so
that memory stays flat for any size of job, and the same readings give the same bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.corrections import Corrections, corrected
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import READ, PageReading
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.counting import Counting
from lettermill.jobs.results.csv_tables import CsvTables
from lettermill.jobs.results.flagging import flagging_of
from lettermill.jobs.results.report import report_page
from lettermill.jobs.results.scan_pages import by_scan, cancelled_page
from lettermill.jobs.results.summary import Summary
from lettermill.jobs.storage.scan_files import scan_files

_TEXT_SUFFIX = ".txt"


def write_results(job: Job, acceptance: Acceptance | None = None) -> Summary:
    """Write the job's CSV files, texts, summary.json and the report from the results that are there.

    A damaged result file does not stop it: its page counts as unfinished and is named in the summary;
    `lettermill resume` reads it again. People's corrections are in columns of their own in letters.csv, and
    replace what was read in all other files.

    Args:
        job: the job; it may still be running.
        acceptance: what is accepted unseen; the results are then read twice. None keeps the flags of the
            job's settings.

    Returns:
        The counts, as in summary.json.

    Raises:
        UsageProblem: fields are to be accepted, and the job has none.
        NotAJob: the manifest is missing or damaged, or the corrections cannot be read.
        ResultsNotWritable: the job folder does not take the files.
    """
    with job.lock():
        flagging = flagging_of(job, acceptance)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        counting = Counting(job, now, job.cancelled, flagging)
        texts = scan_files(job.path / "text", _TEXT_SUFFIX, own=True)
        corrections = Corrections(job)
        with contextlib.ExitStack() as stack:
            tables = CsvTables(job, stack)
            for scan, pages in by_scan(job):
                text = [_page_text(page, result, counting, tables, corrections) for page, result in pages]
                if any(page is not None for page in text):
                    texts.add(scan, "\f".join(page or "" for page in text).encode())
        texts.finish()
        job.path.remove_abandoned()
        summary = dataclasses.replace(counting.summary(), reviewed=corrections.count())
        (job.path / "summary.json").write(f"{json.dumps(summary.to_json(), indent=1)}\n".encode())
        (job.path / "summary.html").write(report_page(summary).encode())
    return summary


def _page_text(
    entry: ManifestEntry,
    reading: PageReading | NotAJob | None,
    counting: Counting,
    tables: CsvTables,
    corrections: Corrections,
) -> str | None:
    """Count a page, write its rows, and return its text; None if it was not read."""
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
    now = corrected(reading, decisions, corrections.fields_of_page(reading))
    counting.add_reading(entry, now)
    texts = [line.text for line in now.lines]
    tables.add(reading, now, texts, decisions)
    return "".join([f"{text}\n" for text in texts if text]) if now.status in READ else None
