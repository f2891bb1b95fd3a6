"""The monitor writes how a worker is while its main loop stands still; test_health.py has a real worker."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import redis

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.queue.celery_app import connect
from lettermill.worker.service import monitor as monitors
from lettermill.worker.service.health_file import Health
from lettermill.worker.service.monitor import Monitor, Workload
from tests.support import free_port, wait_for


def written(file: Path) -> Health:
    return msgspec.json.decode(file.read_bytes(), type=Health)


def test_it_writes_what_it_was_told_and_leaves_no_file(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitors, "HEARTBEAT_SECONDS", 0.05)
    file = tmp_path / "health"
    monitor = Monitor(client, file, None)
    monitor.start()
    try:
        assert (written(file).pages, written(file).last_page, written(file).redis_silent) == (0, None, 0)
        monitor.note(Workload(3, time.monotonic() - 7, 300, time.monotonic() - 60))
        wait_for(lambda: written(file).pages == 3, what="the workload")
        said = written(file)
        assert (round(said.at_work), said.limit, round(said.last_page or 0)) == (7, 300, 60)
    finally:
        monitor.stop()
    assert not file.exists()


def test_a_redis_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "HEARTBEAT_SECONDS", 0.05)
    file = tmp_path / "health"
    monitor = Monitor(connect(f"redis://127.0.0.1:{free_port()}/0"), file, None)
    monitor.start()
    try:
        wait_for(lambda: written(file).redis_silent > 0, what="Redis to be missed")
        assert written(file).deaf == 0  # Where Redis is silent nobody can hear it.
    finally:
        monitor.stop()


def test_a_file_that_cannot_be_written_is_refused(client: redis.Redis, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(UsageProblem, match="--health"):
        Monitor(client, tmp_path / "taken" / "health", None).start()
