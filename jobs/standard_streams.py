"""Makes standard output say what it does not take, and standard error never be what stops a command.

A log on a full disk, a reader that has ended, a closed stream: without this each ends a command with a
traceback, some of them before a page is read, or lets a scan's results run into the wrong file.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

from lettermill.jobs.errors import ResultsNotWritable

_OUTPUT, _ERROR = 1, 2
_CLOSED = ((0, os.O_RDONLY), (_OUTPUT, os.O_RDONLY), (_ERROR, os.O_WRONLY))
"""How closed streams are opened on nothing, by number: writing to standard output still fails then."""

_WHY = {errno.EBADF: "it is closed", errno.EPIPE: "its reader has ended"}
"""Errors whose own words say nothing to a person."""


def set_up_streams() -> None:
    """Replace the standard streams of this process; to be called before any file is opened."""
    for number, mode in _CLOSED:
        try:
            os.fstat(number)
        except OSError:
            # The next file that is opened would get this number, and what is printed.
            os.set_inheritable(os.open(os.devnull, mode), True)
    for number in (_OUTPUT, _ERROR):
        os.set_blocking(number, True)  # The program that started this one may read slowly.
    sys.stdout = _text(_Output(_OUTPUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Messages(_ERROR, "w", closefd=False), sys.stderr)


class _Output(io.FileIO):
    """Standard output."""

    def write(self, content: ReadableBuffer, /) -> int:
        """Write bytes.

        Raises:
            ResultsNotWritable: they cannot be written; what is written from now on is dropped.
        """
        try:
            return super().write(content)
        except OSError as error:
            # What is still in a buffer must not fail once more when the process ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _OUTPUT)
            os.close(nowhere)
            raise ResultsNotWritable(
                f"cannot write to standard output: {_WHY.get(error.errno or 0) or error.strerror}",
                "Files that the command wrote are complete. Send its output to where there is room, and give "
                "the same command again.",
            ) from error


class _Messages(io.FileIO):
    """Standard error: what it does not take is dropped, for there is no other place to say so."""

    def write(self, content: ReadableBuffer, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes


def _text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    """Return a text stream with the encoding of the one that it replaces.

    Characters that the encoding lacks are written as `\\u2192`: a summary in Latin-1 is better than none.
    """
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="surrogateescape" if before and before.errors == "surrogateescape" else "backslashreplace",
        line_buffering=raw.isatty() or raw.fileno() == _ERROR,
    )
