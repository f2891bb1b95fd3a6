"""`lettermill status`: how far a job is, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.support import Command


def test_unfinished_stopped_and_complete(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = (entry for entry, _ in job.manifest())
    job.results.write(reading_of(first, "A"))
    done = lettermill("status", job.path)
    assert done.stdout == "1 of 2 pages done, 0 failed\n"
    assert f"continue on this machine with: lettermill resume '{job.path}'" in done.stderr
    job.cancel("enough")
    assert (
        f"Stopped: enough. To continue: lettermill resume '{job.path}'"
        in lettermill("status", job.path).stderr
    )
    assert json.loads(lettermill("status", job.path, "--json").stdout)["stopped"] == "enough"
    job.uncancel()
    job.results.write(reading_of(second))
    done = lettermill("status", job.path)
    assert (done.stdout, done.stderr) == ("2 of 2 pages done, 0 failed\n", "")
