"""Locks hold between open files, and end with them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lettermill.jobs.storage.lock import flock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


def test_one_locks_until_the_file_is_closed(path: Path) -> None:
    with path.open() as one, path.open() as other:
        assert flock(one)
        assert not flock(other, wait=False)
        one.close()
        assert flock(other.fileno(), wait=False)


def test_readers_share_a_lock(path: Path) -> None:
    with path.open() as one, path.open() as other, path.open("a") as writer:
        assert flock(one, shared=True)
        assert flock(other, shared=True, wait=False)
        assert not flock(writer, wait=False)


def test_a_lock_ends_with_its_process(path: Path) -> None:
    code = """
import sys, time
from lettermill.jobs.storage.lock import flock
file = open(sys.argv[1])
flock(file)
sys.stdout.write("locked\\n")
sys.stdout.flush()
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"locked\n"
        with path.open() as file:
            assert not flock(file, wait=False)
            child.send_signal(signal.SIGKILL)
            assert flock(file)
