"""Keep uploaded scans: streamed to disk, continued where they broke off, each file whole or not there.

An upload is a folder. A file that is not complete has a hidden name in it, so no job reads it; it takes its
own name when its last byte is on the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.scans.find import SCAN_SUFFIXES
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.atomic import sync_folder
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import not_writable
from lettermill.jobs.storage.hidden import is_hidden
from lettermill.jobs.storage.lock import flock

MOST_FILES = 5_000
"""Files of one upload."""

MOST_FILE_BYTES = int(Limits().max_megabytes * 1_000_000)
"""Bytes of one file: a job refuses larger ones."""

SPARE_BYTES = 200_000_000
"""An upload is refused that would leave less free on the disk: results need room, too."""

TEMPLATE_FOLDER = ".template"
"""The folder in an upload with a form's template: hidden, so that its blank is not read as a scan."""

_TEMPLATE_SUFFIXES = SCAN_SUFFIXES | {".toml", ".txt", ".csv", ".npz"}

_PART = ".part-"
"""How the names of files begin that are not complete."""

_SENT = ".sent"
"""The folder in an upload with an empty file for each complete one: the same file again is no second one."""

_DELETED = ".deleted-"
"""How the names of uploads begin that are being deleted."""

_MOST_NAME_BYTES = 200
_UPLOAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class UploadRefused(UsageProblem):
    """What is sent cannot be taken.

    Args:
        what: as for every error.
        next_step: the same.
        status: the status of the answer.
        offset: how much of the file is there, in bytes; None where that is not the point.
    """

    def __init__(self, what: str, next_step: str, status: int, offset: int | None = None) -> None:
        super().__init__(what, next_step)
        self.status = status
        self.offset = offset


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file that is being uploaded.

    Attributes:
        upload: the name of its upload.
        name: its own name, checked.
        length: its bytes.
        version: a word of the sender that differs if the content does, as its date; it keeps two files of one
            name and length apart that are sent one after the other.
        template: whether it belongs to a form's template.
    """

    upload: str
    name: str
    length: int
    version: str = ""
    template: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it is listed.

    Attributes:
        name: its name.
        files: its complete scans.
        parts: files that are not complete.
        size: bytes of all of them.
        changed: when a file was last added, seconds since 1970.
    """

    name: str
    files: int
    parts: int
    size: int
    changed: float


class Uploads:
    """All uploads, each in a folder of its own.

    Args:
        folder: the folder that holds them; it is made with the first upload.
    """

    def __init__(self, folder: Disk) -> None:
        self.folder = folder
        self._naming = threading.Lock()

    def new(self, name: str = "") -> str:
        """Make an upload, and return its name.

        Args:
            name: what a person calls it; a date and a random word are used without one, or if it is taken.

        Raises:
            ResultsNotWritable: the folder cannot be made.
        """
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60]
        made = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{secrets.token_hex(3)}"
        try:
            self.folder.make()
            for called in (plain, f"{plain}-{made}" if plain else f"upload-{made}"):
                if called:
                    with contextlib.suppress(FileExistsError):
                        (self.folder / called).mkdir()
                        return called
        except OSError as error:
            raise not_writable(self.folder, error, "make an upload in") from error
        raise UploadRefused("this upload could not be named", "Try again.", 409)

    def path(self, upload: str) -> Disk:
        """Return the folder of an upload.

        Raises:
            UploadRefused: there is none of this name.
        """
        path = self.folder / upload
        if not _UPLOAD_NAME.fullmatch(upload) or path.is_symlink() or not path.is_dir():
            raise UploadRefused("there is no such upload", "It may have been deleted: begin a new one.", 404)
        return path

    def all(self) -> list[Upload]:
        """Return the uploads, the latest first."""
        if not self.folder.is_dir():
            return []
        with os.scandir(self.folder) as entries:
            names = [
                entry.name
                for entry in entries
                if _UPLOAD_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        return sorted(map(self.listed, names), key=lambda upload: upload.changed, reverse=True)

    def listed(self, upload: str) -> Upload:
        """Return how much of an upload is there.

        Raises:
            UploadRefused: there is none of this name.
        """
        files = parts = size = 0
        for folder in (path := self.path(upload), path / TEMPLATE_FOLDER):
            with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        size += entry.stat(follow_symlinks=False).st_size
                        parts += entry.name.startswith(_PART)
                        files += folder == path and not entry.name.startswith(_PART)
        return Upload(upload, files, parts, size, path.stat().st_mtime)

    def templates(self, upload: str) -> list[str]:
        """Return the names of the templates that were uploaded."""
        return sorted(path.name for path in (self.path(upload) / TEMPLATE_FOLDER).glob("*.toml"))

    def drop_parts(self, upload: str) -> None:
        """Delete the files of an upload that are not complete and that nobody is sending."""
        path = self.path(upload)
        for part in [*path.glob(f"{_PART}*"), *(path / TEMPLATE_FOLDER).glob(f"{_PART}*")]:
            with contextlib.suppress(FileNotFoundError), part.open("rb") as opened:
                if flock(opened, wait=False):
                    part.unlink()

    def delete(self, upload: str) -> None:
        """Delete an upload with its scans.

        Raises:
            UploadRefused: there is none of this name.
            ResultsNotWritable: it cannot be deleted.
        """
        path = self.path(upload)
        try:
            path.rename(path.with_name(f"{_DELETED}{secrets.token_hex(6)}"))  # Half-deleted it is no upload.
        except OSError as error:
            raise not_writable(path, error, "delete") from error
        self.finish_deleting()

    def finish_deleting(self) -> None:
        """Delete the rest of uploads whose deletion was interrupted.

        Raises:
            ResultsNotWritable: it cannot be deleted.
        """
        for path in self.folder.glob(f"{_DELETED}*"):
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise not_writable(path, error, "delete") from error

    # --- files ----------------------------------------------------------------------------------

    def received(self, file: File) -> int:
        """Return how many bytes of a file are there; all of them if it is complete.

        Raises:
            UploadRefused: another file of its name is there.
        """
        target, part = self._paths(file)
        if target.exists():
            if self._sent(file).exists():
                return file.length
            raise UploadRefused(
                f"another file called {file.name} is in this upload",
                "Rename one of them, or put it into an upload of its own.",
                409,
            )
        return part.stat().st_size if part.exists() else 0

    def wanted(self, file: File) -> int:
        """Return how many bytes of a file are there, if the rest would be taken.

        A browser asks before it sends: it does not see an answer that comes while it sends.

        Raises:
            UploadRefused: as `received`, or a limit is reached.
        """
        offset = self.received(file)
        if offset < file.length:
            self._check_limits(file, offset)
        return offset

    @contextlib.contextmanager
    def receiving(self, file: File, offset: int | None) -> Iterator[Receiving]:
        """Take a file, or the rest of one; what arrived stays if it breaks off.

        Args:
            file: the file.
            offset: how many of its bytes the sender leaves out because they are there; None if it begins
                anew, and what is there of it is dropped.

        Yields:
            What takes the bytes. When it is left and all are there, the file is complete, and on the disk.

        Raises:
            UploadRefused: the offset is another one, the file is being sent already, or a limit is reached.
            ResultsNotWritable: the disk does not take it.
        """
        target, part = self._paths(file)
        self._check_absent(file, target)
        self._check_limits(file, offset or 0)
        try:
            part.parent.mkdir(exist_ok=True)
            with open(part, "ab", buffering=0) as opened:  # noqa: PTH123
                if not flock(opened, wait=False):
                    raise UploadRefused(
                        f"{file.name} is being sent already", "Wait until the other has ended.", 423
                    )
                # Another request may have completed it since: then the open file is the complete one.
                self._check_absent(file, target)
                if offset is None:
                    offset = 0
                    opened.truncate(0)
                self._check_offset(file, offset, os.fstat(opened.fileno()).st_size)
                yield Receiving(opened, file, offset)
                if os.fstat(opened.fileno()).st_size == file.length:
                    os.fsync(opened.fileno())
                    self._name(file, part, target)
        except OSError as error:
            raise not_writable(
                target, error, next_step="Free some space, then send it again: what arrived is kept."
            ) from error

    def _check_absent(self, file: File, target: Disk) -> None:
        """Refuse a file that is complete, or whose name another one has."""
        if target.exists():
            self._check_offset(file, None, self.received(file))

    def _check_offset(self, file: File, offset: int | None, there: int) -> None:
        if there != offset:
            raise UploadRefused(f"{there} bytes of {file.name} are there", "Send from there on.", 409, there)

    def _name(self, file: File, part: Disk, target: Disk) -> None:
        """Give a complete file its name, unless another one has it."""
        with self._naming:
            self.received(file)
            sent = self._sent(file)
            sent.parent.mkdir(exist_ok=True)
            sent.touch()
            part.rename(target)
        sync_folder(target.parent)

    def _check_limits(self, file: File, offset: int) -> None:
        path = self.path(file.upload)
        if file.length > MOST_FILE_BYTES:
            raise UploadRefused(
                f"{file.name} has {file.length:,} bytes, and a file may have {MOST_FILE_BYTES:,}",
                "Scan it with fewer dots per inch, or split it.",
                413,
            )
        with os.scandir(path) as entries:
            files = sum(entry.is_file(follow_symlinks=False) for entry in entries)
        if files > MOST_FILES:
            raise UploadRefused(
                f"an upload may have {MOST_FILES:,} files", "Put the others into another upload.", 413
            )
        if shutil.disk_usage(path).free < file.length - offset + SPARE_BYTES:
            raise UploadRefused(
                f"the disk has no room for {file.name}",
                "Free some space, then send it again: what arrived is kept.",
                507,
            )

    def _paths(self, file: File) -> tuple[Disk, Disk]:
        """Return where a file lies once it is complete, and until then."""
        folder = self.path(file.upload) / (TEMPLATE_FOLDER if file.template else "")
        return folder / file.name, folder / f"{_PART}{_identity(file)}"

    def _sent(self, file: File) -> Disk:
        """Return the empty file that says that this very file is complete."""
        return self.path(file.upload) / _SENT / _identity(file)


class Receiving:
    """Takes the bytes of a file.

    Args:
        opened: the file, without a buffer.
        file: what is taken.
        offset: how many bytes are there.
    """

    def __init__(self, opened: BinaryIO, file: File, offset: int) -> None:
        self._opened, self._file = opened, file
        self.received = offset

    def take(self, content: bytes) -> None:
        """Write bytes to the file.

        Raises:
            UploadRefused: it would be longer than was said.
            OSError: the disk does not take them.
        """
        if self.received + len(content) > self._file.length:
            raise UploadRefused(
                f"more than the {self._file.length} bytes of {self._file.name} were sent",
                "Send it anew.",
                400,
            )
        rest = memoryview(content)
        while rest:
            written = self._opened.write(rest)
            if not written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self.received += written
            rest = rest[written:]


def _identity(file: File) -> str:
    """Return a digest of what tells a file from others."""
    words = (file.name, str(file.length), file.version, str(file.template))
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:24]


def checked_name(name: str, template: bool = False) -> str:
    """Return the name of a file that is to be uploaded, in the composed form of Unicode.

    Args:
        name: as the browser sends it.
        template: whether it belongs to a form's template.

    Raises:
        UploadRefused: no file is to have this name, or it does not end like a scan.
    """
    name = unicodedata.normalize("NFC", name)
    shown = "".join(char if char.isprintable() else "?" for char in name)[:_MOST_NAME_BYTES]
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if (
        not 0 < size <= _MOST_NAME_BYTES
        or is_hidden(name)
        or not name.isprintable()
        or name != name.strip()
        or "/" in name
        or "\\" in name
    ):
        raise UploadRefused(
            f"no scan can be called {shown!r}",
            "Rename it: letters, digits, dots and dashes, not a dot in front.",
            400,
        )
    known = _TEMPLATE_SUFFIXES if template else SCAN_SUFFIXES
    if PurePath(name).suffix.lower() not in known:
        words = " ".join(sorted(suffix[1:] for suffix in known))
        raise UploadRefused(
            f"{shown} is not taken: it does not end like a scan", f"Files that end with one of: {words}", 415
        )
    return name


def check_complete(upload: Upload) -> None:
    """Check that all files of an upload are complete, before a job is made of it.

    Raises:
        UsageProblem: some are not, or there is none.
    """
    if upload.parts:
        raise UsageProblem(
            f"{upload.parts} of the files were not sent to their ends",
            "Send them again, which sends only the rest; or drop what is there of them.",
        )
    if not upload.files:
        raise UsageProblem("no scan was sent yet", "Drop some files, or choose a folder.")
