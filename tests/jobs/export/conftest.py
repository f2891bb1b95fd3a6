"""A job to export."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import (
    PageReading,
    Status,
)
from tests.exports import LINES, ODD

JobOf = Callable[..., Job]


@pytest.fixture
def job(job_of: JobOf) -> Job:
    """Pages with odd names, then an empty one, a failed one, and a document with a failed page."""
    job = job_of(*ODD, "empty.png", "failed.png", "two.tif")
    for entry, _ in job.manifest():
        size = {"width": 60, "height": 40, "version": "0.1.0"}
        reading = PageReading(entry.id, entry.scan, entry.page, Status.DONE, lines=LINES, **size)
        if entry.scan == "empty.png":
            reading = msgspec.structs.replace(reading, status=Status.EMPTY, lines=())
        if entry.scan == "failed.png":
            reading = PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "=late")
        job.results.write(reading)
    return job
