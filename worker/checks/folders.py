"""Checks the scan root and the result root: on a disk or in an object store, with rights, locks and space."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.storage.atomic import replace_small_file
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.lock import flock
from lettermill.jobs.storage.place import Place
from lettermill.worker.checks.finding import Finding, Level

_GIGABYTE = 1 << 30

_LOW_SPACE_BYTES, _NO_SPACE_BYTES = 5 * _GIGABYTE, 100 << 20

_LOW_INODES = 50_000

MAX_CLOCK_DIFFERENCE_SECONDS = 5.0
"""Heartbeats are as far apart, and smaller differences have no effect."""

_TIMESTAMP_SECONDS = 0.1
"""File timestamps may be this far off: they are as coarse as the system's timer."""


def check_scans(root: Place | None) -> Iterator[Finding]:
    """Check that scans can be listed and read.

    Args:
        root: the scan root; None if it was not given.
    """
    if root is None:
        yield Finding("scans", Level.NOT_CHECKED, "--scans was not given")
    elif isinstance(root, Disk):
        yield _scans_on_disk(root)
    else:
        yield _in_store("scans", root, "answers", root.is_folder)


def _scans_on_disk(root: Disk) -> Finding:
    try:
        # The dot needs the right to enter the folder as well as the right to list it.
        with os.scandir(root / ".") as entries:
            empty = next(entries, None) is None
    except OSError as error:
        return Finding(
            "scans",
            Level.WRONG,
            f"cannot read {display_path(root)}: {error.strerror}",
            "Correct the path, mount the disk, or give this user the right to read it.",
        )
    if empty:
        return Finding(
            "scans", Level.WARNING, f"{display_path(root)} is empty", "Check that the disk is mounted."
        )
    return Finding("scans", Level.OK, f"{display_path(root)} can be read")


def check_results(root: Place | None) -> Iterator[Finding]:
    """Check that results can be written, and on a disk also its locks, clock and free space.

    Args:
        root: the result root; None if it was not given.
    """
    if root is None:
        yield Finding("results", Level.NOT_CHECKED, "--results was not given")
    elif isinstance(root, Disk):
        yield from _results_on_disk(root)
    else:
        success = "can be listed, written once, read and deleted in"
        yield _in_store("results", root, success, lambda: _try_store(root))


def _results_on_disk(root: Disk) -> Iterator[Finding]:
    # The name begins with a dot, so that no worker takes the folder for a job.
    trial = root / f".doctor-{secrets.token_hex(8)}"
    try:
        trial.mkdir()
        try:
            ahead = _try_disk(trial)
        finally:
            shutil.rmtree(trial)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            what, todo = "files cannot be locked", "Mount the disk with locks (NFS 4, or NFS 3 with lockd)."
        else:
            what = f"cannot write: {error.strerror}"
            todo = "Correct the path, or give the folder to the user that runs the workers."
        yield Finding("results", Level.WRONG, f"{display_path(root)}: {what}", todo)
        return
    yield Finding("results", Level.OK, f"{display_path(root)} can be written, renamed and locked in")
    yield _clock_of_disk(ahead)
    yield _space(root)


def _try_disk(folder: Path) -> float:
    """Write, rename and lock as workers do.

    Returns:
        By how many seconds the disk's clock is ahead of this machine's; negative if it is behind.

    Raises:
        OSError: the disk does not allow it.
    """
    replace_small_file(str(folder / "file"), b"x")
    before = time.time()
    with (folder / "locked").open("wb") as file:
        if not flock(file, wait=False):
            raise BlockingIOError(errno.EAGAIN, "a new file is locked already")
        file.write(b"x")
    written = (folder / "locked").stat().st_mtime
    behind = min(0.0, written - before + _TIMESTAMP_SECONDS)
    # Compared with the time after the write, so that a slow disk does not look like a wrong clock.
    return behind or max(0.0, written - time.time() - _TIMESTAMP_SECONDS)


def _clock_of_disk(ahead: float) -> Finding:
    if abs(ahead) <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return Finding("clock of results", Level.OK, "the disk's clock agrees with this machine's")
    return Finding(
        "clock of results",
        Level.WARNING,
        f"the disk's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
        "Set the clocks of this machine and of the file server by NTP.",
    )


def _space(folder: Path) -> Finding:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    said = f"{free / _GIGABYTE:.1f} GiB free"
    todo = "Free some, or use a larger disk. A page takes one file, of about 1 kB per letter."
    if free < _NO_SPACE_BYTES:
        return Finding("space for results", Level.WRONG, said, todo)
    if status.f_files and status.f_favail < _LOW_INODES:
        said = f"{said}, but only {status.f_favail} more files"
        return Finding("space for results", Level.WARNING, said, todo)
    if free < _LOW_SPACE_BYTES:
        return Finding("space for results", Level.WARNING, said, todo)
    return Finding("space for results", Level.OK, said)


def _in_store(check: str, root: Place, success: str, attempt: Callable[[], object]) -> Finding:
    """Make an attempt in an object store and report how it went."""
    try:
        attempt()
    except LettermillError as error:
        return Finding(check, Level.WRONG, error.what, error.next_step)
    except OSError as error:
        return Finding(
            check,
            Level.WRONG,
            f"{root}: {error.strerror}",
            "Correct the bucket's name or the rights of these credentials: docs/object-stores.md lists them.",
        )
    return Finding(check, Level.OK, f"{root} {success}")


def _try_store(root: Place) -> None:
    """Create, list, read and delete an object as workers do.

    Raises:
        OSError: the store does not do what it should.
    """
    trial = root / f".doctor-{secrets.token_hex(8)}"
    try:
        first, second = trial.create(b"x"), trial.create(b"y")
        list((root / trial.name).names())
        if (first, second) != (True, False) or root.read(trial.name) != b"x":
            raise OSError(errno.ENOTSUP, "it overwrites what may be written only once (If-None-Match)")
    finally:
        trial.unlink()
