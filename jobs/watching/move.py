"""Moves a file atomically, also to another disk, and never over another file."""

from __future__ import annotations

import errno
import filecmp
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lettermill.jobs.records.manifest import digest
from lettermill.jobs.storage.atomic import sync_folder


def free_name(source: Path, wanted: Path) -> Path:
    """Return a free path for a file: the wanted one, or one with a number if another file has that.

    A file there with the same content counts as the source itself: an earlier move was interrupted before its
    last step.

    Args:
        source: the file.
        wanted: the path that it should have.

    Raises:
        OSError: one of them cannot be read.
    """
    for path in _numbered(wanted):
        if not os.path.lexists(path) or _same(source, path):
            return path
    raise AssertionError("numbers do not end")


def move(source: Path, target: Path) -> None:
    """Move a file to a path that `free_name` has returned.

    Args:
        source: the file.
        target: its new path; missing folders are made.

    Raises:
        OSError: it cannot be moved; the source stays.
        FileExistsError: another file has taken the path in the meantime.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(target):
        # Of a link the file that it leads to is moved.
        if source.is_symlink() or not _linked(source, target):
            _copy(source, target)
        sync_folder(target.parent)
    elif not _same(source, target):
        raise FileExistsError(errno.EEXIST, "another file has its name", str(target))
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    # The same name in every attempt, so that an interrupted one leaves nothing behind.
    temporary = target.with_name(f".moving-{digest(source)[:16]}")
    try:
        with source.open("rb") as original, temporary.open("wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(source, temporary)
        if not _linked(temporary, target):
            temporary.rename(target)  # Without hard links; the name was free a moment ago.
    finally:
        temporary.unlink(missing_ok=True)


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name; unlike a rename this never overwrites.

    Returns:
        Whether it worked; if not, the two are on different disks, or on one without hard links.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and not other.is_symlink() and filecmp.cmp(one, other, shallow=False)


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
