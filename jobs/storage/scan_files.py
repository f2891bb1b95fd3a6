"""Write folders with one file per scan, or per page: text/, and the folders of `lettermill export`."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Protocol

from lettermill.jobs.storage.atomic import TEMPORARY, replace_small_file, write_small_file
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.parallel import in_order
from lettermill.jobs.storage.place import Place

_DIGEST_LENGTH = 12

_LONGEST_OBJECT_NAME_BYTES = 800
"""A key has at most 1,024, and the job's prefix comes before the name."""

_BATCH_FILES = 256
_BATCH_BYTES = 64 << 20
"""How many files, and how many bytes of them, are gathered and then written to an object store together."""

_NO_SUCH_PATH = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})
"""Error numbers of a path that no file can have: another file has one of its names, or it is too long."""


class ScanFiles(Protocol):
    """A folder of files that are named after the scans."""

    def add(self, scan: str, content: bytes, page: str = "") -> None:
        """Write a file.

        Its path is the scan's own path and the folder's suffix. Where the file system does not take that path
        (it is too long, a folder has its name, or a file has the name of one of its folders), the file is
        written at the top of the folder under a shortened name.

        Args:
            scan: path below the scan root, with `/`.
            content: the bytes.
            page: comes between the scan's name and the suffix.
        """

    def finish(self) -> None:
        """Let the files appear; in a folder that is Lettermill's own, remove those not added again."""


def scan_files(folder: Place, suffix: str, *, own: bool) -> ScanFiles:
    """Return a folder for files that are named after the scans.

    Args:
        folder: the folder; it need not exist.
        suffix: how its files end.
        own: whether all files with that suffix are Lettermill's: then files of scans that are no longer in
            the job are removed at the end. The caller must keep other processes from the folder until then.
    """
    return _OnDisk(folder, suffix, own) if isinstance(folder, Disk) else _Objects(folder, suffix, own)


class _OnDisk:
    def __init__(self, folder: Path, suffix: str, own: bool) -> None:
        self._final = folder
        self._suffix = suffix
        self._own = own
        if own:
            for abandoned in folder.parent.glob(f"{TEMPORARY}{folder.name}-*"):  # Of a killed process.
                shutil.rmtree(abandoned)
        self._new = own and not folder.exists()
        # A new folder appears as a whole: that takes half the time of files that appear one by one.
        self._folder = f"{folder.parent}/{TEMPORARY}{folder.name}-{os.getpid()}" if self._new else str(folder)
        self._name_limit = os.pathconf(_nearest(folder), "PC_NAME_MAX")
        self._written: set[int] = set()
        """Hashes of the paths that were written, to find old files; they take far less memory than paths."""

    def add(self, scan: str, content: bytes, page: str = "") -> None:
        *folders, name = scan.split("/")
        ending = page + self._suffix
        try:
            if ".." in folders:  # No manifest has it that was not edited.
                raise NotADirectoryError(errno.ENOTDIR, "leads out of the folder", scan)
            self._write("/".join([self._folder, *folders, self._fitting(name, ending, scan)]), content)
        except OSError as error:
            if error.errno not in _NO_SUCH_PATH:
                raise
            self._write(f"{self._folder}/{self._shortened(name, ending, scan)}", content)

    def finish(self) -> None:
        if self._new:
            if self._written:
                Path(self._folder).rename(self._final)
            return
        if not self._own:
            return
        for folder, _, names in os.walk(self._folder, topdown=False):
            for name in names:
                path = f"{folder}/{name}"
                if name.endswith(self._suffix) and hash(path) not in self._written:
                    Path(path).unlink()
            with contextlib.suppress(OSError):  # Not empty.
                Path(folder).rmdir()

    def _write(self, path: str, content: bytes) -> None:
        if self._new:
            write_small_file(path, content)
        elif not _holds(path, content):  # Results are written again while the job runs: most did not change.
            replace_small_file(path, content)
        self._written.add(hash(path))

    def _fitting(self, name: str, ending: str, scan: str) -> str:
        full = name + ending
        return full if len(os.fsencode(full)) <= self._name_limit else self._shortened(name, ending, scan)

    def _shortened(self, name: str, ending: str, scan: str) -> str:
        return _cut(name, ending, scan, self._name_limit)


class _Objects:
    """The same in an object store, where every path is possible; writes many at once."""

    def __init__(self, folder: Place, suffix: str, own: bool) -> None:
        self._folder = folder
        self._suffix = suffix
        self._old = set(folder.files()) if own else set()
        self._waiting: dict[str, bytes] = {}
        self._bytes = 0

    def add(self, scan: str, content: bytes, page: str = "") -> None:
        self._waiting[_object_name(scan, page + self._suffix)] = content
        self._bytes += len(content)
        if len(self._waiting) == _BATCH_FILES or self._bytes > _BATCH_BYTES:
            self._write()

    def finish(self) -> None:
        self._write()
        for name in self._old:
            (self._folder / name).unlink()

    def _write(self) -> None:
        for name, _ in in_order(self._put, self._waiting, self._folder.at_once):
            self._old.discard(name)
        self._waiting.clear()
        self._bytes = 0

    def _put(self, name: str) -> None:
        (self._folder / name).write(self._waiting[name])


def _object_name(scan: str, ending: str) -> str:
    """Return the name of a scan's file: the scan's path as text, shortened where it is too long."""
    name = f"{display_path(scan)}{ending}"
    if len(name.encode()) <= _LONGEST_OBJECT_NAME_BYTES:
        return name
    return _cut(display_path(scan), ending, scan, _LONGEST_OBJECT_NAME_BYTES)


def _cut(name: str, ending: str, scan: str, longest: int) -> str:
    """Return a name of at most `longest` bytes that no other scan's file has."""
    ending = f"~{hashlib.sha256(os.fsencode(scan)).hexdigest()[:_DIGEST_LENGTH]}{ending}"
    # Cut at a whole character: some systems refuse names that are not UTF-8.
    return os.fsencode(name)[: longest - len(ending)].decode("utf-8", "ignore") + ending


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _holds(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.open
            return file.read() == content
    except (FileNotFoundError, PermissionError):
        return False
