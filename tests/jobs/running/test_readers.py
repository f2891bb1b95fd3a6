"""Who reads a job is found out, and said in a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import redis

from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.workers import send_heartbeat
from lettermill.jobs.running.readers import readers_of
from tests.support import free_port


@pytest.fixture
def fleets_job(job_of: Callable[..., Job]) -> Job:
    return dataclasses.replace(job_of("a.png", "b.png"), shared=True)


def test_a_job_of_this_machine(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    found = readers_of(job, None)
    assert (found.trouble, found.sentence) == (True, "No command of this machine reads it.")
    with job.reading_here() as ours:
        assert ours
        found = readers_of(job, None)
    assert (found.trouble, found.sentence) == (False, "A command of this machine reads it.")


def test_without_an_address_nothing_is_claimed(fleets_job: Job) -> None:
    found = readers_of(fleets_job, None)
    assert not found.trouble
    assert "With --broker or LETTERMILL_BROKER" in found.sentence


def test_a_redis_that_is_not_there(fleets_job: Job) -> None:
    found = readers_of(fleets_job, f"redis://127.0.0.1:{free_port()}/0")
    assert found.trouble
    assert "cannot be reached" in found.sentence
    assert "No page is handed out" in found.sentence


def test_workers_that_are_alive_and_at_work(fleets_job: Job, broker: str, client: redis.Redis) -> None:
    found = readers_of(fleets_job, broker)
    assert found.trouble
    assert found.sentence.startswith("No worker is alive: none has sent a heartbeat for 30 s.")
    entry, _ = next(fleets_job.manifest())
    send_heartbeat(client, "one", ["a page of another job"])
    found = readers_of(fleets_job, broker)
    assert (found.trouble, found.sentence) == (False, "1 worker is alive.")
    send_heartbeat(client, "two", [entry.id])
    assert readers_of(fleets_job, broker).sentence == "2 workers are alive, 1 at work on this job."
    client.delete("lettermill:worker:one")
    assert readers_of(fleets_job, broker).sentence == "1 worker is alive, 1 at work on this job."


def test_workers_of_another_message_format_do_not_count(
    fleets_job: Job, broker: str, client: redis.Redis
) -> None:
    send_heartbeat(client, "old", [])
    client.hset("lettermill:workers", "old", '{"version": "0.0.1", "message_format": 0, "host": "h"}')
    found = readers_of(fleets_job, broker)
    assert found.trouble
    assert found.sentence.endswith("1 of another version cannot see it.")
