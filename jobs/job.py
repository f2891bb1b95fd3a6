"""The job folder: what a job is on disk, and the only truth about how far it has come.

```
OUT/JOB_ID/
  job.json          settings, model, when, by which version
  model/            the network and its card: a job keeps its model
  lexicon.txt       the word list, where there is one: a job keeps it as well
  manifest.jsonl    a line a page
  pages/ab/….json   one PageReading each
  attempts/ab/….log the tries of pages that have no reading yet
```
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from jobs.errors import (
    MENDABLE_WITHOUT_A_NEW_FILE,
    BadData,
    ErrorCode,
    ModelProblem,
    NotAJob,
    ResultsNotWritable,
    UsageProblem,
)
from jobs.files import shown, written_whole
from jobs.models import CARD_FILE, MODEL_FILE, Model, load_model
from jobs.page_count import PageCounter
from jobs.readings import PageReading, Status
from jobs.scans import DOCUMENT_SUFFIXES, find_scans
from jobs.settings import Settings
from jobs.word_list import WordList

VERSION = importlib.metadata.version("lettermill")

MAX_ATTEMPTS = 3
"""A page that was begun this often without a result is quarantined."""

LEXICON_FILE = "lexicon.txt"

_ID_LENGTH = 24
_ID = re.compile(f"[0-9a-f]{{{_ID_LENGTH}}}")

_LONGEST_START = 150
"""Bytes of a scan's path in the name of a drawing: with number and id it fits any file system."""

_PROBE_BYTES = 65536
"""About the size of a full page's reading."""

_ABANDONED_SECONDS = 3600
"""A temporary file this old belongs to a process that died."""


@dataclasses.dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A page that is to be read: a line of manifest.jsonl, and a page's form in messages.

    Attributes:
        id: digest of path, size, mtime_ns, page, settings and model.
        scan: path below the scan root, with `/`; lone surrogates stand for bytes that are not UTF-8.
        page: page number in the scan, from 1.
        bytes: size of the scan file.
        mtime_ns: modification time of the scan file.
        pages: how many pages the scan has.
    """

    id: str
    scan: str
    page: int
    bytes: int
    mtime_ns: int
    pages: int

    def __post_init__(self) -> None:
        """Check the id, for it becomes a file name.

        Raises:
            ValueError: it is no id.
        """
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not the id of a page")

    @property
    def drawing(self) -> str:
        """The name of the page's drawing (`--debug`): of no other page, settings or model."""
        start = os.fsencode(self.scan.replace("/", "-"))[:_LONGEST_START].decode("utf-8", "ignore")
        return f"{start}-{self.page}-{self.id[:8]}.png"

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """How many pages of a job are where.

    Attributes:
        pages: pages in the manifest.
        finished: pages with a result of whatever kind.
    """

    pages: int
    finished: int

    @property
    def complete(self) -> bool:
        """Whether every page has a result."""
        return self.finished >= self.pages


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """What making or reopening a job found.

    Attributes:
        job: the job.
        pages: pages in the manifest.
        to_read: pages without a result.
        other_files: files below the scan root that are no scans.
    """

    job: Job
    pages: int
    to_read: int
    other_files: int


@dataclasses.dataclass(frozen=True)
class Job:
    """A job folder.

    Attributes:
        path: the folder.
        settings: how its pages are read.
        model_fingerprint: which model reads them.
        scan_root: the folder of the scans as the submitting machine named it.
        scans_below: the same, relative to the workers' scan root, with `/`.
        shared: whether workers elsewhere read it; if not, only `lettermill run` on this machine does.
        token: a random word that tells this job from another of the same name, for keys in Redis.
        created: ISO time in UTC.
        version: the version of Lettermill that made the job.
    """

    path: Path
    settings: Settings
    model_fingerprint: str
    scan_root: str
    scans_below: str
    shared: bool
    token: str
    created: str
    version: str

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a job folder.

        Raises:
            NotAJob: the path is no job folder, or its job.json is damaged.
        """
        try:
            values = json.loads((path / "job.json").read_text(encoding="utf-8"))
            return cls(
                path=path.resolve(),
                settings=Settings.from_json(values["settings"]),
                model_fingerprint=values["model_fingerprint"],
                scan_root=values["scan_root"],
                scans_below=values["scans_below"],
                shared=values["shared"],
                token=values["token"],
                created=values["created"],
                version=values["version"],
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotAJob(
                f"{shown(path)} is not a job folder (it has no job.json)",
                "Give the folder that `lettermill submit` printed; `lettermill jobs --out DIR` lists them.",
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotAJob(
                f"cannot read {shown(path / 'job.json')}: {error}",
                "Delete that file and submit the folder of scans again: what was read stays.",
            ) from error

    # --- manifest -------------------------------------------------------------------------------

    @property
    def manifest_path(self) -> Path:
        """The file manifest.jsonl."""
        return self.path / "manifest.jsonl"

    def manifest(self, start: int = 0) -> Iterator[tuple[ManifestEntry, int]]:
        """Read the manifest from a byte offset.

        Args:
            start: byte offset of a line's start.

        Yields:
            Each page and the byte offset behind its line.

        Raises:
            NotAJob: the manifest is missing or damaged.
        """
        try:
            with self.manifest_path.open("rb") as file:
                file.seek(start)
                offset = start
                for line in file:
                    offset += len(line)
                    yield ManifestEntry(**json.loads(line)), offset
        except (OSError, ValueError, TypeError) as error:
            raise NotAJob(
                f"cannot read {shown(self.manifest_path)}: {error}",
                "Give the command that made the job again: it writes the manifest anew.",
            ) from error

    # --- results --------------------------------------------------------------------------------

    def result_path(self, page_id: str) -> Path:
        """Return where a page's reading is or will be."""
        return self.path / "pages" / page_id[:2] / f"{page_id}.json"

    def has_result(self, page_id: str) -> bool:
        """Say whether a page has a result of whatever kind."""
        return self.result_path(page_id).exists()

    def write_result(self, reading: PageReading) -> None:
        """Write a page's reading whole and forget its attempts.

        Raises:
            ResultsNotWritable: the result folder does not take it.
        """
        with written_whole(self.result_path(reading.page_id)) as file:
            json.dump(reading.to_json(), file, separators=(",", ":"))
        self._attempts_path(reading.page_id).unlink(missing_ok=True)

    def read_result(self, page_id: str) -> PageReading | None:
        """Read a page's result.

        Returns:
            The reading, or None where there is none yet.

        Raises:
            NotAJob: the file is damaged.
        """
        path = self.result_path(page_id)
        try:
            return PageReading.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise NotAJob(
                f"the result {shown(path)} is damaged: {error}",
                "`lettermill resume` the job: it deletes the file and reads the page again.",
            ) from error

    def tally(self) -> Tally:
        """Count the pages with a result, by the names in pages/, opening none of them."""
        names = self.result_ids()
        pages = finished = 0
        for entry, _ in self.manifest():
            pages += 1
            finished += entry.id in names
        return Tally(pages, finished)

    def result_ids(self) -> set[str]:
        """Return the ids of all pages with a result, from the names in pages/.

        Raises:
            NotAJob: the folder cannot be listed.
        """
        names = set()
        try:
            with contextlib.suppress(FileNotFoundError), os.scandir(self.path / "pages") as folders:
                for folder in folders:
                    names |= {name.removesuffix(".json") for name in os.listdir(folder.path)}  # noqa: PTH208
        except OSError as error:
            raise NotAJob(
                f"cannot list the results in {shown(self.path / 'pages')}: {error.strerror}",
                "Correct the folder's permissions, or check the disk.",
            ) from error
        return names

    # --- attempts -------------------------------------------------------------------------------

    def _attempts_path(self, page_id: str) -> Path:
        return self.path / "attempts" / page_id[:2] / f"{page_id}.log"

    def begin_attempt(self, page_id: str) -> int:
        """Record that a page is about to be opened.

        The line outlives the process, not a power cut: it is there to count processes that died.

        Returns:
            Which attempt this is, from 1.

        Raises:
            ResultsNotWritable: the result folder does not take it.
        """
        self._note(page_id, "begun")
        return self.attempts(page_id)

    def take_back_attempt(self, page_id: str) -> None:
        """Forget the attempt that was just begun: it came to nothing for a reason that is not the page's."""
        path = self._attempts_path(page_id)
        lines = self._attempt_lines(page_id)
        if "begun" in lines:
            del lines[len(lines) - 1 - lines[::-1].index("begun")]
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def note_loss(self, page_id: str, cause: str) -> None:
        """Record why the last attempt came to nothing."""
        self._note(page_id, f"lost {cause}")

    def attempts(self, page_id: str) -> int:
        """Return how many attempts were begun since the page last had a result."""
        return sum(line == "begun" for line in self._attempt_lines(page_id))

    def last_loss(self, page_id: str) -> str:
        """Return the last known cause of a lost attempt, or an empty string."""
        losses = [line[5:] for line in self._attempt_lines(page_id) if line.startswith("lost ")]
        return losses[-1] if losses else ""

    def _note(self, page_id: str, line: str) -> None:
        path = self._attempts_path(page_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise ResultsNotWritable(
                f"cannot write {shown(path)}: {error.strerror}",
                "Free some space or correct the folder's permissions.",
            ) from error

    def _attempt_lines(self, page_id: str) -> list[str]:
        try:
            return self._attempts_path(page_id).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    # --- model, word list, trying again --------------------------------------------------------------------

    @functools.cached_property
    def model(self) -> Model:
        """The job's own copy of its model.

        Raises:
            ModelProblem: it is missing, damaged, or not the one that the job was made with.
        """
        model = load_model(self.path / "model")
        if model.fingerprint != self.model_fingerprint:
            raise ModelProblem(
                f"the model in {shown(self.path / 'model')} is not the one that the job was made with",
                "Delete the job folder and submit the scans again.",
            )
        return model

    @functools.cached_property
    def lexicon(self) -> WordList | None:
        """The job's own copy of its word list; None where it has none.

        Raises:
            BadData: it is missing, or not the one that the job was made with.
        """
        if self.settings.lexicon is None:
            return None
        path = self.path / LEXICON_FILE
        words = WordList(path, path.read_bytes() if path.is_file() else b"", self.settings.characters)
        if words.digest != self.settings.lexicon:
            raise BadData(
                f"the word list {shown(path)} is gone, or not the one that the job was made with",
                "Delete the job folder and submit the scans again.",
            )
        return words

    def forget_results(self, *, failures: bool = False, codes: frozenset[ErrorCode] = frozenset()) -> int:
        """Delete results, so that their pages are read again: damaged files always, others as asked.

        Attempts on record are forgotten too, for a person who asks again makes a fresh start, and so are
        temporary files of processes that died.

        Args:
            failures: pages that failed or are quarantined.
            codes: pages that failed with these error codes.

        Returns:
            How many pages will be read again.
        """
        forgotten = 0
        for page_id in self.result_ids():
            try:
                reading = self.read_result(page_id)
                again = reading is not None and (
                    reading.error_code in codes
                    or (failures and reading.status in (Status.FAILED, Status.QUARANTINED))
                )
            except NotAJob:
                again = True
            if again:
                self.result_path(page_id).unlink(missing_ok=True)
                forgotten += 1
        for log in (self.path / "attempts").glob("*/*.log"):
            log.unlink(missing_ok=True)
        for temporary in (self.path / "pages").glob("*/.writing-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS:
                    temporary.unlink()
        if forgotten and self.manifest_path.exists():
            os.utime(self.manifest_path)  # Tells the workers' sweeps that the job is not complete any more.
        return forgotten

    def forget_undrawn(self, drawings: Path) -> int:
        """Delete results of pages without a drawing in a folder, so that they are read and drawn again.

        Returns:
            How many pages will be read again.
        """
        undrawn = [
            path
            for entry, _ in self.manifest()
            if (path := self.result_path(entry.id)).exists() and not (drawings / entry.drawing).exists()
        ]
        for path in undrawn:
            path.unlink(missing_ok=True)
        return len(undrawn)

    def placed(self, roots: Roots, shared: bool) -> Self:
        """Return the job as workers with these roots see it, and write it down.

        Args:
            roots: what the workers see.
            shared: whether workers elsewhere read it.

        Raises:
            UsageProblem: the scans lie outside of the scan root.
            ResultsNotWritable: the job folder does not take job.json.
        """
        below = roots.below(roots.scans, Path(self.scan_root), "--scans")
        job = dataclasses.replace(self, scans_below=below, shared=shared)
        values = {
            field.name: getattr(job, field.name) for field in dataclasses.fields(job) if field.name != "path"
        }
        with written_whole(job.path / "job.json") as file:
            json.dump({**values, "settings": job.settings.to_json()}, file, indent=1)
        return job

    def check_writable(self) -> None:
        """Check that the job folder takes files.

        Raises:
            ResultsNotWritable: it does not.
        """
        probe = self.path / ".probe"
        with written_whole(probe) as file:
            file.write("x" * _PROBE_BYTES)
        probe.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the job for the time of a change to its manifest or its collected files.

        The lock is the system's (flock): it ends with the process, however that ends.

        Raises:
            ResultsNotWritable: the job folder does not take the lock file.
        """
        try:
            file = (self.path / ".lock").open("a")
        except OSError as error:
            raise ResultsNotWritable(
                f"cannot write in the job folder {shown(self.path)}: {error.strerror}",
                "Correct the folder's permissions, then give the same command again.",
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The two folders that messages name things below, as the workers see them.

    Attributes:
        scans: the scan root.
        results: the result root.
    """

    scans: Path
    results: Path

    def below(self, root: Path, path: Path, option: str) -> str:
        """Return a path relative to one of the roots.

        Raises:
            UsageProblem: the path lies outside.
        """
        try:
            return path.resolve().relative_to(root.resolve()).as_posix()
        except ValueError as error:
            raise UsageProblem(
                f"{shown(path)} is not below {shown(root)}",
                f"The workers see nothing else: move it there, or set {option} for submit and workers alike.",
            ) from error


def submit(
    folder: Path,
    out: Path,
    settings: Settings,
    model: Model,
    roots: Roots,
    client_token: str = "",
    shared: bool = False,
    lexicon: WordList | None = None,
) -> Submission:
    """Make the job of a folder of scans, or reopen it, and write its manifest.

    The same folder, settings and model give the same job; pages that have a result keep it, and pages of
    changed or new files are added. Failures that may have been mended without touching the file (limits,
    permissions, files that were gone) are forgotten, so that they are tried again.

    Args:
        folder: the scans.
        out: the folder that gets the job folder.
        settings: how to read.
        model: with what to read.
        roots: what the workers see.
        client_token: a name of the caller's own that decides the job instead of the folder.
        shared: whether workers elsewhere read it.
        lexicon: the words that lines are read with a second time.

    Raises:
        UsageProblem: the folder cannot be listed, or one of the two lies outside of its root, or OUT lies
            in the scan folder.
        NoScans: there is nothing to read.
        ModelProblem: the model is damaged, or does not know the alphabet.
        ResultsNotWritable: the result folder does not take the job.
    """
    folder, out = folder.resolve(), out.resolve()
    if out.is_relative_to(folder):
        raise UsageProblem(
            f"the result folder {shown(out)} lies in the scan folder {shown(folder)}",
            "Give --out a folder beside it: results would be taken for scans.",
        )
    roots.below(roots.scans, folder, "--scans")
    roots.below(roots.results, out, "--results")
    model.check_knows(settings.characters)
    settings = dataclasses.replace(settings, lexicon=lexicon.digest if lexicon else None)
    scans, other_files = find_scans(folder)

    identity = client_token or os.fsencode(folder).decode("utf-8", "backslashreplace")
    digest = _digest(identity, settings.fingerprint(), model.fingerprint)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", client_token or folder.name).strip("-.") or "scans"
    path = out / f"{readable[:60]}-{digest[:10]}"
    try:
        reopened = (path / "job.json").exists()
        if reopened:
            job = dataclasses.replace(Job.open(path), settings=settings, scan_root=str(folder))
            job.model.network, job.lexicon  # noqa: B018 - the copies must be whole before pages are queued
        else:
            job = _new_job(path, settings, model, folder, lexicon)
        with job.lock():
            job = job.placed(roots, shared)
            if reopened and job.manifest_path.exists():
                job.forget_results(codes=MENDABLE_WITHOUT_A_NEW_FILE)
            pages = _write_manifest(job, folder, scans)
        tally = job.tally()
    except OSError as error:
        raise ResultsNotWritable(
            f"cannot make the job folder {shown(path)}: {error.strerror}",
            "Give --out a folder that you may write to.",
        ) from error
    return Submission(job, pages, tally.pages - tally.finished, other_files)


def _new_job(path: Path, settings: Settings, model: Model, folder: Path, lexicon: WordList | None) -> Job:
    copies = {
        path / "model" / MODEL_FILE: model.network,
        path / "model" / CARD_FILE: (model.folder / CARD_FILE).read_bytes(),
    }
    if lexicon:
        copies[path / LEXICON_FILE] = lexicon.content
    (path / "model").mkdir(parents=True, exist_ok=True)
    for copy, content in copies.items():
        temporary = copy.with_name(f".writing-{copy.name}-{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(copy)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Job(
        path=path,
        settings=settings,
        model_fingerprint=model.fingerprint,
        scan_root=str(folder),
        scans_below="",
        shared=False,
        token=uuid.uuid4().hex[:12],
        created=now,
        version=VERSION,
    )


def _write_manifest(job: Job, folder: Path, scans: list[str]) -> int:
    identity = (job.settings.fingerprint(), job.model_fingerprint)
    lines = 0
    with PageCounter() as counter, written_whole(job.manifest_path) as file:
        for scan in scans:
            path = folder / scan
            try:
                status = path.stat()
                size, mtime_ns = status.st_size, status.st_mtime_ns
            except FileNotFoundError:
                continue  # It went away while the folder was listed; nothing of it was promised.
            except OSError:
                size = mtime_ns = 0  # The worker that opens it records why it cannot be read.
            pages = counter.count(path) if path.suffix.lower() in DOCUMENT_SUFFIXES else 1
            for page in range(1, pages + 1):
                digest = _digest(scan, size, mtime_ns, page, *identity)
                entry = ManifestEntry(digest[:_ID_LENGTH], scan, page, size, mtime_ns, pages)
                file.write(json.dumps(entry.to_json(), separators=(",", ":")) + "\n")
                lines += 1
    return lines


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def find_job_folders(out: Path) -> Iterator[Path]:
    """List the job folders below a folder; a job folder is not searched for others.

    Raises:
        NotAJob: the folder does not exist.
    """
    if not out.is_dir():
        raise NotAJob(f"{shown(out)} is not a folder", "Give the folder that was --out of run or submit.")
    for folder, subfolders, names in os.walk(out):
        if "job.json" in names:
            subfolders.clear()
            yield Path(folder)
