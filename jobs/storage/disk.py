"""Keep scans and results on disk: `Disk`, the place that is a path."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import PosixPath
from typing import BinaryIO, Self, TextIO, cast

from lettermill.jobs.errors import ErrorCode, NotAJob, ScanError, UsageProblem
from lettermill.jobs.storage.atomic import atomic_write, open_regular, remove_abandoned
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.hidden import is_hidden
from lettermill.jobs.storage.lock import flock
from lettermill.jobs.storage.place import Place


class Disk(PosixPath):
    """A folder or a file on disk. `Place` documents the methods."""

    at_once = 1

    def below(self, root: Place) -> str:
        if not isinstance(root, Disk):
            raise ValueError(f"{display_path(self)} is not in a bucket")
        return self.relative_to(root).as_posix()

    def is_folder(self) -> bool:
        return os.path.isdir(self)  # noqa: PTH112 - Path.is_dir raises where a folder above is closed

    def version(self) -> str:
        try:
            status = self.stat()
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"

    @contextlib.contextmanager
    def opened(self, start: int = 0) -> Iterator[BinaryIO]:
        with open_regular(self) as file:
            file.seek(start)
            yield file

    def read(self, below: str) -> bytes:
        # A string, for a Path is slow to make: collecting reads hundreds of thousands of files.
        with open_regular(f"{self}/{below}") as file:
            return file.read()

    def atomic_write(self) -> AbstractContextManager[TextIO]:
        return atomic_write(self)

    def write(self, content: bytes) -> None:
        with atomic_write(self) as file:
            file.buffer.write(content)

    def create(self, content: bytes) -> bool:
        """As `Place.create`; the caller holds the folder's lock, for this looks first and writes then."""
        if self.exists():
            return False
        self.write(content)
        return True

    def renew(self) -> None:
        os.utime(self)

    def make(self) -> None:
        self.mkdir(parents=True, exist_ok=True)

    def make_folder(self, below: str) -> None:
        folder = self / below
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)

    def names(self) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self) as folders:
            for folder in folders:
                yield from os.listdir(folder.path)  # noqa: PTH208 - names are all that is needed

    @contextlib.contextmanager
    def begin(self, line: str) -> Iterator[bytes | None]:
        with self.open("a+b") as file:
            if not flock(file, wait=False):
                yield None
                return
            file.write(f"{line}\n".encode())
            file.flush()
            file.seek(0)
            yield file.read()

    def append(self, line: str) -> None:
        with self.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @contextlib.contextmanager
    def held(self, wait: bool) -> Iterator[bool]:
        try:
            file = self.open("a")
        except OSError as error:
            raise not_writable(self.parent, error, "write in the job folder") from error
        with file:
            yield flock(file, wait=wait)

    def is_held(self) -> bool:
        try:
            with self.open("rb") as file:
                return not flock(file, wait=False)
        except (FileNotFoundError, PermissionError):
            return False  # Nobody has locked it, or only its owner can tell.

    def last_change(self) -> float | None:
        with contextlib.suppress(FileNotFoundError), os.scandir(self) as folders:
            return max((folder.stat().st_mtime for folder in folders), default=None)
        return None

    def unlink_free(self) -> None:
        for path in self.glob("*/*"):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if flock(file, wait=False):
                    path.unlink()

    def remove_abandoned(self) -> None:
        remove_abandoned(self)

    def folders_with(self, name: str) -> Iterator[Self]:
        """As `Place.folders_with`; hidden folders are not searched."""
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

    def files(self, others: list[str] | None = None) -> Iterator[str]:
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
                        if is_hidden(entry.name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{below}{entry.name}/")
                        elif _is_file(entry):
                            yield below + entry.name
                        elif others is not None:
                            others.append(below + entry.name)
            except OSError as error:
                raise UsageProblem(
                    f"cannot list the folder {display_path(folder)}: {error.strerror}",
                    "Correct its permissions, or move it out of the scans.",
                ) from error

    def measure(self, below: str) -> tuple[int, int]:
        status = os.stat(f"{self}/{below}")  # noqa: PTH116 - a Path costs more than the rest
        return status.st_size, status.st_mtime_ns

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        within = os.path.realpath(self)
        path = os.path.realpath(os.path.join(within, below), strict=True)  # noqa: PTH118 - may be no UTF-8
        if not path.startswith(os.path.join(within, "")):  # noqa: PTH118
            raise ScanError.with_remedy(
                ErrorCode.OUTSIDE, "the file is a link that leads out of the scan folder"
            )
        file = regular_file(_open_without_links(within, os.path.relpath(path, within)))
        status = os.fstat(file.fileno())
        return file, status.st_size, status.st_mtime_ns


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError as error:
        # A link to a file in a closed folder is a scan that cannot be read; a link to itself is no file.
        return error.errno in (errno.EACCES, errno.EPERM)


READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""How a scan is opened: a pipe without a writer opens at once, and `regular_file` refuses it."""

_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
"""How a folder on the way is opened: O_PATH passes through folders that may not be listed."""


def _open_without_links(root: str, path: str) -> int:
    """Open a file whose path has no links; a link that appears on the way in the meantime is an error."""
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


def regular_file(handle: int) -> BinaryIO:
    """Return the file of an open handle; the handle is closed where it is no regular file.

    Raises:
        ScanError: the handle is of a folder, a pipe or a device.
    """
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ScanError(
            ErrorCode.NOT_READABLE, f"this is {kind}, not a file: put the scan in its place and run again"
        )
    return cast(BinaryIO, os.fdopen(handle, "rb"))
