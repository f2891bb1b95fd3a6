"""Counts how often each page of a job was begun, in a small file per page that outlives its process.

A page that takes its process down every time is found by these counts. A file has one line per attempt and
is deleted once the page has a result.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from lettermill.jobs.storage.display import not_writable
from lettermill.jobs.storage.place import Place

MAX_ATTEMPTS = 3
"""A page that was begun this often without a result is quarantined."""

FOLDER = "attempts"

_BEGUN = "begun"
_TAKEN_BACK = "taken back"
_LOST = "lost "


class Attempts:
    """The attempts at the pages of one job that have no result yet.

    Args:
        job_folder: the job folder; the files lie in attempts/ below it.
    """

    def __init__(self, job_folder: Place) -> None:
        self._job_folder = job_folder

    @contextlib.contextmanager
    def begin(self, page_id: str) -> Iterator[int | None]:
        """Record that a page is about to be opened, and hold it until its result is written.

        The line survives the process, but not necessarily a power cut: it is there to count processes that
        died. The lock (flock) ends with the process. It keeps a message that is delivered twice from being
        read by two processes at once, which would count as two attempts.

        Yields:
            The number of this attempt, from 1; None where another process is reading the page.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        path = self._path(page_id)
        with contextlib.ExitStack() as stack:
            try:
                self._job_folder.make_folder(f"{FOLDER}/{page_id[:2]}")
                # No two lines are the same: a store may append one twice where an answer is lost.
                content = stack.enter_context(path.begin(f"{_BEGUN} {secrets.token_hex(6)}"))
            except OSError as error:
                raise not_writable(path, error) from error
            yield None if content is None else _count(_lines(content))

    def take_back(self, page_id: str) -> None:
        """Do not count the attempt that was just begun: it failed for a reason that is not the page's.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        self._append(page_id, _TAKEN_BACK)

    def note_loss(self, page_id: str, cause: str) -> None:
        """Record why the last attempt had no result.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        self._append(page_id, _LOST + cause)

    def count(self, page_id: str) -> int:
        """Return how many attempts were begun since the page last had a result."""
        return _count(self._read(page_id))

    def last_loss(self, page_id: str) -> str:
        """Return the last known cause of a lost attempt, or an empty string."""
        losses = [line.removeprefix(_LOST) for line in self._read(page_id) if line.startswith(_LOST)]
        return losses[-1] if losses else ""

    def forget(self, page_id: str) -> None:
        """Delete the attempts at a page: it has a result."""
        self._path(page_id).unlink(missing_ok=True)

    def forget_lost(self) -> None:
        """Delete the attempts at all pages that no process is reading, so that they are tried afresh."""
        (self._job_folder / FOLDER).unlink_free()

    def _path(self, page_id: str) -> Place:
        return self._job_folder / FOLDER / page_id[:2] / f"{page_id}.log"

    def _append(self, page_id: str, line: str) -> None:
        path = self._path(page_id)
        try:
            path.append(line)
        except OSError as error:
            raise not_writable(path, error) from error

    def _read(self, page_id: str) -> list[str]:
        path = self._path(page_id)
        try:
            return _lines(path.parent.read(path.name))
        except FileNotFoundError:
            return []


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="replace").splitlines()


def _count(lines: list[str]) -> int:
    return sum(line.startswith(_BEGUN) for line in lines) - lines.count(_TAKEN_BACK)
