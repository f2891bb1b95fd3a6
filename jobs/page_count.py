"""Counting the pages of documents in a child process, so that a hostile file cannot harm a submit.

Run as `python -m jobs.page_count` it is that child: a JSON string (a path) a line in, a number a line
out, 0 where the file cannot be opened.
"""

from __future__ import annotations

import contextlib
import json
import resource
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_SECONDS_A_FILE = 60
_MEMORY = 4 << 30
"""Address space of the child in bytes: enough for the page table of any honest document."""


class PageCounter:
    """Counts pages of TIFF and PDF files in a child process; use it as a context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def count(self, path: Path) -> int:
        """Return the number of pages, at least 1.

        A file that cannot be counted counts as one page: the worker that opens it records why it fails.

        Args:
            path: a TIFF or PDF file.
        """
        if self._child and self._child.poll() is not None:
            self._end()  # It died after its last answer: this file is not to blame.
        child = self._child or self._start()
        assert child.stdin and child.stdout
        try:
            child.stdin.write(json.dumps(str(path)).encode() + b"\n")
            child.stdin.flush()
            ready, _, _ = select.select([child.stdout], [], [], _SECONDS_A_FILE)
            answer = child.stdout.readline() if ready else b""
        except BrokenPipeError:
            answer = b""
        if not answer.strip():
            self._end()
            return 1
        return max(1, int(answer)) if answer.strip().isdigit() else 1

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(
            # -P: a folder named jobs where the user stands must not be taken for ours.
            [sys.executable, "-P", "-m", "jobs.page_count"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._child

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._child = None


def _serve() -> None:
    from jobs.scans import count_pages

    with contextlib.suppress(ValueError, OSError):  # macOS refuses an address-space limit.
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for line in sys.stdin:
        try:
            pages = count_pages(Path(json.loads(line)))
        except Exception:  # Whatever it is: the worker that opens the file records it.
            pages = 0
        sys.stdout.write(f"{pages}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
