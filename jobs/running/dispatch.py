"""Has a submitted job's pages read: by workers at a broker, or by the engine of this machine."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lettermill.jobs.errors import EngineFailed, TimedOut
from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.queue.celery_app import UNREACHABLE, check_broker, make_app, unreachable
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.workers import HEARTBEAT_SECONDS
from lettermill.jobs.running.local_engine import LocalEngine
from lettermill.jobs.running.progress import JobProgress, JobWatch
from lettermill.jobs.running.readers import readers_of

_MOST_REPAIRS = 3
"""How often lost pages are queued again without a page being finished in between."""

_QUIET_SECONDS = 3
"""After this long without a finished page, `run` checks whether messages were lost."""

_LOOK_SECONDS = 1

_STILL_SECONDS = 30
_STILL = (
    "Do the workers have the --broker, --scans and --results that submit was given? `lettermill doctor` "
    "checks that, and the workers' logs say what fails."
)

_ASK_SECONDS = 5
"""How often `follow` asks who reads the job while no page is finished."""

_CARE_SECONDS = HEARTBEAT_SECONDS + 1
"""Between two searches for lost pages each worker sends at least one heartbeat."""


def queue_pages(job: Job, roots: Roots, broker: str) -> Feed:
    """Queue a job's unfinished pages at a broker; they replace everything that was queued for it before.

    Args:
        job: the job.
        roots: what the workers see.
        broker: the broker's address.

    Returns:
        The job's feed, for queueing more.

    Raises:
        BrokerUnreachable: Redis does not answer, or refuses.
    """
    client = check_broker(broker)
    below = roots.below(roots.results, job.path, "--results")
    feed = Feed(job, below, make_app(broker), client)
    try:
        feed.restart()
    except UNREACHABLE as error:
        raise unreachable(broker, error) from error
    return feed


def read_here(job: Job, roots: Roots, workers: int, debug: Path | None = None) -> None:
    """Read a job's unfinished pages on this machine and show progress until all are done.

    A worker or a server that dies is started again, and its pages are queued again at once. Where another
    command reads the same job on this machine, this one only shows progress, and reads the rest if the other
    ends early.

    Args:
        job: the job.
        roots: the scan root and the result root.
        workers: how many pages are read at once.
        debug: the folder for drawings of the pages, if any.

    Raises:
        EngineFailed: the worker does not stay up.
        ResultsNotWritable: the job folder cannot be written to.
        KeyboardInterrupt: everything is stopped.
    """
    with JobProgress() as progress:
        watch = JobWatch(job)
        announced = False
        while True:
            with job.reading_here() as ours:
                if ours:
                    _read(job, LocalEngine(roots, workers, debug), roots, watch, progress)
                    return
            if not announced:
                click.echo("another command reads this job on this machine; following it", err=True)
                announced = True
            tally = watch.look()
            progress.show(tally)
            if tally.complete:
                return
            time.sleep(_LOOK_SECONDS)


def _read(job: Job, engine: LocalEngine, roots: Roots, watch: JobWatch, progress: JobProgress) -> None:
    with engine:
        keeper = _Keeper(job, engine, queue_pages(job, roots, engine.broker))
        for tally in watch.tallies():
            progress.show(tally)
            if tally.cancelled:
                engine.stop(let_pages_finish=True)
            elif not tally.complete:
                keeper.look(tally.finished)


class _Keeper:
    """Keeps a job on this machine going: restarts processes that died, queues lost pages again."""

    def __init__(self, job: Job, engine: LocalEngine, feed: Feed) -> None:
        self._job, self._engine, self._feed = job, engine, feed
        self._finished, self._last_progress, self._repairs = -1, time.monotonic(), 0
        self._last_look = self._last_progress
        self._suspects: frozenset[str] = frozenset()

    def look(self, finished: int) -> None:
        """Check the engine and the queue once.

        Args:
            finished: pages with a result.

        Raises:
            EngineFailed: the worker does not stay up, or loses the same pages again and again.
            ResultsNotWritable: the job folder cannot be written to.
        """
        now = time.monotonic()
        if finished > self._finished:
            self._finished, self._last_progress, self._repairs = finished, now, 0
            self._suspects = frozenset()
            self._engine.made_progress()
        try:
            if self._engine.revive():
                self._feed.restart()
            elif now - self._last_progress > _QUIET_SECONDS and now - self._last_look > _CARE_SECONDS:
                self._last_look = now
                again, self._suspects = self._feed.look_after(self._suspects)
                self._repairs += again > 0
        except UNREACHABLE:
            return  # The server has just died: the next look finds that and starts it again.
        if self._repairs >= _MOST_REPAIRS:
            self._job.check_writable()
            raise EngineFailed(
                f"the worker drops pages without a result. The end of its log:\n{self._engine.log_end()}",
                "Mend what it names, then give the same command again.",
            )


def follow(job: Job, timeout: float | None = None, broker: str | None = None) -> Tally:
    """Show a job's progress until every page has a result; workers elsewhere read it.

    Args:
        job: the job.
        timeout: seconds to wait at most; None waits for ever.
        broker: the address of the workers' Redis; without it nobody is asked whether they are alive.

    Returns:
        The last tally.

    Raises:
        TimedOut: the time is up.
    """
    begun = time.monotonic()
    with JobProgress() as progress:
        standstill = _Standstill(job, broker, progress)
        for tally in JobWatch(job).tallies():
            progress.show(tally)
            if not tally.complete:
                standstill.look(tally.finished)
                if timeout is not None and time.monotonic() - begun > timeout:
                    raise TimedOut(
                        f"{tally.finished} of {tally.pages} pages were done when the time was up",
                        f"The job continues; look again with: lettermill wait '{job.path}'",
                    )
    return tally


class _Standstill:
    """Says why no page is finished: at once where nobody can read the job, else after a while, and once.

    Args:
        job: the job.
        broker: as for `follow`.
        progress: shows what is said.
    """

    def __init__(self, job: Job, broker: str | None, progress: JobProgress) -> None:
        self._job, self._broker, self._progress = job, broker, progress
        self._finished = -1
        self._last_progress = time.monotonic()
        self._asked_at: float | None = None
        self._trouble = ""
        self._still_said = False

    def look(self, finished: int) -> None:
        """Look once.

        Args:
            finished: pages with a result.
        """
        now = time.monotonic()
        if finished > self._finished:
            self._finished, self._last_progress = finished, now
        if self._asked_at is not None and now - max(self._asked_at, self._last_progress) < _ASK_SECONDS:
            return
        readers = readers_of(self._job, self._broker)
        self._asked_at = time.monotonic()
        trouble = readers.sentence if readers.trouble else ""
        if trouble != self._trouble:
            self._trouble = trouble
            self._progress.print_above(readers.sentence)
        elif not trouble and not self._still_said and now - self._last_progress > _STILL_SECONDS:
            self._still_said = True
            self._progress.print_above(
                f"No page was finished for {_STILL_SECONDS} s. {readers.sentence} {_STILL}"
            )
