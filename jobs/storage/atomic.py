"""Write files atomically: under its own name, a file is either complete or not there."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import TextIO

from lettermill.jobs.storage.display import not_writable
from lettermill.jobs.storage.lock import flock

FULL_OR_FORBIDDEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Error numbers of a disk or folder that takes no more files, through no fault of what is written."""

TEMPORARY = ".writing-"
"""How the names of files begin that are not complete yet."""


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name only when it is complete.

    The text is written to a temporary file in the same folder and flushed to the disk; then `os.replace`
    gives that file the name. On an exception the temporary file is removed and the old file stays.

    Args:
        path: the file to write; missing parent folders are made.

    Yields:
        The open file, UTF-8, without newline translation (CSV writers bring their own). Lone surrogates
        (bytes of file names that are not UTF-8) are written as the bytes they stand for. Write bytes to its
        `buffer`.

    Raises:
        ResultsNotWritable: the disk is full, read-only or forbidden.
    """
    temporary = _beside(path)
    of_another_file = False
    unfinished = True  # Before the file is there: Ctrl-C may come at any moment.
    try:
        binary = _created(temporary)
        with io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
                yield file
            except OSError as error:
                of_another_file = error.filename is not None  # An error of writing names no file.
                raise
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105
            unfinished = False
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN and not of_another_file:
            raise not_writable(path, error) from error
        raise
    finally:
        if unfinished:
            with contextlib.suppress(OSError):  # The file was not made, nor its folder.
                Path(temporary).unlink()


def replace_small_file(path: str, content: bytes) -> None:
    """Write a small file atomically but not durably: one of thousands, which can be made again at any time.

    It appears under its name only when it is complete, however processes die. Unlike `atomic_write` it does
    not wait for the disk: after a power cut the file may be empty.

    Args:
        path: the file to write; missing parent folders are made.
        content: its bytes.

    Raises:
        ResultsNotWritable: the disk is full, read-only or forbidden.
        OSError: no file can have this path.
    """
    temporary = _beside(path)
    try:
        with _created(temporary) as file:
            file.write(content)
            file.flush()
            os.replace(temporary, path)  # noqa: PTH105 - pathlib would take as long as all the rest
    except BaseException as error:
        with contextlib.suppress(OSError):  # The file was not made, nor its folder.
            Path(temporary).unlink()
        if isinstance(error, OSError) and error.errno in FULL_OR_FORBIDDEN:
            raise not_writable(path, error) from error
        raise


def write_small_file(path: str, content: bytes) -> None:
    """Write a small file into a temporary folder, which itself appears under its name later, or never.

    Args:
        path: the file to write; missing parent folders are made.
        content: its bytes.

    Raises:
        As `replace_small_file`.
    """
    try:
        try:
            file = open(path, "wb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "wb")  # noqa: PTH123, SIM115
        with file:
            file.write(content)
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN:
            raise not_writable(path, error) from error
        raise


def _beside(path: Path | str) -> str:
    """Return a path for a temporary file in the same folder, which `os.replace` can move to the path."""
    name = f"{TEMPORARY}{secrets.token_hex(8)}"
    return os.path.join(os.path.dirname(path), name)  # noqa: PTH118, PTH120


def _created(path: str) -> BufferedWriter:
    """Create a temporary file, which stays locked while it is open: `remove_abandoned` leaves it alone."""
    while True:
        try:
            file = open(path, "xb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            continue
        flock(file)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # `remove_abandoned` removed it before it was locked.


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files below a folder whose processes were killed while they wrote them.

    A file that is still being written is locked by its process, and stays.
    """
    for inner, _, names in os.walk(folder):
        for name in names:
            if name.startswith(TEMPORARY):
                path = Path(inner) / name
                # It may take its name at this moment, or belong to another user.
                with contextlib.suppress(FileNotFoundError, PermissionError), path.open("rb") as file:
                    if flock(file, wait=False):
                        path.unlink()


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file for reading; opening a pipe in its place would wait for ever.

    Raises:
        OSError: it is no regular file, does not exist, or may not be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(handle, "rb")


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk: without them a new file would not outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
