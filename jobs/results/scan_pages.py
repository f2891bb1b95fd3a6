"""Walk through a job: scan by scan, page by page, with the result of each page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from operator import attrgetter

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status

Page = tuple[ManifestEntry, PageReading | NotAJob | None]
"""A page and its result, as `Job.read_results` gives it: NotAJob if damaged, None if there is none yet."""


def by_scan(job: Job) -> Iterator[tuple[str, Iterator[Page]]]:
    """Yield a job's scans in the order of the manifest, each with its pages and their results.

    Take all pages of a scan before the next scan.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    entries, again = itertools.tee(entry for entry, _ in job.manifest())
    results = job.results.read_each(entry.id for entry in again)
    for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
        yield scan, ((page, next(results)[1]) for page in pages)


def cancelled_page(entry: ManifestEntry, why: str) -> PageReading:
    """Return the reading of a page that was not begun when its job was stopped."""
    return PageReading(entry.id, entry.scan, entry.page, Status.CANCELLED, error=why, attempts=0)
