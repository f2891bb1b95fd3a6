"""Jobs are followed, and a job on this machine is kept going."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from lettermill.jobs.errors import BrokerUnreachable, EngineFailed, TimedOut
from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.celery_app import QUEUES
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.running import dispatch
from lettermill.jobs.running.dispatch import follow, queue_pages
from tests.support import free_port


class FakeEngine:
    """An engine without processes."""

    revived = False

    def __init__(self) -> None:
        self.progress = 0

    def revive(self) -> bool:
        return self.revived

    def made_progress(self) -> None:
        self.progress += 1

    def log_end(self) -> str:
        return "the end of the log"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: now[0])
    return now


def test_pages_are_queued(job_of: Callable[..., Job], broker: str, client: redis.Redis) -> None:
    job = job_of("a.png", "b.png")
    queue_pages(job, job.local_roots, broker)
    queue_pages(job, job.local_roots, broker)  # In place of what was queued before.
    assert client.hlen(f"lettermill:{job.token}:flight") == 2
    assert sum(client.llen(queue) for queue in QUEUES) == 4
    with pytest.raises(BrokerUnreachable):
        queue_pages(job, job.local_roots, f"redis://127.0.0.1:{free_port()}/0")


def test_following_a_complete_job_ends_at_once(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png")
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    assert follow(job).complete


def test_following_ends_when_the_time_is_up(job_of: Callable[..., Job]) -> None:
    with pytest.raises(TimedOut, match="0 of 1 pages"):
        follow(job_of("a.png"), timeout=0.0)


def test_after_a_death_everything_is_queued_again(job_of: Callable[..., Job], clock: list[float]) -> None:
    engine, calls = FakeEngine(), []
    feed: Any = SimpleNamespace(restart=lambda: calls.append("restart"))
    keeper = dispatch._Keeper(job_of("a.png"), engine, feed)  # type: ignore[arg-type]
    keeper.look(0)
    assert (engine.progress, calls) == (1, [])
    engine.revived = True
    keeper.look(0)
    assert (engine.progress, calls) == (1, ["restart"])


def test_pages_that_are_lost_again_and_again_end_the_run(
    job_of: Callable[..., Job], clock: list[float]
) -> None:
    engine = FakeEngine()
    suspects: list[frozenset[str]] = []

    def look_after(before: frozenset[str]) -> tuple[int, frozenset[str]]:
        suspects.append(before)
        return 1, frozenset({"a page"})

    keeper = dispatch._Keeper(job_of("a.png"), engine, SimpleNamespace(look_after=look_after))  # type: ignore[arg-type]
    keeper.look(0)
    keeper.look(0)
    assert not suspects  # It is not quiet yet.
    for _ in range(2):
        clock[0] += 10
        keeper.look(0)
    clock[0] += 10
    with pytest.raises(EngineFailed, match="the end of the log"):
        keeper.look(0)
    assert suspects == [frozenset(), {"a page"}, {"a page"}]
