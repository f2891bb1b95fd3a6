"""Watches a folder: reads each new scan once, and moves it afterwards.

The folder is listed regularly, because network folders do not report new files. The scans that have settled
(not changed for a while) at one look are a batch: one job, read and collected before the next look.
`jobs.watching.journal` records which scans were taken.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from lettermill.jobs.errors import (
    BrokerUnreachable,
    EngineFailed,
    ErrorCode,
    NoScans,
    ResultsNotWritable,
    UsageProblem,
)
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.write import write_results
from lettermill.jobs.running.hook import run_then
from lettermill.jobs.scans.find import find_scans
from lettermill.jobs.storage.atomic import atomic_write, remove_abandoned
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.watching.journal import Batch, Journal, Scan
from lettermill.jobs.watching.move import free_name, move

_LOOK_SECONDS = 1.0

_PAUSE_PER_LOOK = 5
"""The pause after a look is at least this many times as long as the look: large folders take long."""

_RETRY_SECONDS = 30

_MENDABLE = (BrokerUnreachable, EngineFailed, ResultsNotWritable)
"""Problems that a person can mend while the watch waits and tries again."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a folder is watched; the paths are absolute.

    Attributes:
        folder: the watched folder.
        out: gets the job folders and the journal.
        done: gets the scans that were read; None leaves them where they are.
        failed: gets the scans that were not read.
        settle_seconds: a scan is taken when it has not changed for this long.
        recipe: how the pages are read.
        roots: what the workers see.
        shared: whether workers elsewhere read.
        read: reads the unfinished pages of a job, and returns when they are read.
        accept_at: the wanted accuracy of letters that are not flagged, as for `write_results`.
        then: the words of a command that runs after each batch.
    """

    folder: Disk
    out: Disk
    done: Path | None
    failed: Path
    settle_seconds: float
    recipe: ReadingRecipe
    roots: Roots
    shared: bool
    read: Callable[[Job], None]
    accept_at: float | None
    then: Sequence[str] | None

    def check(self) -> None:
        """Check everything that would fail with the first batch, and make the folders.

        Raises:
            UsageProblem: the folder does not exist or is read-only, a folder for results lies in it, or
                a folder lies outside of its root.
            ModelProblem: the model does not know the alphabet.
            ResultsNotWritable: a folder cannot be made.
        """
        _paths(self.folder)
        for path in filter(None, (self.out, self.done, self.failed)):
            if path.is_relative_to(self.folder):
                raise UsageProblem(
                    f"{display_path(path)} lies in the watched folder {display_path(self.folder)}",
                    "Give a folder beside it: what is put there would be taken for new scans.",
                )
        self.roots.below(self.roots.scans, self.folder, "--scans")
        self.roots.below(self.roots.results, self.out, "--results")
        self.recipe.check_alphabet()
        if not os.access(self.folder, os.W_OK):
            raise UsageProblem(
                "scans that cannot be read are moved out of "
                f"{display_path(self.folder)}, which may not be changed",
                "Correct the folder's permissions, or watch a copy.",
            )
        for path in filter(None, (self.out, self.done, self.failed)):
            _make(path)


def keep_watching(plan: Plan) -> None:
    """Watch a folder until the process is stopped.

    Raises:
        As `Plan.check` and `Journal`; NotAJob: the job folder of the present batch is damaged.
        KeyboardInterrupt: the process is stopped.
    """
    plan.check()
    with Journal(plan.folder, plan.out) as journal:
        remove_abandoned(plan.failed)
        _say(f"watching {display_path(plan.folder)}; stop with Ctrl-C")
        read = f"are moved to {display_path(plan.done)}" if plan.done else "stay where they are"
        _say(f"scans that were read {read}, others are moved to {display_path(plan.failed)}")
        if journal.taken:
            _say(f"scans taken before: {len(journal.taken)}, see {display_path(journal.path)}")
        settling = _Settling(plan, journal)
        while True:
            try:
                if journal.batch is not None:
                    _finish_batch(plan, journal, journal.batch)
                begun = time.monotonic()
                settled = settling.look()
                pause = max(_LOOK_SECONDS, _PAUSE_PER_LOOK * (time.monotonic() - begun))
                if settled:
                    name = f"{plan.folder.name}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S-%f}"
                    journal.take(name, settled)
                    continue
            except _MENDABLE as error:
                pause = _RETRY_SECONDS
                _say(f"{error}\nTrying again in {_RETRY_SECONDS} s.")
            time.sleep(pause)


class _Settling:
    """Finds scans that are new and have not changed for a while."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self._plan = plan
        self._journal = journal
        self._since: dict[Scan, float] = {}
        self._failed_looks = 0

    def look(self) -> list[Scan]:
        """Return the scans that have settled."""
        try:
            paths = _paths(self._plan.folder)
        except UsageProblem as error:
            self._failed_looks += 1
            if self._failed_looks == 2:  # Once may be a subfolder that was removed during the look.
                _say(f"{error}\nWaiting until that is mended.")
            return []
        if self._failed_looks > 1:
            _say(f"{display_path(self._plan.folder)} can be looked through again")
        self._failed_looks = 0
        scans = (_scan(self._plan.folder, path) for path in paths)
        now = time.monotonic()
        self._since = {
            scan: self._since.get(scan, now) for scan in scans if scan and scan not in self._journal.taken
        }
        return [scan for scan, since in self._since.items() if now - since >= self._plan.settle_seconds]


def _finish_batch(plan: Plan, journal: Journal, batch: Batch) -> None:
    """Finish a batch, from whichever step it has reached."""
    job = _job(plan, journal, batch)
    if job is None:
        journal.finished(batch, batch.scans)
        return
    if not batch.collected:
        if job.tally().state == "unfinished":
            plan.read(job)
        summary = write_results(job, plan.accept_at)
        _say(
            f"pages done: {summary.finished}, failed: {summary.failed}, "
            f"see {display_path(job.path)}/summary.html"
        )
        journal.collected(batch)
    released = _move_scans(plan, batch, job)
    if plan.then:
        run_then(plan.then, job)
    journal.finished(batch, released)


def _job(plan: Plan, journal: Journal, batch: Batch) -> Job | None:
    """Open or make the job of a batch; None where none of its scans exists any more."""
    if batch.job and (plan.out / batch.job / "job.json").exists():
        job = Job.open(plan.out / batch.job)
        if not batch.collected:
            _say(f"going on with {display_path(job.path)}")
            with job.lock():
                job = job.placed(plan.roots, plan.shared)
                job.attempts.forget_lost()  # What stopped the watch was no fault of a page.
        return job
    there = []
    for scan in dict.fromkeys(batch.scans):
        if _scan(plan.folder, scan.path) == scan:
            there.append(scan.path)
        else:
            _say(f"{display_path(scan.path)!r} is gone or was changed: it is read when it has settled")
    if not there:
        return None
    submission = make_job(
        plan.folder,
        plan.out,
        plan.recipe,
        plan.roots,
        client_token=batch.name,
        shared=plan.shared,
        only=there,
    )
    job = submission.job
    # A scan that changed at this very moment is in the job in its new version: take that version, too.
    known = set(batch.scans)
    changed = {scan for scan, _ in _by_scan(job)} - known
    journal.take(batch.name, changed)
    journal.made(batch, job.path.name)
    _say(f"new scans: {len(there)}, pages: {submission.pages}, job: {display_path(job.path)}")
    return job


def _move_scans(plan: Plan, batch: Batch, job: Job) -> list[Scan]:
    """Move the scans of a collected batch.

    Returns:
        The scans that failed: they count as new if they are put back.

    Raises:
        ResultsNotWritable: a scan cannot be moved.
    """
    results = job.results.ids()
    in_job: set[Scan] = set()
    released: list[Scan] = []
    unread = 0
    for scan, pages in _by_scan(job):
        in_job.add(scan)
        failures = [job.results.read(page.id) for page in pages if page.id in results.failed]
        reasons = [failure for failure in failures if failure]
        if any(page.id not in results for page in pages):
            unread += 1
        elif reasons:
            released.append(scan)
            _move_failed(plan, job, scan, reasons)
        elif plan.done and _scan(plan.folder, scan.path) == scan:
            source = plan.folder / scan.path
            _move(source, _free_name(source, plan.done / scan.path))
    if unread:
        _say(
            f"The job was stopped and {unread} scans were not read; they stay where they are. "
            f"Read them with: lettermill resume '{display_path(job.path)}'"
        )
    return released + [scan for scan in batch.scans if scan not in in_job]


def _move_failed(plan: Plan, job: Job, scan: Scan, reasons: Sequence[PageReading]) -> None:
    """Move a scan that was not read, with the reasons beside it, unless it is gone or has changed."""
    codes = {reason.error_code for reason in reasons}
    name = repr(display_path(scan.path))
    if _scan(plan.folder, scan.path) != scan:
        if ErrorCode.SCAN_GONE in codes:
            _say(f"{name} was gone before it was read: put it back to have it read")
        elif ErrorCode.SCAN_CHANGED in codes:
            _say(f"{name} was changed before it was read: it is read when it has settled")
        return
    source = plan.folder / scan.path
    target = _free_name(source, plan.failed / scan.path)
    text = [f"{display_path(scan.path)}: not read, or not all of it.", ""]
    for reason in reasons:
        text += [f"page {reason.page}: {reason.error_code}", f"  {reason.error}", ""]
    text += [
        f"Results: {display_path(job.path)}",
        f"To have it read again, put it back into {display_path(plan.folder)}.",
    ]
    with atomic_write(target.with_name(f"{target.name}.txt")) as file:
        file.write("\n".join(text) + "\n")
    _move(source, target)
    _say(f"{name}: {reasons[0].error_code}, moved to {display_path(target)}")


def _free_name(source: Path, wanted: Path) -> Path:
    try:
        return free_name(source, wanted)
    except OSError as error:
        raise _not_moved(source, wanted, error) from error


def _move(source: Path, target: Path) -> None:
    try:
        move(source, target)
    except OSError as error:
        raise _not_moved(source, target, error) from error


def _not_moved(source: Path, target: Path, error: OSError) -> ResultsNotWritable:
    next_step = "Free some space or correct the permissions of both folders."
    return not_writable(target, error, f"move {display_path(source)} to", next_step)


def _by_scan(job: Job) -> Iterator[tuple[Scan, list[ManifestEntry]]]:
    """Yield the scans of a job, each with its pages."""
    entries = (entry for entry, _ in job.manifest())
    for scan, pages in itertools.groupby(
        entries, key=lambda entry: Scan(entry.scan, entry.bytes, entry.mtime_ns)
    ):
        yield scan, list(pages)


def _paths(folder: Path) -> list[str]:
    try:
        return find_scans(folder)[0]
    except NoScans:
        return []


def _scan(folder: Path, path: str) -> Scan | None:
    """Return the present version of a scan; None where it is gone."""
    try:
        status = (folder / path).stat()
    except OSError:
        return None
    return Scan(path, status.st_size, status.st_mtime_ns)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(0, "this user may not write to it")
    except OSError as error:
        raise not_writable(folder, error, "use the folder", "Give one that you may write to.") from error


def _say(line: str) -> None:
    click.echo(line, err=True)
