"""Heartbeats name the pages of a worker, and a worker that hears nothing reconnects."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery.worker import state

from lettermill.jobs.queue.celery_app import QUEUES
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.worker.service import heartbeat as heartbeats
from lettermill.worker.service.heartbeat import Heartbeat, care_step
from lettermill.worker.service.monitor import Workload


class FakeMonitor:
    problem = ""

    def __init__(self) -> None:
        self.workload = Workload()

    def note(self, workload: Workload) -> None:
        self.workload = workload


def request(number: int, begun: float | None, limit: int) -> Any:
    page = ManifestEntry(f"{number:024x}", "a.png", 1, 1, 1, 1)
    return SimpleNamespace(pages_message=PagesMessage("job", "", (page,)), begun=begun, limit=limit)


def test_a_heartbeat_names_the_pages(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(
        state, "reserved_requests", [request(1, now - 9, 300), request(2, now - 1, 20), request(3, None, 5)]
    )
    monitor = FakeMonitor()
    Heartbeat(client, "me", monitor)()  # type: ignore[arg-type]
    found = client.get("lettermill:worker:me")
    assert json.loads(found) == [f"{number:024x}" for number in (1, 2, 3)]
    assert (monitor.workload.pages, monitor.workload.since, monitor.workload.limit) == (3, now - 1, 20)


def test_messages_that_no_process_takes_count_as_at_work(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "reserved_requests", [request(1, None, 300)])
    monitor = FakeMonitor()
    heartbeat = Heartbeat(client, "me", monitor)  # type: ignore[arg-type]
    heartbeat()
    first = monitor.workload.since
    heartbeat()
    assert first is not None
    assert monitor.workload.since == first


def test_a_worker_that_hears_nothing_reconnects(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "reserved_requests", [])
    monkeypatch.setattr(heartbeats, "_DEAF_SECONDS", 2 * heartbeats.HEARTBEAT_SECONDS)
    heartbeat = Heartbeat(client, "me")
    for _ in range(5):
        heartbeat()  # Nothing waits.
    client.rpush(QUEUES[3], "a message")
    heartbeat()
    heartbeat()
    with pytest.raises(ConnectionError, match="messages wait"):
        heartbeat()
    heartbeat()  # It counts anew.


def test_the_step_beats_at_once_and_outlives_a_redis_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    acts: list[str] = []
    timers: list[tuple[float, tuple[object, ...]]] = []

    def fails() -> None:
        acts.append("beat")
        raise redis.ConnectionError

    def sweep() -> None:
        acts.append("sweep")

    timer = SimpleNamespace(
        call_repeatedly=lambda seconds, act, arguments: timers.append((seconds, act, arguments)),
        call_after=lambda seconds, act, arguments: act(*arguments),
    )
    step = care_step(fails, sweep)(SimpleNamespace())  # type: ignore[arg-type]
    step.start(SimpleNamespace(timer=timer))
    assert acts == ["beat", "sweep"]
    assert [seconds for seconds, *_ in timers] == [heartbeats.HEARTBEAT_SECONDS, heartbeats._SWEEP_SECONDS]
