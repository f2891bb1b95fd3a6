"""The guard of an engine: a small process that outlives `lettermill run` and takes away what is left of it.

A process that is killed with SIGKILL cannot clean up after itself. So the engine starts
`python -m lettermill.jobs.running.cleanup FOLDER` with a pipe to it. Where the engine ends in order it says
so through the pipe.
Where the pipe closes without a word, the guard kills what belongs to the engine, told by the engine's
folder in its command line, and deletes the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from lettermill.jobs.machine import python_command

_DONE = b"done"

_LOOK_SECONDS = 2.0
"""For so long a process may be on its way: forked by the engine, and not yet under its own command line."""


class Guard:
    """The engine's side of its guard.

    Args:
        folder: the engine's folder, which stands in the command lines of all its processes.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            python_command("-m", "lettermill.jobs.running.cleanup", str(folder)),
            stdin=subprocess.PIPE,
            # A session of its own: Ctrl-C in the terminal is not for it.
            start_new_session=True,
        )
        self._input = cast(IO[bytes], self._process.stdin)

    def release(self) -> None:
        """Let the guard go: the engine has taken everything away itself."""
        with contextlib.suppress(BrokenPipeError):  # It was killed.
            self._input.write(_DONE)
            self._input.close()
        self._process.wait()


def _serve(folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == _DONE:
        return
    deadline = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < deadline:
        for process in _processes(folder):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _processes(folder: str) -> Iterator[int]:
    """Find the engine's servers and workers; a person may look at a file in the folder, too."""
    for process, words in _command_lines():
        if folder in words and ("valkey-server" in words or "lettermill" in words):
            yield process


def _command_lines() -> Iterator[tuple[int, str]]:
    if sys.platform == "linux":
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # It has just ended.
                yield int(path.parent.name), os.fsdecode(path.read_bytes())
    else:
        listed = subprocess.run(["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            process, _, words = line.strip().partition(" ")
            yield int(process), words


if __name__ == "__main__":
    _serve(sys.argv[1])
