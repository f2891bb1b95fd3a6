"""The engine of one machine starts, restarts and removes a private server and a worker."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import tempfile
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


@pytest.mark.parametrize("name", ["x" * 120, "a b é %41#?'\"", "plain"])
def test_an_engine_in_a_temporary_folder_of_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    temporary = tmp_path / name
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with LocalEngine(disk_roots(tmp_path, tmp_path), 1) as engine:
        wait_for(lambda: lives(connect(engine.broker)), 60, "a worker")
        socket_folder = Path(engine.broker.removeprefix("redis+socket://")).parent
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        (own,) = temporary.iterdir()  # The worker's temporary files stay where TMPDIR says.
        assert (own / "worker.log").exists()
    assert not socket_folder.exists()
    assert not list(temporary.iterdir())


def test_a_file_system_without_sockets_is_passed_over(tmp_path: Path) -> None:
    folder = local_engine._folder_for_socket(Path("/proc"))
    assert folder.parent in map(Path, local_engine._FOLDERS_FOR_SOCKETS)
    folder.rmdir()


def test_no_folder_for_the_socket_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "_FOLDERS_FOR_SOCKETS", ("/proc", str(tmp_path / "nothing")))
    long = tmp_path / ("x" * 120)
    long.mkdir()
    with pytest.raises(
        EngineFailed, match=r"its path is too long\), /proc \(.*nothing \(No such file"
    ) as failed:
        local_engine._folder_for_socket(long)
    assert "TMPDIR" in failed.value.next_step
    assert not long.exists()


def test_no_temporary_folder_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/proc")
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(EngineFailed, match="TMPDIR is /proc; ") as failed:
        LocalEngine(disk_roots(tmp_path, tmp_path), 1)
    assert "Set TMPDIR" in failed.value.next_step


def test_a_full_temporary_folder_is_named(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with LocalEngine(disk_roots(tmp_path, tmp_path), 1) as engine:
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        assert engine._worker
        engine._worker.kill()
        with pytest.raises(EngineFailed, match="takes no files: No space left"):
            wait_for(engine.revive, 30, "the death")
