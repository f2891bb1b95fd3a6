"""The guard of an engine: a small process that outlives `lettermill run` and takes away what is left of it.

A process that is killed with SIGKILL cannot clean up after itself. So the engine starts
`python -m jobs.guard FOLDER`, which reads from its standard input what runs at present: a line each time that
changes, the numbers of all processes, negative for a process with its whole group. When the input closes, for
whatever reason, the guard kills what the last line names and deletes the engine's folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast


class Guard:
    """The engine's side of its guard.

    Args:
        folder: what is deleted at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            # -P: a folder named jobs where the user stands must not be taken for ours.
            [sys.executable, "-P", "-m", "jobs.guard", str(folder)],
            stdin=subprocess.PIPE,
            # A session of its own: Ctrl-C in the terminal is not for it.
            start_new_session=True,
        )
        self._input = cast(IO[bytes], self._process.stdin)

    def watch(self, processes: Iterable[int]) -> None:
        """Say what is to end with this process, in place of what was said before.

        Args:
            processes: their numbers, negative for a process with its group.
        """
        # A guard that was killed guards nothing; the engine's own way out does not need it.
        with contextlib.suppress(BrokenPipeError):
            self._input.write(" ".join(map(str, processes)).encode() + b"\n")
            self._input.flush()

    def release(self) -> None:
        """Have the guard take away what is left, and wait for it."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._process.wait()


def _serve(folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    (last,) = deque(sys.stdin, maxlen=1) or [""]
    for process in map(int, last.split()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
