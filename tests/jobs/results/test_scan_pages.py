"""Walking through a job scan by scan."""

from __future__ import annotations

from collections.abc import Callable

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.scan_pages import by_scan, cancelled_page


def test_scans_in_the_order_of_the_manifest_with_the_results_of_their_pages(
    documents: Callable[..., list[ManifestEntry]],
    job_of: Callable[..., Job],
    reading_of: Callable[..., PageReading],
) -> None:
    documents("book.tif", 3)
    job = job_of("a.png", "z.png")
    entries = [entry for entry, _ in job.manifest()]
    read, damaged = entries[1], entries[2]
    job.results.write(reading_of(read, "AB"))
    job.results.write(reading_of(damaged, "CD"))
    path = job.results.path(damaged.id)
    path.write(path.read_bytes()[:-9])
    found = [(scan, [(entry.page, result) for entry, result in pages]) for scan, pages in by_scan(job)]
    assert [scan for scan, _ in found] == list(dict.fromkeys(entry.scan for entry in entries))
    results = dict(zip(entries, (result for _, pages in found for _, result in pages), strict=True))
    assert [page for _, pages in found for page, _ in pages] == [entry.page for entry in entries]
    assert isinstance(results.pop(damaged), NotAJob)
    reading = results.pop(read)
    assert isinstance(reading, PageReading) and reading.text == "AB"
    assert set(results.values()) == {None}


def test_a_page_that_was_not_begun(job_of: Callable[..., Job]) -> None:
    ((entry, _),) = job_of("a.png").manifest()
    reading = cancelled_page(entry, "enough")
    assert (reading.status, reading.error, reading.attempts) == (Status.CANCELLED, "enough", 0)
    assert (reading.page_id, reading.scan, reading.page) == (entry.id, "a.png", 1)
