"""Writing files so that nothing is ever half-written, and names as people can read them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import TextIO

from lettermill.jobs.errors import ResultsNotWritable

FULL_OR_FORBIDDEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Error numbers of a disk or folder that takes no more files, through no fault of what is written."""

TEMPORARY = ".writing-"
"""How names begin of what is not complete yet."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name only when it is complete.

    The text goes to a temporary file in the same folder, is flushed to the disk, and takes the name by
    `os.replace`. On an exception the temporary file is removed and the old file stays.

    Args:
        path: the file to write; missing parent folders are made.

    Yields:
        The open file, UTF-8, without newline translation (CSV writers bring their own). Lone surrogates
        (bytes of file names that are not UTF-8) are written as the bytes they stand for. What is no text
        goes to its `buffer`.

    Raises:
        ResultsNotWritable: the disk is full, read-only or forbidden.
    """
    temporary = _beside(path)
    of_another_file = unfinished = False
    try:
        binary = _created(temporary)
        with io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape", newline="") as file:
            unfinished = True
            try:
                yield file
            except OSError as error:
                of_another_file = error.filename is not None  # Writing to an open file names none.
                raise
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105
            unfinished = False
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN and not of_another_file:
            raise _not_writable(path, error) from error
        raise
    finally:
        if unfinished:
            Path(temporary).unlink(missing_ok=True)


def put_whole(path: str, content: bytes) -> None:
    """Write a small file of which there are thousands, and which can be made again at any time.

    It appears under its name only when it is complete, however processes die. It does not wait for the disk,
    as `written_whole` does: after a power cut the file may be empty.

    Args:
        path: the file to write; missing parent folders are made.
        content: its bytes.

    Raises:
        ResultsNotWritable: the disk is full, read-only or forbidden.
        OSError: the path can have no file, for a reason of its own.
    """
    temporary = _beside(path)
    try:
        with _created(temporary) as file:
            file.write(content)
            file.flush()
            os.replace(temporary, path)  # noqa: PTH105 - pathlib would take as long as all the rest
    except BaseException as error:
        with contextlib.suppress(OSError):  # There is none, or no folder for it.
            Path(temporary).unlink()
        if isinstance(error, OSError) and error.errno in FULL_OR_FORBIDDEN:
            raise _not_writable(path, error) from error
        raise


def put(path: str, content: bytes) -> None:
    """Write a small file into a folder that appears as a whole later, or not at all.

    Args:
        path: the file to write; missing parent folders are made.
        content: its bytes.

    Raises:
        As `put_whole`.
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
            raise _not_writable(path, error) from error
        raise


def _beside(path: Path | str) -> str:
    """Return a name for a temporary file that can take the path's name."""
    name = f"{TEMPORARY}{secrets.token_hex(8)}"
    return os.path.join(os.path.dirname(path), name)  # noqa: PTH118, PTH120


def _created(path: str) -> BufferedWriter:
    """Create a temporary file, which is locked as long as it is open."""
    while True:
        try:
            file = open(path, "xb")  # noqa: PTH123, SIM115
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            continue
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # `remove_abandoned` was quicker.


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files, below a folder, of processes that were killed while they wrote them.

    One that is still written is locked by its process, and stays.
    """
    for inner, _, names in os.walk(folder):
        for name in names:
            if name.startswith(TEMPORARY):
                # It may take its name at this moment, or belong to somebody else.
                with contextlib.suppress(FileNotFoundError, PermissionError, BlockingIOError):
                    path = Path(inner) / name
                    with path.open("rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()


def _not_writable(path: Path | str, error: OSError) -> ResultsNotWritable:
    return ResultsNotWritable(
        f"cannot write {display_path(path)}: {error.strerror}",
        "Free some space or correct the folder's permissions, then give the same command again.",
    )


def opened(path: Path | str) -> BufferedReader:
    """Open a file of a job folder for reading, if it is one: whoever opens a pipe waits for ever.

    Raises:
        OSError: it is none, is not there, or may not be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(handle, "rb")


def sync_folder(folder: Path) -> None:
    """Put on the disk which names a folder has: a new file's content alone does not outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def display_path(path: object) -> str:
    r"""Return a path as a person can read it: bytes that are not UTF-8 show as \xNN."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")
