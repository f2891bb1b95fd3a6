"""Writing files so that nothing is ever half-written, and names as people can read them."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from jobs.errors import ResultsNotWritable

FULL_OR_FORBIDDEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Error numbers of a disk or folder that takes no more files, through no fault of what is written."""


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
    temporary: Path | None = None
    of_another_file = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
                yield file
            except OSError as error:
                of_another_file = error.filename is not None  # Writing to an open file names none.
                raise
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN and not of_another_file:
            raise ResultsNotWritable(
                f"cannot write {shown(path)}: {error.strerror}",
                "Free some space or correct the folder's permissions, then give the same command again.",
            ) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def shown(path: Path | str) -> str:
    r"""Return a path as a person can read it: bytes that are not UTF-8 show as \xNN."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
