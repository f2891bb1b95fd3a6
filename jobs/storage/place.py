"""Define what a place is: a folder or a file, on a disk or in an object store.

The rest of jobs/ and worker/ names files through `Place` alone, and so works with both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol, Self, TextIO


class Place(Protocol):
    """A folder or a file, on a disk (`Disk`) or in an object store (`Bucket`).

    What has a name of `pathlib` does what it does there. What each method does is documented here alone; a
    method of `Disk` or `Bucket` has a docstring of its own where it does more, or less.
    """

    at_once: int
    """How many files are best read or written at the same time."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    @property
    def parent(self) -> Self:
        """The folder that holds this place."""

    def __hash__(self) -> int:
        """Return a hash; two places with the same path are equal."""

    def __truediv__(self, below: str, /) -> Self:
        """Return the place with a path below this one."""

    def below(self, root: Place) -> str:
        """Return the path of this place below a folder, with `/`.

        Raises:
            ValueError: it is not below that folder.
        """

    def resolve(self) -> Self:
        """Return the place with an absolute path, without links."""

    def exists(self) -> bool:
        """Return whether the file exists; a bucket has no folders."""

    def is_folder(self) -> bool:
        """Return whether the folder exists."""

    def version(self) -> str:
        """Return a word that changes with the file's content; empty where there is no file."""

    def opened(self, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading from a byte offset.

        Raises:
            OSError: it does not exist, is no file, or may not be read.
        """

    def read(self, below: str) -> bytes:
        """Return the content of a file below this folder.

        Raises:
            OSError: as `opened`.
        """

    def atomic_write(self) -> AbstractContextManager[TextIO]:
        """Open a file for writing that appears only when it is complete, as `atomic.atomic_write`."""

    def write(self, content: bytes) -> None:
        """Write a file atomically and durably.

        Raises:
            ResultsNotWritable: it cannot be written.
        """

    def create(self, content: bytes) -> bool:
        """Write a file atomically unless it exists; return whether this call wrote it."""

    def renew(self) -> None:
        """Change the file's `version` and nothing else."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file."""

    def make(self) -> None:
        """Make this folder and those above it; a bucket needs no folders."""

    def make_folder(self, below: str) -> None:
        """Make a folder below this one, which must exist; a bucket needs no folders."""

    def names(self) -> Iterator[str]:
        """Yield the names of the files in the folders of this folder, without the folders' names."""

    def begin(self, line: str) -> AbstractContextManager[bytes | None]:
        """Append a line to a file and lock the file against other processes that begin it on this disk.

        Yields:
            The file's content with the line; None where another process has the lock: then nothing is
            appended.
        """

    def append(self, line: str) -> None:
        """Append a line to a file."""

    def held(self, wait: bool) -> AbstractContextManager[bool]:
        """Lock a lock file, and make it where it does not exist.

        Args:
            wait: whether to wait until it is free.

        Yields:
            Whether it is locked; always true where there are no locks (in a bucket).

        Raises:
            ResultsNotWritable: the file cannot be made.
        """

    def is_held(self) -> bool:
        """Return whether another process of this machine has locked this lock file; never so in a bucket."""

    def last_change(self) -> float | None:
        """Return when a file in the folders of this folder was last made or deleted; None if there is none.

        Returns:
            Seconds since 1970.
        """

    def unlink_free(self) -> None:
        """Delete the files in the folders of this folder that no process has locked by `begin`."""

    def remove_abandoned(self) -> None:
        """Delete what killed processes left half-written below this folder."""

    def folders_with(self, name: str) -> Iterator[Self]:
        """Yield the folders, from this one down, that hold a file of this name; none is searched further.

        Raises:
            NotAJob: this folder does not exist, or may not be listed.
        """

    def files(self, others: list[str] | None = None) -> Iterator[str]:
        """Yield the paths below this folder of all files, with `/`; those of `hidden.is_hidden` are left out.

        Args:
            others: gets the paths of what is neither a file nor a folder: links to folders, which are not
                followed, so that the walk always ends; links to nothing, pipes, devices.

        Raises:
            UsageProblem: the folder cannot be listed.
        """

    def measure(self, below: str) -> tuple[int, int]:
        """Return the size in bytes and the modification time in nanoseconds of a file below this folder.

        Raises:
            OSError: the file does not exist or may not be examined.
        """

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """Open a file below this folder; a link may lead to another file below it, not out of it.

        Args:
            below: the file's path, with `/`.
            most_bytes: a larger file is not fetched from a store: the opened file is empty then.

        Returns:
            The file, its size in bytes, and its modification time in nanoseconds.

        Raises:
            ScanError: the path leads out of the folder, or to something that is no regular file.
            OSError: the file cannot be opened.
        """
