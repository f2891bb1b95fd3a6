"""The job folder: what a job is on disk, and the only truth about how far it has come.

```
OUT/JOB_ID/
  job.json            settings, model, when, by which version
  cancelled.json      there while the job is stopped: when and why
  model/              the network and its card: a job keeps its model
  lexicon.txt         the word list, where there is one: a job keeps it as well
  template/           the form's template with its blank and word lists, where there is one
  manifest.jsonl      a line a page
  pages/ab/ID.json         the reading of a page
  pages/ab/ID.failed.json  why a page has none
  attempts/ab/ID.log  the tries of pages that have no result yet
```

How many pages are read and how many failed is told by names alone, so that a job of 200,000 pages answers at
once. Where two workers had the same page and one of them failed, the reading counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import importlib.metadata
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec

from lettermill.jobs.errors import (
    BadData,
    ErrorCode,
    ModelProblem,
    NotAJob,
    UsageProblem,
)
from lettermill.jobs.inputs.model import Model, load_model
from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.records.manifest import ManifestEntry, manifest_ids, read_manifest
from lettermill.jobs.records.readings import PageReading, from_bytes, to_bytes
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.parallel import in_order
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:  # Few jobs have one, and checking it takes more than the rest.
    from lettermill.jobs.inputs.form_template import Template

VERSION = importlib.metadata.version("lettermill")

MAX_ATTEMPTS = 3
"""A page that was begun this often without a result is quarantined."""

LEXICON_FILE = "lexicon.txt"

TEMPLATE_FOLDER, TEMPLATE_FILE = "template", "template.toml"

JOB_FILE = "job.json"

MANIFEST_FILE = "manifest.jsonl"

_LOCK = ".lock"

_BEGUN = "begun"
_TAKEN_BACK = "taken back"
_FAILED = ".failed.json"
_READ = ".json"

_MOST_JSON = 1_000_000
"""Bytes of job.json: a thousand times what it has."""

_PROBE_BYTES = 65536
"""About the size of a full page's reading."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """How many pages of a job are where.

    Attributes:
        pages: pages in the manifest.
        finished: pages with a result of whatever kind.
        failed: those of them that have no reading.
        cancelled: whether the job is stopped: what is not finished will not be, until somebody resumes it.
    """

    pages: int
    finished: int
    failed: int = 0
    cancelled: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing more is to come: every page has a result, or the job is stopped."""
        return self.state != "unfinished"

    @property
    def state(self) -> Literal["complete", "stopped", "unfinished"]:
        """The same in a word: a job whose last pages were at work when it was stopped is complete."""
        if self.finished >= self.pages:
            return "complete"
        return "stopped" if self.cancelled else "unfinished"


@dataclasses.dataclass(frozen=True, slots=True)
class Results:
    """The ids of the pages that have a result.

    Attributes:
        read: those with a reading.
        failed: those that failed.
    """

    read: set[str]
    failed: set[str]

    def __contains__(self, page_id: str) -> bool:
        return page_id in self.read or page_id in self.failed


_Name = Annotated[str, msgspec.Meta(pattern=r"^[^\0]*\Z")]
"""No file has a zero in its name."""


class _JobFile(msgspec.Struct, frozen=True):
    """What job.json holds, but for the settings."""

    model_fingerprint: str
    scan_root: _Name
    scans_below: _Name
    shared: bool
    token: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12}\Z")]
    created: str
    version: str
    max_failures: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A job folder.

    Attributes:
        path: the folder, on disk or in an object store.
        settings: how its pages are read.
        model_fingerprint: which model reads them.
        scan_root: the folder of the scans as the submitting machine named it.
        scans_below: the same, relative to the workers' scan root, with `/`.
        shared: whether workers elsewhere read it; if not, only `lettermill run` on this machine does.
        token: a random word that tells this job from another of the same name, for keys in Redis.
        created: ISO time in UTC.
        version: the version of Lettermill that made the job.
        max_failures: the job is stopped when more pages than this have failed; None for never.
    """

    path: Place
    settings: Settings
    model_fingerprint: str
    scan_root: str
    scans_below: str
    shared: bool
    token: str
    created: str
    version: str
    max_failures: int | None = None

    @classmethod
    def open(cls, path: Path | Place) -> Self:
        """Open a job folder.

        Raises:
            NotAJob: the path is no job folder, or its job.json is damaged.
        """
        path = locate(path)
        try:
            values = _json(path / JOB_FILE)
            stored = msgspec.structs.asdict(msgspec.convert(values, _JobFile))
            dt.datetime.fromisoformat(stored["created"]).astimezone(dt.UTC)  # As the report shows it.
            return cls(path.resolve(), Settings.from_json(values["settings"]), **stored)
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "is not a job folder (it has no job.json)" if path.is_folder() else "does not exist"
            raise NotAJob(
                f"{display_path(path)} {what}",
                "Give the job folder that `run` or `submit` printed; `lettermill jobs --out DIR` lists them. "
                "Workers look below their --results: submit must be given the same.",
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise NotAJob(
                f"cannot read {display_path(path / 'job.json')}: {error}",
                "Delete that file and submit the folder of scans again: what was read stays.",
            ) from error

    @functools.cached_property
    def identity(self) -> tuple[str, str]:
        """The fingerprints of settings and model, which every page's id depends on."""
        return self.settings.fingerprint(), self.model_fingerprint

    @property
    def local_roots(self) -> Roots:
        """The roots under which this machine can read a job that it or another submitted."""
        scans = locate(self.scan_root)
        for part in PurePosixPath(self.scans_below).parts:
            scans = scans if part == "." else scans.parent
        return Roots(scans, self.path.parent)

    # --- manifest -------------------------------------------------------------------------------

    @property
    def manifest_path(self) -> Place:
        """The file manifest.jsonl."""
        return self.path / MANIFEST_FILE

    def manifest(self, start: int = 0) -> Iterator[tuple[ManifestEntry, int]]:
        """Read the manifest from a byte offset, as `lettermill.jobs.records.manifest.read_manifest`."""
        return read_manifest(self.manifest_path, start)

    # --- results --------------------------------------------------------------------------------

    def result_path(self, page_id: str, *, failed: bool = False) -> Place:
        """Return where a page's reading, or the reason why it has none, is or will be."""
        return self.path / _result_name(page_id, failed)

    def has_result(self, page_id: str) -> bool:
        """Say whether a page has a result of whatever kind."""
        return self.result_path(page_id).exists() or self.result_path(page_id, failed=True).exists()

    def with_result(self, ids: Iterable[str]) -> list[str]:
        """Return those of some pages that have a result."""
        return [page_id for page_id, has in in_order(self.has_result, ids, self.path.at_once) if has]

    def write_result(self, reading: PageReading) -> None:
        """Write a page's result whole and forget its attempts.

        A failure is not written where another worker has read the page, and goes where one reads it later.

        Raises:
            ResultsNotWritable: the result folder does not take it.
        """
        page_id = reading.page_id
        path = self.result_path(page_id, failed=reading.failed)
        content = to_bytes(reading)
        try:
            self.path.make_folder(f"pages/{page_id[:2]}")
            if not (reading.failed and self.result_path(page_id).exists()):
                path.write(content)
            if not reading.failed:
                self.result_path(page_id, failed=True).unlink(missing_ok=True)
            self.forget_attempts(page_id)
        except OSError as error:
            raise not_writable(path, error) from error

    def read_result(self, page_id: str) -> PageReading | None:
        """Read a page's result.

        Returns:
            The reading, or None where there is none yet.

        Raises:
            NotAJob: the file is damaged.
        """
        for failed in (False, True):
            name = _result_name(page_id, failed)
            try:
                reading = from_bytes(self.path.read(name))
                if reading.page_id != page_id or reading.failed is not failed:
                    raise ValueError("it is the result of another page")
                return reading
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise NotAJob(
                    f"the result {display_path(self.path / name)} is damaged: {error}",
                    "`lettermill resume` the job: it deletes the file and reads the page again.",
                ) from error
        return None

    def read_results(self, ids: Iterable[str]) -> Iterator[tuple[str, PageReading | NotAJob | None]]:
        """Read the results of some pages in their order, in an object store many at once.

        Args:
            ids: the pages.

        Yields:
            Each page and its reading; None where there is none yet, the error where the file is damaged.
        """

        def read(page_id: str) -> PageReading | NotAJob | None:
            try:
                return self.read_result(page_id)
            except NotAJob as error:
                return error

        return in_order(read, ids, self.path.at_once)

    def results(self) -> Results:
        """Return which pages have a result, by the names in pages/, opening none of them.

        Raises:
            NotAJob: the folder cannot be listed.
        """
        read: set[str] = set()
        failed: set[str] = set()
        try:
            for name in (self.path / "pages").names():
                if name.endswith(_FAILED):
                    failed.add(name[: -len(_FAILED)])
                elif name.endswith(_READ):
                    read.add(name[: -len(_READ)])
        except OSError as error:
            raise NotAJob(
                f"cannot list the results in {display_path(self.path / 'pages')}: {error.strerror}",
                "Correct the folder's permissions, or check the disk.",
            ) from error
        return Results(read, failed - read)

    def tally(self) -> Tally:
        """Count the pages with a result, by the manifest's ids and the names in pages/, opening none of them.

        Raises:
            NotAJob: the manifest is missing or damaged, or the results cannot be listed.
        """
        return self.count(manifest_ids(self.manifest_path))

    def count(self, ids: list[str]) -> Tally:
        """As `tally`, for a caller that has the manifest's ids."""
        results = self.results()
        failed = sum(page_id in results.failed for page_id in ids)
        read = sum(page_id in results.read for page_id in ids)
        return Tally(len(ids), read + failed, failed, self.cancelled is not None)

    # --- attempts -------------------------------------------------------------------------------

    def _attempts_path(self, page_id: str) -> Place:
        return self.path / "attempts" / page_id[:2] / f"{page_id}.log"

    @contextlib.contextmanager
    def attempt(self, page_id: str) -> Iterator[int | None]:
        """Record that a page is about to be opened, and hold it until its result is written.

        The line outlives the process, not a power cut: it is there to count processes that died. The lock
        (flock) ends with the process; it keeps a message that is delivered twice from being read twice at
        once, which would count as two attempts.

        Yields:
            Which attempt this is, from 1; None where another process has the page at this moment.

        Raises:
            ResultsNotWritable: the result folder does not take it.
        """
        path = self._attempts_path(page_id)
        with contextlib.ExitStack() as stack:
            try:
                self.path.make_folder(f"attempts/{page_id[:2]}")
                # No two lines are the same: a store may take one twice where an answer is lost.
                content = stack.enter_context(path.begin(f"{_BEGUN} {secrets.token_hex(6)}"))
            except OSError as error:
                raise not_writable(path, error) from error
            yield None if content is None else _begun(_lines(content))

    def take_back_attempt(self, page_id: str) -> None:
        """Forget the attempt that was just begun: it came to nothing for a reason that is not the page's."""
        self._note(page_id, _TAKEN_BACK)

    def forget_attempts(self, page_id: str) -> None:
        """Forget a page's attempts: it has a result."""
        self._attempts_path(page_id).unlink(missing_ok=True)

    def note_loss(self, page_id: str, cause: str) -> None:
        """Record why the last attempt came to nothing."""
        self._note(page_id, f"lost {cause}")

    def _note(self, page_id: str, line: str) -> None:
        path = self._attempts_path(page_id)
        try:
            path.append(line)
        except OSError as error:
            raise not_writable(path, error) from error

    def attempts(self, page_id: str) -> int:
        """Return how many attempts were begun since the page last had a result."""
        return _begun(self._attempt_lines(page_id))

    def last_loss(self, page_id: str) -> str:
        """Return the last known cause of a lost attempt, or an empty string."""
        losses = [line[5:] for line in self._attempt_lines(page_id) if line.startswith("lost ")]
        return losses[-1] if losses else ""

    def _attempt_lines(self, page_id: str) -> list[str]:
        try:
            path = self._attempts_path(page_id)
            return _lines(path.parent.read(path.name))
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
                f"the model in {display_path(self.path / 'model')} is not the one that the job was made with",
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
        try:
            content = self.path.read(LEXICON_FILE)
        except OSError:
            content = b""  # As good as another one.
        words = WordList(path, content, self.settings.characters)
        if words.digest != self.settings.lexicon:
            raise BadData(
                f"the word list {display_path(path)} is gone, or not the one that the job was made with",
                "Delete the job folder and submit the scans again.",
            )
        return words

    @functools.cached_property
    def template(self) -> Template | None:
        """The job's own copy of its template; None where it has none.

        Raises:
            BadData: it is missing, or not the one that the job was made with.
        """
        if self.settings.template is None:
            return None
        from lettermill.jobs.inputs.form_template import read_template

        path = self.path / TEMPLATE_FOLDER / TEMPLATE_FILE
        template = read_template(path)
        if template.digest != self.settings.template:
            raise BadData(
                f"the template {display_path(path)} is not the one that the job was made with",
                "Delete the job folder and submit the scans again.",
            )
        return template

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
        results = self.results()
        for page_id, reading in self.read_results(results.read | results.failed):
            if isinstance(reading, NotAJob) or (
                reading is not None and (reading.error_code in codes or (failures and reading.failed))
            ):
                self._forget_result(page_id)
                forgotten += 1
        self.forget_lost_attempts()
        self.path.remove_abandoned()
        if forgotten and self.manifest_path.exists():
            self.manifest_path.renew()  # Tells the workers' sweeps that the job is not complete any more.
        return forgotten

    def forget_lost_attempts(self) -> None:
        """Forget the attempts of pages that nobody is at: whoever asks again makes a fresh start."""
        (self.path / "attempts").unlink_free()

    def forget_undrawn(self, drawings: Path) -> int:
        """Delete results of pages without a drawing in a folder, so that they are read and drawn again.

        Returns:
            How many pages will be read again.
        """
        undrawn = [
            entry.id
            for entry, _ in self.manifest()
            if self.has_result(entry.id) and not (drawings / entry.drawing).exists()
        ]
        for page_id in undrawn:
            self._forget_result(page_id)
        return len(undrawn)

    def _forget_result(self, page_id: str) -> None:
        for failed in (False, True):
            self.result_path(page_id, failed=failed).unlink(missing_ok=True)

    # --- what a person asked for -------------------------------------------------------------------------

    @property
    def _cancelled_path(self) -> Place:
        return self.path / "cancelled.json"

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is stopped; asked before each page."""
        return self._cancelled_path.exists()

    @property
    def cancelled(self) -> str | None:
        """Why the job is stopped, in words for a person; None while it is not."""
        try:
            return str(_json(self._cancelled_path)["why"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "the job was stopped"  # The file is there, which is what counts.

    def cancel(self, why: str) -> None:
        """Stop the job: pages at work are finished, no other is begun. The first reason stays.

        Args:
            why: for the pages that are not read, in pages.csv.

        Raises:
            ResultsNotWritable: the job folder does not take the file.
        """
        if not self.is_cancelled:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            self._cancelled_path.write(json.dumps({"why": why, "when": now}).encode())

    def uncancel(self) -> None:
        """Let a stopped job go on."""
        self._cancelled_path.unlink(missing_ok=True)

    def cancel_after_failures(self) -> bool:
        """Stop the job if more pages have failed than it allows; called after each failure.

        Returns:
            Whether it was stopped.

        Raises:
            ResultsNotWritable: the job folder does not take the file.
        """
        if self.max_failures is None:
            return False
        failed = self.tally().failed
        if failed <= self.max_failures:
            return False
        pages = "page" if failed == 1 else "pages"
        self.cancel(f"{failed} {pages} failed and the job allows {self.max_failures} (--max-failures)")
        return True

    def placed(self, roots: Roots, shared: bool) -> Self:
        """Return the job as workers with these roots see it, and write it down.

        Args:
            roots: what the workers see.
            shared: whether workers elsewhere read it.

        Raises:
            UsageProblem: the scans lie outside of the scan root.
            ResultsNotWritable: the job folder does not take job.json.
        """
        below = roots.below(roots.scans, locate(self.scan_root), "--scans")
        job = dataclasses.replace(self, scans_below=below, shared=shared)
        (job.path / JOB_FILE).write(job._to_json())
        return job

    def write_first(self) -> None:
        """Write job.json unless somebody else has made the same job a moment ago: then theirs counts."""
        (self.path / JOB_FILE).create(self._to_json())

    def _to_json(self) -> bytes:
        values = {name: getattr(self, name) for name in _JobFile.__struct_fields__}
        return json.dumps({**values, "settings": self.settings.to_json()}, indent=1).encode()

    def check_writable(self) -> None:
        """Check that the job folder takes files.

        Raises:
            ResultsNotWritable: it does not.
        """
        probe = self.path / ".probe"
        probe.write(b"x" * _PROBE_BYTES)
        probe.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the job for the time of a change to its manifest or its collected files.

        The lock is the system's (flock): it ends with the process, however that ends.

        Raises:
            ResultsNotWritable: the job folder does not take the lock file.
        """
        with locked(self.path):
            yield

    @contextlib.contextmanager
    def reading_here(self) -> Iterator[bool]:
        """Be the one `lettermill run` or `resume` that reads the job on this machine's own engine.

        Yields:
            Whether this process is; if not, another one is at it.

        Raises:
            ResultsNotWritable: the job folder does not take the lock file.
        """
        with (self.path / ".reading").held(wait=False) as ours:
            yield ours

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other commands from the job, where none is at it: what `lock` and `reading_here` hold.

        Yields:
            Whether no other is.

        Raises:
            ResultsNotWritable: the job folder does not take the lock files.
        """
        with self.reading_here() as ours, (self.path / _LOCK).held(wait=False) as locked_too:
            yield ours and locked_too


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="replace").splitlines()


def _begun(lines: list[str]) -> int:
    return sum(line.startswith(_BEGUN) for line in lines) - lines.count(_TAKEN_BACK)


def _result_name(page_id: str, failed: bool) -> str:
    return f"pages/{page_id[:2]}/{page_id}{_FAILED if failed else _READ}"


def _json(path: Place) -> Any:
    """Return what a JSON file holds, whose texts can all be written again.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or holds text that is none.
    """
    with path.opened() as file:
        text = file.read(_MOST_JSON + 1)
    if len(text) > _MOST_JSON:
        raise ValueError("it is too large")
    values = json.loads(text)
    os.fsencode(json.dumps(values, ensure_ascii=False))  # It raises ValueError for half of a surrogate pair.
    return values


@contextlib.contextmanager
def locked(folder: Place) -> Iterator[None]:
    """Hold a job folder that may not have a job yet; see `Job.lock`."""
    with (folder / _LOCK).held(wait=True):
        yield


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The two folders that messages name things below, as the workers see them.

    Attributes:
        scans: the scan root.
        results: the result root.
    """

    scans: Place
    results: Place

    def below(self, root: Place, path: Place, option: str) -> str:
        """Return a path relative to one of the roots.

        Raises:
            UsageProblem: the path lies outside.
        """
        try:
            return path.resolve().below(root.resolve())
        except ValueError as error:
            raise UsageProblem(
                f"{display_path(path)} is not below {display_path(root)}",
                f"The workers see nothing else: move it there, or set {option} for submit and workers alike.",
            ) from error


def find_job_folders(out: Path | Place) -> Iterator[Place]:
    """List the job folders below a folder; a job folder is not searched for others, a hidden one not at all.

    Raises:
        NotAJob: the folder does not exist.
    """
    return locate(out).folders_with(JOB_FILE)
