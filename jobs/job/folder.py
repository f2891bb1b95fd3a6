"""Opens and changes a job folder: the only truth about what a job is and how far it has come.

```
OUT/JOB_ID/
  job.json            settings, model, when it was made, by which version
  cancelled.json      only while the job is stopped: when and why
  model/              the networks and their card: each job keeps its own copy
  lexicon.txt         the word list, if there is one: again a copy
  context.npz         the context, if there is one
  template/           the form's template with its blank and word lists, if there is one
  manifest.jsonl      one line per page
  pages/ab/ID.json         the reading of a page (page_results.py)
  pages/ab/ID.failed.json  why a page has none
  attempts/ab/ID.log  attempts at pages that have no result yet (attempts.py)
```
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import importlib.metadata
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec

from lettermill.jobs.errors import (
    ErrorCode,
    NotAJob,
)
from lettermill.jobs.inputs.context import ContextPack
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.job.attempts import Attempts
from lettermill.jobs.job.input_copies import (
    load_context_copy,
    load_lexicon_copy,
    load_model_copy,
    load_template_copy,
)
from lettermill.jobs.job.page_results import PageResults
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.left_out import NOTHING, LeftOut
from lettermill.jobs.records.manifest import ManifestEntry, manifest_ids, read_manifest
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:
    from lettermill.jobs.inputs.form_template import Template

VERSION = importlib.metadata.version("lettermill")

JOB_FILE = "job.json"

MANIFEST_FILE = "manifest.jsonl"

_LOCK = ".lock"
_READING = ".reading"

_MAX_JSON_BYTES = 1_000_000
"""A thousand times what job.json has."""

_PROBE_BYTES = 65536
"""About the size of a full page's reading."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """How far a job is.

    Attributes:
        pages: pages in the manifest.
        finished: pages that were read or have failed.
        failed: those that have failed.
        cancelled: whether the job is stopped: no further page is read until somebody resumes it.
    """

    pages: int
    finished: int
    failed: int = 0
    cancelled: bool = False

    @property
    def complete(self) -> bool:
        """Whether no more results will come: every page has one, or the job is stopped."""
        return self.state != "unfinished"

    @property
    def state(self) -> Literal["complete", "stopped", "unfinished"]:
        """The state in a word; a job whose last pages were still read after it was stopped is complete."""
        if self.finished >= self.pages:
            return "complete"
        return "stopped" if self.cancelled else "unfinished"


_Name = Annotated[str, msgspec.Meta(pattern=r"^[^\0]*\Z")]
"""No file name has a zero character."""


class _JobFile(msgspec.Struct, frozen=True):
    """The content of job.json, without the settings."""

    model_fingerprint: str
    scan_root: _Name
    scans_below: _Name
    shared: bool
    token: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12}\Z")]
    created: str
    version: str
    max_failures: Annotated[int, msgspec.Meta(ge=0)] | None = None
    left_out: LeftOut = NOTHING
    """Jobs that were made before it was kept have none."""
    origin: str = ""
    """The same."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job folder.

    Attributes:
        path: the folder, on disk or in an object store.
        settings: how its pages are read.
        model_fingerprint: which model reads them.
        scan_root: path of the scan folder on the machine that submitted the job.
        scans_below: the same, relative to the workers' scan root, with `/`.
        shared: whether workers elsewhere read it; if not, only `lettermill run` on this machine does.
        token: a random word for the job's keys in Redis: two jobs of the same name have different ones.
        created: ISO time in UTC.
        version: the version of Lettermill that made the job.
        max_failures: the job is stopped when more pages than this have failed; None for never.
        left_out: what else was in the scan folder when the job was made or reopened.
        origin: a digest of what the job was made of: the scans' paths, or a client token.
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
    left_out: LeftOut = NOTHING
    origin: str = ""

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
            dt.datetime.fromisoformat(stored["created"]).astimezone(dt.UTC)  # The report needs it so.
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
                "Delete that file and submit the folder of scans again: results stay.",
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

    @functools.cached_property
    def results(self) -> PageResults:
        """The results of its pages."""
        return PageResults(self.path, self.attempts)

    @functools.cached_property
    def attempts(self) -> Attempts:
        """The attempts at pages that have no result yet."""
        return Attempts(self.path)

    def tally(self) -> Tally:
        """Count the pages with a result; opens none of them.

        Raises:
            NotAJob: the manifest is missing or damaged, or the results cannot be listed.
        """
        return self.count(manifest_ids(self.manifest_path))

    @property
    def is_read_here(self) -> bool:
        """Whether a `lettermill run` or `resume` of this machine reads the job now."""
        return (self.path / _READING).is_held()

    def count(self, ids: list[str]) -> Tally:
        """As `tally`, for a caller that already has the manifest's ids."""
        finished = self.results.ids()
        failed = sum(page_id in finished.failed for page_id in ids)
        read = sum(page_id in finished.read for page_id in ids)
        return Tally(len(ids), read + failed, failed, self.cancelled is not None)

    # --- inputs ---------------------------------------------------------------------------------

    def check_inputs(self) -> None:
        """Check the job's own copies of model, word list, context and template.

        Raises:
            ModelProblem, BadData: one of them is missing, damaged, or not the one that the job was made with.
        """
        self.model.check()
        _ = self.lexicon, self.context, self.template  # All are checked when they are loaded.

    @functools.cached_property
    def model(self) -> Model:
        """The job's own copy of its model.

        Raises:
            ModelProblem: it is missing, damaged, or not the one that the job was made with.
        """
        return load_model_copy(self.path, self.model_fingerprint)

    @functools.cached_property
    def lexicon(self) -> WordList | None:
        """The job's own copy of its word list; None where it has none.

        Raises:
            BadData: it is missing, or not the one that the job was made with.
        """
        return load_lexicon_copy(self.path, self.settings)

    @functools.cached_property
    def context(self) -> ContextPack | None:
        """The job's own copy of its context; None where it has none.

        Raises:
            BadData: it is missing, or not the one that the job was made with.
        """
        return load_context_copy(self.path, self.settings)

    @functools.cached_property
    def template(self) -> Template | None:
        """The job's own copy of its template; None where it has none.

        Raises:
            BadData: it is missing, or not the one that the job was made with.
        """
        return load_template_copy(self.path, self.settings)

    # --- reading pages again --------------------------------------------------------------------

    def forget_results(self, *, failures: bool = False, codes: frozenset[ErrorCode] = frozenset()) -> int:
        """Delete results, so that their pages are read again: damaged files always, others if wanted.

        Lost attempts are forgotten too, because a person who asks again starts afresh, and so are temporary
        files of processes that died.

        Args:
            failures: pages that failed or are quarantined, too.
            codes: pages that failed with these error codes, too.

        Returns:
            How many pages will be read again.
        """
        forgotten = self.results.forget_unusable(failures=failures, codes=codes)
        self.attempts.forget_lost()
        self.path.remove_abandoned()
        if forgotten and self.manifest_path.exists():
            self.manifest_path.renew()  # Tells the workers' sweeps that the job is no longer complete.
        return forgotten

    def forget_undrawn(self, drawings: Path) -> int:
        """Delete results of pages without a drawing in a folder, so that they are read and drawn again.

        Returns:
            How many pages will be read again.
        """
        undrawn = [
            entry.id
            for entry, _ in self.manifest()
            if self.results.has(entry.id) and not (drawings / entry.drawing).exists()
        ]
        for page_id in undrawn:
            self.results.forget(page_id)
        return len(undrawn)

    # --- stopping -------------------------------------------------------------------------------

    @property
    def _cancelled_path(self) -> Place:
        return self.path / "cancelled.json"

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is stopped; workers check this before each page."""
        return self._cancelled_path.exists()

    @property
    def cancelled(self) -> str | None:
        """Why the job is stopped, in words for a person; None while it is not."""
        try:
            return str(_json(self._cancelled_path)["why"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "the job was stopped"  # A damaged file stops the job, too.

    def cancel(self, why: str) -> None:
        """Stop the job: pages that are being read are finished, no other is begun. The first reason stays.

        Args:
            why: the reason; pages.csv gives it for each page that was not read.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        if not self.is_cancelled:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            self._cancelled_path.write(json.dumps({"why": why, "when": now}).encode())

    def uncancel(self) -> None:
        """Let a stopped job continue."""
        self._cancelled_path.unlink(missing_ok=True)

    def cancel_after_failures(self) -> bool:
        """Stop the job if more pages have failed than it allows; to be called after each failure.

        Returns:
            Whether it was stopped.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        if self.max_failures is None:
            return False
        failed = self.tally().failed
        if failed <= self.max_failures:
            return False
        pages = "page" if failed == 1 else "pages"
        self.cancel(f"{failed} {pages} failed and the job allows {self.max_failures} (--max-failures)")
        return True

    # --- job.json -------------------------------------------------------------------------------

    def placed(self, roots: Roots, shared: bool) -> Self:
        """Return the job as workers with these roots see it, and write it to job.json.

        Args:
            roots: what the workers see.
            shared: whether workers elsewhere read it.

        Raises:
            UsageProblem: the scans lie outside of the scan root.
            ResultsNotWritable: the job folder cannot be written to.
        """
        below = roots.below(roots.scans, locate(self.scan_root), "--scans")
        job = dataclasses.replace(self, scans_below=below, shared=shared)
        (job.path / JOB_FILE).write(job._to_json())
        return job

    def write_first(self) -> None:
        """Write job.json, unless another command has made the same job meanwhile: then its file counts."""
        (self.path / JOB_FILE).create(self._to_json())

    def _to_json(self) -> bytes:
        stored = _JobFile(
            model_fingerprint=self.model_fingerprint,
            scan_root=self.scan_root,
            scans_below=self.scans_below,
            shared=self.shared,
            token=self.token,
            created=self.created,
            version=self.version,
            max_failures=self.max_failures,
            left_out=self.left_out,
            origin=self.origin,
        )
        values = {**msgspec.to_builtins(stored), "settings": self.settings.to_json()}
        return json.dumps(values, indent=1).encode()

    # --- locks ----------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Check that the job folder can be written to.

        Raises:
            ResultsNotWritable: it cannot.
        """
        probe = self.path / ".probe"
        probe.write(b"x" * _PROBE_BYTES)
        probe.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the job while its manifest or its collected files are changed.

        The lock is the system's (flock), so it ends with the process, even one that is killed.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        with locked(self.path):
            yield

    @contextlib.contextmanager
    def reading_here(self) -> Iterator[bool]:
        """Try to become the one `lettermill run` or `resume` that reads the job with this machine's engine.

        Yields:
            Whether it worked; if not, another process reads the job.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        with (self.path / _READING).held(wait=False) as ours:
            yield ours

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Try to keep all other commands from the job: take both `lock` and `reading_here`.

        Yields:
            Whether it worked; if not, another command works on the job.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        with self.reading_here() as ours, (self.path / _LOCK).held(wait=False) as locked_too:
            yield ours and locked_too


def _json(path: Place) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or holds text that cannot be encoded.
    """
    with path.opened() as file:
        text = file.read(_MAX_JSON_BYTES + 1)
    if len(text) > _MAX_JSON_BYTES:
        raise ValueError("it is too large")
    values = json.loads(text)
    os.fsencode(json.dumps(values, ensure_ascii=False))  # It raises ValueError for half of a surrogate pair.
    return values


@contextlib.contextmanager
def locked(folder: Place) -> Iterator[None]:
    """Hold a folder that may not be a job yet; see `Job.lock`."""
    with (folder / _LOCK).held(wait=True):
        yield


def name_of_scans(folder: Place, only: Iterable[str] = ()) -> str:
    r"""Return what identifies the scans of a job: the same for the same folder and the same part of it.

    Args:
        folder: the scan folder, without links.
        only: paths below it, if only these are read.

    Returns:
        The paths, joined; bytes that are not UTF-8 become \xNN.
    """
    return display_path("\0".join([str(folder), *sorted(only)]))


def find_job_folders(out: Path | Place) -> Iterator[Place]:
    """List the job folders below a folder; neither job folders nor hidden folders are searched for more.

    Raises:
        NotAJob: the folder does not exist.
    """
    return locate(out).folders_with(JOB_FILE)
