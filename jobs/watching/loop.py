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

from lettermill.jobs.errors import (
    BrokerUnreachable,
    EngineFailed,
    ErrorCode,
    ResultsNotWritable,
    UsageProblem,
)
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.left_out import NOTHING, LeftOut
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.write import write_results
from lettermill.jobs.running.hook import run_then
from lettermill.jobs.scans.find import list_scans
from lettermill.jobs.storage.atomic import remove_abandoned
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.watching.all_tables import add_batch
from lettermill.jobs.watching.journal import Batch, Failure, Journal, Scan
from lettermill.jobs.watching.put_aside import FINAL_SECONDS, PutAside, say

_LOOK_SECONDS = 1.0

_PAUSE_PER_LOOK = 5
"""The pause after a look is at least this many times as long as the look: large folders take long."""

_RETRY_SECONDS = 30

_UNFINISHED = frozenset({".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download"})
"""Suffixes under which programs write a file before they rename it: no need to name these."""

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
        acceptance: what is accepted unseen, as for `write_results`.
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
    acceptance: Acceptance | None
    then: Sequence[str] | None

    def check(self) -> None:
        """Check everything that would fail with the first batch, and make the folders.

        Raises:
            UsageProblem: the folder does not exist or is read-only, a folder for results lies in it, or
                a folder lies outside of its root.
            ModelProblem: the model does not know the alphabet.
            ResultsNotWritable: a folder cannot be made.
        """
        list_scans(self.folder)
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
        say(f"watching {display_path(plan.folder)}; stop with Ctrl-C")
        read = f"are moved to {display_path(plan.done)}" if plan.done else "stay where they are"
        say(f"scans that were read {read}, others are moved to {display_path(plan.failed)}")
        if journal.taken:
            say(f"scans taken before: {len(journal.taken)}, see {display_path(journal.path)}")
        aside = PutAside(plan.folder, plan.done, plan.failed, journal)
        settling = _Settling(plan, journal)
        again = True  # A batch that is there now was begun by a watch that has ended.
        while True:
            try:
                if journal.batch is not None:
                    _finish_batch(plan, journal, aside, journal.batch, again)
                again = False
                begun = time.monotonic()
                aside.look()
                settled = settling.look()
                pause = max(_LOOK_SECONDS, _PAUSE_PER_LOOK * (time.monotonic() - begun))
                if settled:
                    name = f"{plan.folder.name}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S-%f}"
                    journal.take(name, settled)
                    continue
            except _MENDABLE as error:
                again = True
                pause = _RETRY_SECONDS
                say(f"{error}\nTrying again in {_RETRY_SECONDS} s.")
            time.sleep(pause)


class _Settling:
    """Finds scans that are new and have not changed for a while."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self._plan = plan
        self._journal = journal
        self._since: dict[Scan, float] = {}
        self._left_out = _LeftOutNamed(plan.settle_seconds)
        self._failed_looks = 0

    def look(self) -> list[Scan]:
        """Return the scans that have settled."""
        try:
            paths, left_out = list_scans(self._plan.folder)
        except UsageProblem as error:
            self._failed_looks += 1
            if self._failed_looks == 2:  # Once may be a subfolder that was removed during the look.
                say(f"{error}\nWaiting until that is mended.")
            return []
        if self._failed_looks > 1:
            say(f"{display_path(self._plan.folder)} can be looked through again")
        self._failed_looks = 0
        scans = (Scan.at(self._plan.folder, path) for path in paths)
        now = time.monotonic()
        self._left_out.look(left_out, now)
        self._since = {
            scan: self._since.get(scan, now) for scan in scans if scan and scan not in self._journal.taken
        }
        return [scan for scan, since in self._since.items() if now - since >= self._plan.settle_seconds]


class _LeftOutNamed:
    """Names what lies in the folder and is not read: once, and again when there is more of it.

    Args:
        settle_seconds: it is named when it has not changed for this long.
    """

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._named = self._seen = NOTHING
        self._since = 0.0

    def look(self, left_out: LeftOut, now: float) -> None:
        """Take what lies there now, at a time of the monotonic clock."""
        left_out = left_out.without(_UNFINISHED)
        if left_out != self._seen:
            self._seen, self._since = left_out, now
        if not left_out.has_more_than(self._named):
            self._named = left_out
        elif now - self._since >= self._settle_seconds:
            self._named = left_out
            for sentence in left_out.sentences():
                say(sentence)


def _finish_batch(plan: Plan, journal: Journal, aside: PutAside, batch: Batch, again: bool) -> None:
    """Finish a batch, from whichever step it has reached; `again` if that was tried before."""
    job = _job(plan, journal, batch)
    if job is None:
        journal.finished(batch, {}, batch.scans)
        return
    if not batch.collected:
        if job.tally().state == "unfinished":
            plan.read(job)
        summary = write_results(job, plan.acceptance)
        add_batch(plan.out, plan.folder.name, job, again=again)
        say(
            f"pages done: {summary.finished}, failed: {summary.failed}, "
            f"see {display_path(job.path)}/summary.html"
        )
        journal.collected(batch)
    failed, released = _move_read(plan, aside, batch, job)
    if plan.then:
        run_then(plan.then, job)
    journal.finished(batch, failed, released)


def _job(plan: Plan, journal: Journal, batch: Batch) -> Job | None:
    """Open or make the job of a batch; None where none of its scans exists any more."""
    if batch.job and (plan.out / batch.job / "job.json").exists():
        job = Job.open(plan.out / batch.job)
        if not batch.collected:
            say(f"going on with {display_path(job.path)}")
            with job.lock():
                job = job.placed(plan.roots, plan.shared)
                job.attempts.forget_lost()  # What stopped the watch was no fault of a page.
        return job
    there = []
    for scan in dict.fromkeys(batch.scans):
        if Scan.at(plan.folder, scan.path) == scan:
            there.append(scan.path)
        else:
            say(f"{display_path(scan.path)!r} is gone or was changed: it is read when it has settled")
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
    point_latest(job)
    # A scan that changed at this very moment is in the job in its new version: take that version, too.
    known = set(batch.scans)
    changed = {scan for scan, _ in _by_scan(job)} - known
    journal.take(batch.name, changed)
    journal.made(batch, job.path.name)
    say(f"new scans: {len(there)}, pages: {submission.pages}, job: {display_path(job.path)}")
    return job


def _move_read(plan: Plan, aside: PutAside, batch: Batch, job: Job) -> tuple[dict[Scan, Failure], list[Scan]]:
    """Move the scans of a collected batch that were read.

    Returns:
        The scans that were not read and are there, with the reasons; the scans that count as new if they are
        put back.

    Raises:
        ResultsNotWritable: a scan cannot be moved.
    """
    results = job.results.ids()
    in_job: set[Scan] = set()
    failed: dict[Scan, Failure] = {}
    released: list[Scan] = []
    unread = 0
    for scan, pages in _by_scan(job):
        in_job.add(scan)
        failures = [job.results.read(page.id) for page in pages if page.id in results.failed]
        reasons = [failure for failure in failures if failure]
        if any(page.id not in results for page in pages):
            unread += 1
        elif not reasons:
            aside.move_read(scan)
        elif Scan.at(plan.folder, scan.path) == scan:
            failed[scan] = _failure(plan, job, scan, reasons)
            code, wait = failed[scan].code, FINAL_SECONDS
            say(f"{display_path(scan.path)!r}: {code}; it is moved if it does not change for {wait} s")
        else:
            released.append(scan)
            _say_why_gone(scan, reasons)
    if unread:
        say(
            f"The job was stopped; scans that were not read stay where they are: {unread}. "
            f"Read them with: lettermill resume '{display_path(job.path)}'"
        )
    return failed, released + [scan for scan in batch.scans if scan not in in_job]


def _failure(plan: Plan, job: Job, scan: Scan, reasons: Sequence[PageReading]) -> Failure:
    text = [f"{display_path(scan.path)}: not read, or not all of it.", ""]
    for reason in reasons:
        text += [f"page {reason.page}: {reason.error_code}", f"  {reason.error}", ""]
    text += [
        f"Results: {display_path(job.path)}",
        f"To have it read again, put it back into {display_path(plan.folder)}.",
    ]
    return Failure(str(reasons[0].error_code), "\n".join(text) + "\n")


def _say_why_gone(scan: Scan, reasons: Sequence[PageReading]) -> None:
    codes = {reason.error_code for reason in reasons}
    name = repr(display_path(scan.path))
    if ErrorCode.SCAN_GONE in codes:
        say(f"{name} was gone before it was read: put it back to have it read")
    else:
        say(f"{name} was changed while it was read: it is read when it has settled")


def _by_scan(job: Job) -> Iterator[tuple[Scan, list[ManifestEntry]]]:
    """Yield the scans of a job, each with its pages."""
    entries = (entry for entry, _ in job.manifest())
    for scan, pages in itertools.groupby(
        entries, key=lambda entry: Scan(entry.scan, entry.bytes, entry.mtime_ns)
    ):
        yield scan, list(pages)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(0, "this user may not write to it")
    except OSError as error:
        raise not_writable(folder, error, "use the folder", "Give one that you may write to.") from error
