"""`lettermill status`: how far a job is, and what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import redis

from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.workers import send_heartbeat
from lettermill.jobs.records.readings import PageReading
from tests.support import Command


def test_unfinished_stopped_and_complete(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    assert "No page is finished yet.\n" in lettermill("status", job.path).stdout
    first, second = (entry for entry, _ in job.manifest())
    job.results.write(reading_of(first, "A"))
    done = lettermill("status", job.path)
    how_far, when, who = done.stdout.splitlines()
    assert (how_far, who) == ("1 of 2 pages done, 0 failed", "No command of this machine reads it.")
    assert re.fullmatch(r"The last page was finished \d+ (s|min) ago\.", when)
    assert f"To continue: lettermill resume '{job.path}'" in done.stderr
    with job.reading_here() as ours:
        assert ours
        done = lettermill("status", job.path)
    assert done.stdout.splitlines()[2] == "A command of this machine reads it."
    assert done.stderr == ""
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


def test_of_a_fleets_job_it_says_whether_workers_are_alive(
    lettermill: Command, job_of: Callable[..., Job], broker: str, client: redis.Redis
) -> None:
    made = job_of("a.png", "b.png")
    job = made.placed(made.local_roots, shared=True)
    entry, _ = next(job.manifest())

    def status(*words: str) -> tuple[str, str]:
        done = lettermill("status", job.path, *words)
        return done.stdout.splitlines()[-1], done.stderr

    assert "With --broker or LETTERMILL_BROKER" in status()[0]
    said, advice = status("--broker", broker)
    assert (said[:19], advice) == ("No worker is alive:", "")
    send_heartbeat(client, "one", [])
    said, advice = status("--broker", broker)
    assert said == "1 worker is alive."
    assert f"To queue its pages anew: lettermill resume '{job.path}' --broker URL" in advice
    send_heartbeat(client, "one", [entry.id])
    assert status("--broker", broker) == ("1 worker is alive, 1 at work on this job.", "")
    found = json.loads(lettermill("status", job.path, "--broker", broker, "--json").stdout)
    assert (found["readers"]["alive"], found["readers"]["at_work"], found["last_page"]) == (1, 1, None)
