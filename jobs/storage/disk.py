"""Where scans and results lie: folders on disk, and prefixes in an object store (`jobs.storage.bucket`).

The rest of jobs/ and worker/ names files through `Place` alone and so works with both.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PosixPath
from typing import BinaryIO, Protocol, Self, TextIO, cast

from lettermill.jobs.errors import ErrorCode, NotAJob, ResultsNotWritable, ScanError, UsageProblem
from lettermill.jobs.storage.atomic import display_path, opened, remove_abandoned, written_whole

_BUCKET = "s3://"


class Place(Protocol):
    """A folder or a file, on a disk or in an object store.

    What follows the names of `pathlib` does what it does there.
    """

    at_once: int
    """How many files are best read or written at once."""

    @property
    def name(self) -> str:
        """The last part of its path."""

    @property
    def parent(self) -> Self:
        """The folder that holds it."""

    def __hash__(self) -> int:
        """Return a hash: two with the same path are the same place."""

    def __truediv__(self, below: str, /) -> Self:
        """Return what lies below it."""

    def below(self, root: Place) -> str:
        """Return its path below a folder, with `/`.

        Raises:
            ValueError: it lies elsewhere.
        """

    def resolve(self) -> Self:
        """Return it without links and relative parts."""

    def exists(self) -> bool:
        """Say whether there is such a file; a bucket has no folders."""

    def is_folder(self) -> bool:
        """Say whether there is such a folder."""

    def version(self) -> str:
        """Return a word that changes with the file's content; empty where there is no file."""

    def opened(self, start: int = 0) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading from a byte offset.

        Raises:
            OSError: it is no file, is not there, or may not be read.
        """

    def read(self, below: str) -> bytes:
        """Return the content of a file below this folder.

        Raises:
            OSError: as `opened`.
        """

    def written_whole(self) -> AbstractContextManager[TextIO]:
        """Open a file for writing that appears only when it is complete, as `atomic.written_whole`."""

    def write(self, content: bytes) -> None:
        """Write a file whole and durably.

        Raises:
            ResultsNotWritable: it cannot be written.
        """

    def create(self, content: bytes) -> bool:
        """Write a file whole unless there is one; return whether this call wrote it."""

    def renew(self) -> None:
        """Let the file have another `version`."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete a file."""

    def make(self) -> None:
        """Make this folder and those above it, where folders have to be made."""

    def make_folder(self, below: str) -> None:
        """Make a folder below this one, which itself must be there, where folders have to be made."""

    def names(self) -> Iterator[str]:
        """Yield the names of the files in this folder's folders, without those."""

    def begin(self, line: str) -> AbstractContextManager[bytes | None]:
        """Append a line to a file and hold the file, so that no other process on this disk begins it.

        Yields:
            What the file holds now; None, and nothing is appended, where another process holds it.
        """

    def append(self, line: str) -> None:
        """Append a line to a file."""

    def held(self, wait: bool) -> AbstractContextManager[bool]:
        """Hold a lock file.

        Yields:
            Whether it is held; always where there are no locks (in a bucket).

        Raises:
            ResultsNotWritable: the file cannot be made.
        """

    def unlink_free(self) -> None:
        """Delete the files in this folder's folders that nobody holds (`begin`)."""

    def remove_abandoned(self) -> None:
        """Remove what processes that were killed have left half-written below this folder."""

    def folders_with(self, name: str) -> Iterator[Self]:
        """Yield the folders below this one, or itself, that have a file of a name; those are not searched.

        Raises:
            NotAJob: there is no such folder.
        """

    def files(self) -> Iterator[str]:
        """Yield the paths below this folder of all its files but hidden ones, with `/`.

        Raises:
            UsageProblem: it cannot be listed.
        """

    def measure(self, below: str) -> tuple[int, int]:
        """Return the size in bytes and the modification time in nanoseconds of a file below this folder.

        Raises:
            OSError: it cannot be told.
        """

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """Open a file below this folder whatever its links.

        Args:
            below: its path with `/`.
            most_bytes: a larger one is not fetched from elsewhere: the file is empty then.

        Returns:
            The file, its size in bytes, and its modification time in nanoseconds.

        Raises:
            ScanError: it leads out of the folder, or is no regular file.
            OSError: it cannot be opened.
        """


def hurry(*places: Place) -> None:
    """Let this process wait for seconds rather than minutes for stores in which some places lie."""
    if any(not isinstance(one, Disk) for one in places):
        from lettermill.jobs.storage.bucket import hurry as hurry_stores

        hurry_stores()


def place(where: str | Path | Place) -> Place:
    """Return the place that a person or a job file names: `s3://BUCKET/PREFIX`, or a path on disk.

    Raises:
        UsageProblem: the address of a bucket is none.
        MissingExtra: what talks to object stores is not installed.
    """
    if isinstance(where, str) and where.startswith(_BUCKET):
        from lettermill.jobs.storage.bucket import bucket

        return bucket(where)
    if isinstance(where, str | Path):
        return where if isinstance(where, Disk) else Disk(where)
    return where


class Disk(PosixPath):
    """A folder or a file on disk."""

    at_once = 1

    def below(self, root: Place) -> str:
        """See `Place.below`."""
        if not isinstance(root, Disk):
            raise ValueError(f"{display_path(self)} is not in a bucket")
        return self.relative_to(root).as_posix()

    def is_folder(self) -> bool:
        """See `Place.is_folder`."""
        return os.path.isdir(self)  # noqa: PTH112 - Path.is_dir raises where a folder above is closed

    def version(self) -> str:
        """See `Place.version`."""
        try:
            status = self.stat()
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"

    @contextlib.contextmanager
    def opened(self, start: int = 0) -> Iterator[BinaryIO]:
        """See `Place.opened`."""
        with opened(self) as file:
            file.seek(start)
            yield file

    def read(self, below: str) -> bytes:
        """See `Place.read`."""
        with opened(f"{self}/{below}") as file:  # A string: collecting asks for hundreds of thousands.
            return file.read()

    def written_whole(self) -> AbstractContextManager[TextIO]:
        """See `Place.written_whole`."""
        return written_whole(self)

    def write(self, content: bytes) -> None:
        """See `Place.write`."""
        with written_whole(self) as file:
            file.buffer.write(content)

    def create(self, content: bytes) -> bool:
        """See `Place.create`; the caller holds the lock of the folder."""
        if self.exists():
            return False
        self.write(content)
        return True

    def renew(self) -> None:
        """See `Place.renew`."""
        os.utime(self)

    def make(self) -> None:
        """See `Place.make`."""
        self.mkdir(parents=True, exist_ok=True)

    def make_folder(self, below: str) -> None:
        """See `Place.make_folder`."""
        folder = self / below
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)

    def names(self) -> Iterator[str]:
        """See `Place.names`."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self) as folders:
            for folder in folders:
                yield from os.listdir(folder.path)  # noqa: PTH208 - names are all that is needed

    @contextlib.contextmanager
    def begin(self, line: str) -> Iterator[bytes | None]:
        """See `Place.begin`; the lock (flock) ends with the process."""
        with self.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            file.write(f"{line}\n".encode())
            file.flush()
            file.seek(0)
            yield file.read()

    def append(self, line: str) -> None:
        """See `Place.append`."""
        with self.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @contextlib.contextmanager
    def held(self, wait: bool) -> Iterator[bool]:
        """See `Place.held`; the lock (flock) ends with the process, however that ends."""
        try:
            file = self.open("a")
        except OSError as error:
            raise ResultsNotWritable(
                f"cannot write in the job folder {display_path(self.parent)}: {error.strerror}",
                "Correct the folder's permissions, then give the same command again.",
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def unlink_free(self) -> None:
        """See `Place.unlink_free`."""
        for path in self.glob("*/*"):
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def remove_abandoned(self) -> None:
        """See `Place.remove_abandoned`."""
        remove_abandoned(self)

    def folders_with(self, name: str) -> Iterator[Self]:
        """See `Place.folders_with`; hidden folders are not searched."""
        if not self.is_folder():
            raise NotAJob(
                f"{display_path(self)} is not a folder", "Give the folder that was --out of run or submit."
            )
        for folder, subfolders, names in os.walk(self):
            # Hidden ones are not ours: snapshots of a file server, a job that is being deleted.
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            if name in names:
                subfolders.clear()
                yield type(self)(folder)

    def files(self) -> Iterator[str]:
        """See `Place.files`; links to folders are not followed, so there is no endless tree."""
        if not self.is_folder():
            problem = "is a file, not a folder" if os.path.lexists(self) else "does not exist"
            raise UsageProblem(f"{display_path(self)} {problem}", "Give the folder that holds the scans.")
        folders = [""]
        while folders:
            below = folders.pop()
            folder = os.path.join(self, below)  # noqa: PTH118 - scandir names its files without a stat for each
            try:
                # The dot asks for the right to enter the folder as well as to list it.
                with os.scandir(os.path.join(folder, ".")) as entries:  # noqa: PTH118
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{below}{entry.name}/")
                        elif _is_file(entry):
                            yield below + entry.name
            except OSError as error:
                raise UsageProblem(
                    f"cannot list the folder {display_path(folder)}: {error.strerror}",
                    "Correct its permissions, or move it out of the scans.",
                ) from error

    def measure(self, below: str) -> tuple[int, int]:
        """See `Place.measure`."""
        status = os.stat(f"{self}/{below}")  # noqa: PTH116 - a Path costs more than the rest
        return status.st_size, status.st_mtime_ns

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """See `Place.open_below`; links that stay inside are followed."""
        within = os.path.realpath(self)
        path = os.path.realpath(os.path.join(within, below), strict=True)  # noqa: PTH118 - may be no UTF-8
        if not path.startswith(os.path.join(within, "")):  # noqa: PTH118
            raise ScanError(
                ErrorCode.OUTSIDE,
                "the file is a link that leads out of the scan folder: copy the file itself there, or give "
                "--scans a folder that holds both, and run again",
            )
        file = regular(_open_without_links(within, os.path.relpath(path, within)))
        status = os.fstat(file.fileno())
        return file, status.st_size, status.st_mtime_ns


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError as error:
        # A link to where this user may not look is a scan that cannot be read; one to itself is nothing.
        return error.errno in (errno.EACCES, errno.EPERM)


READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""A pipe without a writer opens at once and is then refused."""

_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
"""A folder may be passed through that may not be listed."""


def _open_without_links(root: str, path: str) -> int:
    """Open a file whose path has no links; one that comes to stand on the way meanwhile is an error."""
    *folders, name = path.split("/")
    here = os.open(root, _STEP)
    try:
        for folder in folders:
            inner = os.open(folder, _STEP, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(name, READ | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def regular(handle: int) -> BinaryIO:
    """Return the file of an open handle, which is closed where it is none.

    Raises:
        ScanError: it is a folder, a pipe or a device.
    """
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ScanError(
            ErrorCode.NOT_READABLE, f"this is {kind}, not a file: put the scan in its place and run again"
        )
    return cast(BinaryIO, os.fdopen(handle, "rb"))
