"""Moves the scans of a watched folder when they are done with, and puts back those that change afterwards.

A scanner may pause within a file for longer than it takes to settle, and a file server makes an empty file
before it has the content. So a scan that was not read is moved only when it has not changed for a further
while. Who writes a file goes on writing it where it was moved to on the same disk: what changes there comes
back.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import click

from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.watching.journal import Failure, Journal, Scan
from lettermill.jobs.watching.move import free_name, move

FINAL_SECONDS = 60
"""A scan that was not read is moved when it has not changed for this long after that: scanners pause for the
next sheet or a full network, and an NFS client may show a size that is up to a minute old."""

_LOOK_BACK_SECONDS = 600
"""For how long after a move a change is noticed. Who has not gone on writing by then has ended."""


class _Moved(NamedTuple):
    """A scan after its move.

    Attributes:
        path: its path below the watched folder.
        version: what it was then; with another size or time somebody has written to it.
        until: a change is noticed until then, on the monotonic clock.
    """

    path: str
    version: Scan
    until: float


class PutAside:
    """What is done with the scans of finished batches.

    Args:
        folder: the watched folder.
        done: gets the scans that were read; None leaves them where they are.
        failed: gets the scans that were not read.
        journal: has the scans that were not read and wait to be moved.
    """

    def __init__(self, folder: Path, done: Path | None, failed: Path, journal: Journal) -> None:
        self._folder, self._done, self._failed, self._journal = folder, done, failed, journal
        self._unchanged_since: dict[Scan, float] = {}
        self._moved: dict[Path, _Moved] = {}
        self._came_back: set[str] = set()

    def move_read(self, scan: Scan) -> None:
        """Move a scan that was read, unless it is to stay, is gone or has changed.

        Raises:
            ResultsNotWritable: it cannot be moved.
        """
        if self._done and Scan.at(self._folder, scan.path) == scan:
            self._move(scan, _free_name(self._folder / scan.path, self._done / scan.path))

    def look(self) -> None:
        """Move scans that were not read and do not change any more; put back scans that changed elsewhere.

        Raises:
            ResultsNotWritable: a scan cannot be moved, or the journal cannot be written.
        """
        now = time.monotonic()
        for scan, failure in list(self._journal.failed.items()):
            since = self._unchanged_since.setdefault(scan, now)
            if Scan.at(self._folder, scan.path) != scan:
                say(f"{_quoted(scan.path)} is gone or was changed: it is read when it has settled")
            elif now - since < FINAL_SECONDS:
                continue
            else:
                self._move_failed(scan, failure)
            self._journal.released([scan])
            del self._unchanged_since[scan]
        for place, moved in list(self._moved.items()):
            there = Scan.at(place.parent, place.name)
            if there and there != moved.version:
                self._put_back(place, moved.path)
            if there != moved.version or now > moved.until:
                del self._moved[place]

    def _move_failed(self, scan: Scan, failure: Failure) -> None:
        """Move a scan that was not read, with the reasons beside it."""
        source = self._folder / scan.path
        target = _free_name(source, self._failed / scan.path)
        try:
            with atomic_write(_note(target)) as file:
                file.write(failure.note)
        except OSError as error:  # A file has the name of a folder.
            raise _not_moved(source, target, error) from error
        self._move(scan, target)
        say(f"{_quoted(scan.path)}: {failure.code}, moved to {display_path(target)}")

    def _move(self, scan: Scan, target: Path) -> None:
        source = self._folder / scan.path
        number = source.lstat().st_ino
        _move(source, target)
        version = Scan.at(target.parent, target.name)
        # A copy on another disk is no file that its writer has open.
        if version and target.stat().st_ino == number:
            self._moved[target] = _Moved(scan.path, version, time.monotonic() + _LOOK_BACK_SECONDS)

    def _put_back(self, place: Path, path: str) -> None:
        """Move a scan back into the watched folder, but once: some program may change whatever is moved."""
        if path in self._came_back:
            say(f"{_quoted(path)} was changed again after it was moved; it stays: {display_path(place)}")
            return
        _move(place, _free_name(place, self._folder / path))
        self._came_back.add(path)
        _note(place).unlink(missing_ok=True)
        say(f"{_quoted(path)} was changed after it was moved: it is put back, and read when it has settled")


def say(line: str) -> None:
    """Print a line about what happens to the folder."""
    click.echo(line, err=True)


def _note(scan: Path) -> Path:
    return scan.with_name(f"{scan.name}.txt")


def _quoted(path: str) -> str:
    return repr(display_path(path))


def _free_name(source: Path, wanted: Path) -> Path:
    try:
        return free_name(source, wanted)
    except OSError as error:
        raise _not_moved(source, wanted, error) from error


def _move(source: Path, target: Path) -> None:
    try:
        move(source, target)
    except OSError as error:
        raise _not_moved(source, target, error) from error


def _not_moved(source: Path, target: Path, error: OSError) -> ResultsNotWritable:
    next_step = "Free some space or correct the permissions of both folders."
    return not_writable(target, error, f"move {display_path(source)} to", next_step)
