"""The engine of one machine starts, restarts and removes a private server and a worker."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest
import redis

from lettermill.jobs.errors import EngineFailed
from lettermill.jobs.queue.celery_app import connect
from lettermill.jobs.queue.workers import live_workers
from lettermill.jobs.running import local_engine
from lettermill.jobs.running.local_engine import LocalEngine
from tests.support import disk_roots, wait_for


def lives(client: redis.Redis) -> bool:
    try:
        return bool(live_workers(client))
    except redis.RedisError:
        return False


def test_an_engine_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERMILL_METRICS", "no port")  # Meant for a worker of a fleet.
    others = psutil.Process().children(recursive=True)  # Of tests before this one.
    with LocalEngine(disk_roots(tmp_path, tmp_path), 1) as engine:
        client = connect(engine.broker)
        folder = Path(engine.broker.removeprefix("redis+socket://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        wait_for(lambda: lives(client), 60, "a worker")
        assert not engine.revive()
        assert "worker_started" in engine.log_end()
        children = [child for child in psutil.Process().children(recursive=True) if child not in others]
        (worker, *_) = [child for child in children if "worker" in child.cmdline()]
        os.kill(worker.pid, signal.SIGKILL)
        wait_for(engine.revive, 30, "a death to be noticed")
        assert not engine.revive()
        engine.stop()
    assert not folder.exists()
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]


def test_an_engine_that_does_not_stay_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_engine, "_MOST_RESTARTS_IN_A_ROW", 1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LocalEngine(disk_roots(tmp_path, tmp_path), 1) as engine:
        wait_for(engine.revive, 30, "the first death")
        with pytest.raises(EngineFailed, match="the worker ended, after 1 restarts"):
            wait_for(engine.revive, 30, "the second death")
