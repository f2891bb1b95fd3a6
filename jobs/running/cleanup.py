"""Removes what is left of an engine whose `lettermill run` was killed.

A process that is killed with SIGKILL cannot clean up after itself. So the engine starts a small process that
outlives it, `python -m lettermill.jobs.running.cleanup FOLDER…`, with a pipe to it. An engine that ends in
order writes a word into the pipe. Where the pipe closes without that word, the process kills everything that
has one of the engine's folders in its command line, and deletes the folders.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    import psutil

from lettermill.jobs.machine import python_command

_DONE = b"done"

_SEARCH_SECONDS = 2.0
"""How long processes are searched for: one that the engine has just forked has its command line a little
later."""

_PAUSE_SECONDS = 0.05


class Reaper:
    """The engine's end of the pipe to the process that cleans up.

    Args:
        folders: the engine's folders; the command lines of all its processes contain one of them.
    """

    def __init__(self, *folders: Path) -> None:
        self._process = subprocess.Popen(
            python_command("-m", "lettermill.jobs.running.cleanup", *map(str, folders)),
            stdin=subprocess.PIPE,
            # A session of its own: Ctrl-C in the terminal is not for it.
            start_new_session=True,
        )
        self._input = cast(IO[bytes], self._process.stdin)

    def release(self) -> None:
        """End the process: the engine has cleaned up itself."""
        with contextlib.suppress(BrokenPipeError):  # It was killed.
            self._input.write(_DONE)
            self._input.close()
        self._process.wait()


def wait_and_clean_up(folders: Sequence[str]) -> None:
    """Wait for the end of the engine, and remove what it has left.

    Args:
        folders: the engine's folders.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == _DONE:
        return
    import psutil  # Here, not above: `run` loads this module too, and does not need it.

    deadline = time.monotonic() + _SEARCH_SECONDS
    while time.monotonic() < deadline:
        for process in _processes(folders):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()
        time.sleep(_PAUSE_SECONDS)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _processes(folders: Sequence[str]) -> Iterator[psutil.Process]:
    """Find the engine's servers and workers; a person's editor may have a file of a folder open, too."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()  # None: another user's, or it has just ended.
        line = " ".join(words)
        if any(folder in line for folder in folders) and ("lettermill" in words or "valkey-server" in line):
            yield process


if __name__ == "__main__":
    wait_and_clean_up(sys.argv[1:])
