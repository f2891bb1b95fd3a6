"""`lettermill collect`: what is there of a job, finished or not."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import Settings
from tests.support import Command


def test_an_unfinished_job_and_a_finished_one(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = (entry for entry, _ in job.manifest())
    job.results.write(reading_of(first, "AB", sure=0.95))
    done = lettermill("collect", job.path, status=1)
    assert "unfinished  1 page\n" in done.stdout
    assert f"letters     {job.path}/letters.csv" in done.stdout
    job.results.write(reading_of(second, "CD", sure=0.97))
    found = json.loads(lettermill("collect", job.path, "--accept-at", "0.97", "--json").stdout)
    assert (found["unfinished"], found["accept_at"], found["flagged_letters"]) == (0, 0.97, 2)
    assert found == json.loads((job.path / "summary.json").read_bytes())


def test_fields_are_accepted_where_there_are_some(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", settings=Settings(layout="line"))
    ((entry, _),) = job.manifest()
    reading = reading_of(entry, "AB", sure=0.8)
    line = msgspec.structs.replace(reading.lines[0], confidence=0.99)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    done = lettermill("collect", job.path, "--accept-fields-at", "0.98")
    assert (
        "unseen      1 of 1 field can be taken unseen: less than one is expected to be wrong" in done.stdout
    )
    other = job_of("a.png", settings=Settings(layout="page"))
    done = lettermill("collect", other.path, "--accept-fields-at", "0.98", status=2)
    assert "--accept-fields-at needs fields" in done.stderr
