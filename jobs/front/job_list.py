"""Show the jobs below --out, and stop, continue and delete them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from typing import Literal

from lettermill.jobs.errors import LettermillError, NotAJob, UsageProblem
from lettermill.jobs.front.runner import Runner, job_folders, log_end
from lettermill.jobs.front.submit import asked
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.latest import LATEST, last_used
from lettermill.jobs.job.page_results import ResultIds
from lettermill.jobs.job.prune import prune
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.hidden import is_hidden

JOBS_SHOWN = 50
"""Jobs on a page of the list: each is counted anew."""

PAGES_SHOWN = 200
"""Pages of a job that are named one by one."""

_MOST_NAME_BYTES = 255
"""No file system has longer names."""

State = Literal["waiting", "being read", "complete", "stopped", "unfinished", "damaged"]

_IN_WORDS = {
    "letters": "letters",
    "digits": "digits",
    "alnum": "letters and digits",
    "auto": "letters or digits, line by line",
    "form": "a form",
    "lexicon": "with a word list",
}


class StillAtWork(UsageProblem):
    """A job is not deleted while somebody works on it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A job as it is listed.

    Attributes:
        name: the job folder's name.
        scans: the name of the folder of its scans.
        request: what was asked for, in words.
        by: who asked; empty for jobs of the command line.
        created: ISO time in UTC; empty if the job is damaged.
        state: how far it is.
        pages: how many pages it has.
        finished: pages that were read or have failed.
        failed: those that have failed.
        turn: how many jobs are read before it; None if it does not wait.
        problem: why it does not continue by itself, or cannot be opened; empty otherwise.
    """

    name: str
    scans: str = ""
    request: str = ""
    by: str = ""
    created: str = ""
    state: State = "damaged"
    pages: int = 0
    finished: int = 0
    failed: int = 0
    turn: int | None = None
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing will change by itself."""
        return self.state not in ("waiting", "being read")


@dataclasses.dataclass(frozen=True, slots=True)
class PageRow:
    """A page as the page of its job shows it.

    Attributes:
        scan: its file.
        page: its number in the file, from 1.
        pages: the pages of the file.
        state: read, failed or open.
        error: why it failed; empty otherwise.
    """

    scan: str
    page: int
    pages: int
    state: Literal["read", "failed", "open"]
    error: str = ""


class JobList:
    """The jobs in a folder.

    Args:
        out: the folder.
        runner: reads them.
    """

    def __init__(self, out: Disk, runner: Runner) -> None:
        self._out, self._runner = out, runner

    def page(self, number: int) -> tuple[list[Row], int]:
        """Return jobs, those last used first.

        Args:
            number: the page of the list, from 1.

        Returns:
            The jobs of this page, and how many jobs there are.
        """
        folders = sorted(job_folders(self._out), key=last_used, reverse=True)
        first = (number - 1) * JOBS_SHOWN
        return [self.row(folder.name) for folder in folders[first : first + JOBS_SHOWN]], len(folders)

    def folder(self, name: str) -> Disk:
        """Return a job folder by its name.

        Raises:
            NotAJob: there is none of this name.
        """
        path = self._out / name
        if (
            not is_hidden(name)
            and not {"/", "\0"} & set(name)
            and name not in ("", LATEST)
            and len(os.fsencode(name)) <= _MOST_NAME_BYTES
            and not path.is_symlink()
            and (path / JOB_FILE).is_file()
        ):
            return path
        raise NotAJob("there is no such job", "It may have been deleted: go back to the list.")

    def job(self, name: str) -> Job:
        """Open a job by the name of its folder.

        Raises:
            NotAJob: there is none of this name, or it is damaged.
        """
        return Job.open(self.folder(name))

    def row(self, name: str) -> Row:
        """Return what the list shows of a job.

        Raises:
            NotAJob: there is none of this name.
        """
        folder = self.folder(name)
        turn = self._runner.turn(name)
        wish = asked(folder)
        try:
            job = Job.open(folder)
            tally = job.tally()
        except LettermillError as error:
            return Row(name, by=wish.by if wish else "", problem=error.what)
        state: State = tally.state
        if state == "unfinished" and (turn == 0 or job.is_read_here):
            state = "being read"
        elif state == "unfinished" and turn is not None:
            state = "waiting"
        problem = ""
        if state == "stopped":
            problem = job.cancelled or ""
        elif state == "unfinished":
            problem = log_end(folder).strip().rpartition("Error: ")[2]
        words = [_IN_WORDS.get(word, word) for word in job.settings.summary]
        return Row(
            name=name,
            scans=display_path(job.scan_root).rstrip("/").rpartition("/")[2],
            request=", ".join(words + (["with a context"] if job.settings.context else [])),
            by=wish.by if wish else "",
            created=job.created,
            state=state,
            pages=tally.pages,
            finished=tally.finished,
            failed=tally.failed,
            turn=turn,
            problem=problem,
        )

    def pages(self, name: str) -> list[PageRow]:
        """Return the pages of a job: the first ones, and failed ones before others if there are too many.

        Raises:
            NotAJob: there is none of this name, or it is damaged.
        """
        job = self.job(name)
        results = job.results.ids()
        entries = [entry for entry, _ in job.manifest()]
        if len(entries) > PAGES_SHOWN:
            entries.sort(key=lambda entry: entry.id not in results.failed)
        return [_page_row(job, entry, results) for entry in entries[:PAGES_SHOWN]]

    def stop(self, name: str, by: str) -> None:
        """Stop a job; pages that are being read are finished.

        Raises:
            NotAJob: there is none of this name, or it is damaged.
            ResultsNotWritable: its folder cannot be written to.
        """
        job = self.job(name)
        if job.tally().state != "complete":
            job.cancel(f"stopped by {by} at {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC")

    def go_on(self, name: str, failed_too: bool = False) -> None:
        """Continue a job.

        Args:
            name: the job.
            failed_too: whether pages that failed are tried again.

        Raises:
            NotAJob: there is none of this name, or it is damaged.
            ResultsNotWritable: its folder cannot be written to.
        """
        job = self.job(name)
        if failed_too:
            with job.lock():
                job.forget_results(failures=True)
        job.uncancel()
        self._runner.add(name)

    def delete(self, name: str) -> None:
        """Delete a job with its results and corrections; scans stay.

        Raises:
            NotAJob: there is none of this name.
            StillAtWork: it is being read, waits, or is in use by another command.
            ResultsNotWritable: it cannot be deleted.
        """
        row = self.row(name)
        if row.state not in ("complete", "stopped"):
            raise StillAtWork(
                f"{name} is {row.state}, and only jobs that are complete or stopped are deleted",
                "Stop it first.",
            )
        if not prune([self.folder(name)], 0):
            raise StillAtWork(
                f"another command works on {name}", "Wait a moment: its results may still be written."
            )


def _page_row(job: Job, entry: ManifestEntry, results: ResultIds) -> PageRow:
    scan = display_path(entry.scan)
    if entry.id not in results.failed:
        return PageRow(scan, entry.page, entry.pages, "read" if entry.id in results.read else "open")
    try:
        reading = job.results.read(entry.id)
        why = reading.error if reading else ""
    except NotAJob as error:
        why = error.what
    return PageRow(scan, entry.page, entry.pages, "failed", why)
