"""Keeps the journal of `lettermill watch`: which scans were taken, and how far their batches are.

It is a file in the result folder with one line per event. Each line is on disk before the watch acts on it.
So a watch that was killed at any moment takes no scan twice, and finishes its batch when it runs again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, NamedTuple, Self

import msgspec

from lettermill.jobs.errors import BadData, UsageProblem
from lettermill.jobs.records.manifest import digest
from lettermill.jobs.storage.atomic import sync_folder
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.lock import flock


class Scan(NamedTuple):
    """A version of a scan file: with another size or time it is another scan.

    Attributes:
        path: path below the watched folder, with `/`; lone surrogates represent bytes that are not UTF-8.
        size: in bytes.
        mtime_ns: modification time.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def at(cls, folder: Path, path: str) -> Scan | None:
        """Return the present version of a scan; None where it is gone.

        Args:
            folder: the watched folder.
            path: the scan's path below it.
        """
        try:
            status = (folder / path).stat()
        except OSError:
            return None
        return cls(path, status.st_size, status.st_mtime_ns)


class Failure(NamedTuple):
    """Why a scan was not read, or not all of it.

    Attributes:
        code: the error code of the first page without a reading.
        note: the text of the file that goes beside the scan.
    """

    code: str
    note: str


class _Taken(msgspec.Struct, tag_field="event", tag="taken", frozen=True):
    """A scan was taken into a batch."""

    batch: str
    path: str
    size: int
    mtime_ns: int


class _Made(msgspec.Struct, tag_field="event", tag="made", frozen=True):
    """A batch has a job folder of this name."""

    batch: str
    job: Annotated[str, msgspec.Meta(pattern="^[^/]+$")]


class _Collected(msgspec.Struct, tag_field="event", tag="collected", frozen=True):
    """The results of a batch are written."""

    batch: str


class _Failed(msgspec.Struct, tag_field="event", tag="failed", frozen=True):
    """A scan was not read: it is moved when it has not changed for a while."""

    path: str
    size: int
    mtime_ns: int
    code: str
    note: str


class _Finished(msgspec.Struct, tag_field="event", tag="finished", frozen=True):
    """The scans of a batch that were read were moved; nothing more is to be done for it."""

    batch: str


class _Released(msgspec.Struct, tag_field="event", tag="released", frozen=True):
    """A scan left the folder without a reading: if it is put back, it counts as new."""

    path: str
    size: int
    mtime_ns: int


_Event = _Taken | _Made | _Collected | _Failed | _Finished | _Released


class Batch:
    """Scans that were taken at once.

    Attributes:
        name: its name, and the client token of its job.
        scans: its scans.
        job: the name of its job folder; None before it is made.
        collected: whether its results are written.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.scans: list[Scan] = []
        self.job: str | None = None
        self.collected = False


class Journal:
    """The journal of one watched folder and one result folder; a context manager that locks it.

    Attributes:
        path: the file.
        taken: the scans that are not to be taken again.
        failed: those of them that were not read and wait in the folder to be moved.
        batch: the batch that is not finished, if any.

    Args:
        folder: the watched folder.
        out: the result folder.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.path = out / f"watch-{folder.name[:40]}-{digest(display_path(folder))[:10]}.jsonl"
        self._folder = folder
        self.taken: set[Scan] = set()
        self.failed: dict[Scan, Failure] = {}
        self.batch: Batch | None = None

    def __enter__(self) -> Self:
        """Open the journal and read it.

        Raises:
            UsageProblem: another watch uses it.
            BadData: it is damaged.
            ResultsNotWritable: the result folder cannot be written to.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
            sync_folder(self.path.parent)
        except OSError as error:
            raise not_writable(self.path, error) from error
        try:
            if not flock(self._file, wait=False):
                raise UsageProblem(
                    f"another `lettermill watch` uses {display_path(self._folder)} "
                    f"and {display_path(self.path.parent)}",
                    "Let it run, or stop it first.",
                )
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file.read().splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break  # The machine stopped while it was written: the watch has not acted on it.
            try:
                self._note(msgspec.convert(json.loads(line), _Event))
            except (ValueError, RecursionError) as error:
                raise BadData(
                    f"line {number} of {display_path(self.path)} is damaged: {error}",
                    "Mend the line, or move the file away: then all scans in the folder are read again.",
                ) from error
            whole += len(line)
        self._file.truncate(whole)

    def _note(self, event: _Event) -> None:
        match event:
            case _Taken(name, path, size, mtime_ns):
                if self.batch is None or self.batch.name != name:
                    self.batch = Batch(name)
                scan = Scan(path, size, mtime_ns)
                self.taken.add(scan)
                self.batch.scans.append(scan)
            case _Released(path, size, mtime_ns):
                self.taken.discard(Scan(path, size, mtime_ns))
                self.failed.pop(Scan(path, size, mtime_ns), None)
            case _Failed(path, size, mtime_ns, code, note):
                self.failed[Scan(path, size, mtime_ns)] = Failure(code, note)
            case _Made(_, job) if self.batch:
                self.batch.job = job
            case _Collected() if self.batch:
                self.batch.collected = True
            case _Finished():
                self.batch = None

    def _write(self, events: Iterable[_Event]) -> None:
        """Write events to disk, then apply them.

        Raises:
            ResultsNotWritable: the result folder cannot be written to.
        """
        events = list(events)
        lines = "".join(json.dumps(msgspec.to_builtins(event)) + "\n" for event in events).encode()
        end = self._file.seek(0, os.SEEK_END)
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)  # No half line for the next one to continue.
            raise not_writable(self.path, error) from error
        for event in events:
            self._note(event)

    def take(self, name: str, scans: Iterable[Scan]) -> None:
        """Record that scans are taken as a new batch, or added to the present one.

        Raises:
            ResultsNotWritable: as all methods that write.
        """
        self._write(_Taken(name, *scan) for scan in scans)

    def made(self, batch: Batch, job: str) -> None:
        """Record the job folder of a batch."""
        self._write([_Made(batch.name, job)])

    def collected(self, batch: Batch) -> None:
        """Record that the results of a batch are written."""
        self._write([_Collected(batch.name)])

    def finished(self, batch: Batch, failed: Mapping[Scan, Failure], released: Iterable[Scan]) -> None:
        """Record that nothing more is to be done for a batch.

        Args:
            batch: the batch.
            failed: those of its scans that were not read and are to be moved.
            released: those of its scans that count as new if they are put back.
        """
        gone = [_Released(*scan) for scan in released]
        waiting = [_Failed(*scan, *failure) for scan, failure in failed.items()]
        self._write([*gone, *waiting, _Finished(batch.name)])

    def released(self, scans: Iterable[Scan]) -> None:
        """Record that scans which were not read left the folder, or have changed."""
        self._write(_Released(*scan) for scan in scans)
