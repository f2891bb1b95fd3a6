"""Moving a file to a folder of its own: whole or not at all, across disks too, and over no other file."""

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
    """Return where a file can go: under the wanted name, or with a number where another file has that.

    A file that lies there with the same content counts as the source itself: an earlier move was cut off
    before its last step.

    Args:
        source: the file.
        wanted: the path that it should get.

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
        # A link, for its name is not where it leads: what is there goes along.
        if source.is_symlink() or not _linked(source, target):
            _copy(source, target)
        sync_folder(target.parent)
    elif not _same(source, target):
        raise FileExistsError(errno.EEXIST, "another file has its name", str(target))
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    # The same name in every try, so that one that was cut off leaves nothing behind.
    temporary = target.with_name(f".moving-{digest(source)[:16]}")
    try:
        with source.open("rb") as original, temporary.open("wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
        shutil.copystat(source, temporary)
        if not _linked(temporary, target):
            temporary.rename(target)  # The name was free a moment ago.
    finally:
        temporary.unlink(missing_ok=True)


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name, which fails where that is taken: a rename would overwrite.

    Returns:
        Whether it has it; if not, the two are on different disks, or on one without hard links.
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
