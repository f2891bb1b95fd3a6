"""What an engine leaves behind is removed, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from lettermill.jobs.running.cleanup import Reaper
from tests.support import wait_for

SLEEP = "import time; time.sleep(600)"


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SLEEP, *map(str, arguments)])


def test_after_an_orderly_end_nothing_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "lettermill-engine"
    folder.mkdir()
    worker = start("lettermill", folder)
    try:
        Reaper(folder).release()
        assert worker.poll() is None
        assert folder.is_dir()
    finally:
        worker.kill()
        worker.wait()


def test_after_a_kill_the_processes_and_the_folders_go(tmp_path: Path) -> None:
    folder, second = tmp_path / "lettermill-engine", tmp_path / "short"
    folder.mkdir()
    second.mkdir()
    worker, server = start("lettermill", folder / "x"), start("/bin/valkey-server", f"{second}/valkey.sock")
    editor, other = start(folder / "worker.log"), start("lettermill", tmp_path / "lettermill-other")
    try:
        engine = subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "import os, signal, sys, pathlib\n"
                "from lettermill.jobs.running.cleanup import Reaper\n"
                "Reaper(*map(pathlib.Path, sys.argv[1:]))\n"
                "os.kill(os.getpid(), signal.SIGKILL)",
                str(folder),
                str(second),
            ]
        )
        assert engine.wait(60) == -signal.SIGKILL
        assert worker.wait(60) == server.wait(60) == -signal.SIGKILL
        wait_for(lambda: not folder.exists() and not second.exists(), 30, "the end of the folders")
        assert editor.poll() is None
        assert other.poll() is None
    finally:
        for process in (worker, server, editor, other):
            process.kill()
            process.wait()


def test_a_reaper_that_was_killed_is_no_error(tmp_path: Path) -> None:
    reaper = Reaper(tmp_path)
    os.kill(reaper._process.pid, signal.SIGKILL)
    reaper._process.wait()
    reaper.release()
