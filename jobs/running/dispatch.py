"""From a submission to finished pages: through a broker of one's own, or the engine of this machine."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lettermill.jobs.errors import EngineFailed, TimedOut
from lettermill.jobs.job.folder import Job, Roots, Tally
from lettermill.jobs.queue.celery_app import UNREACHABLE, check_broker, make_app, unreachable
from lettermill.jobs.queue.feed import SIGN_SECONDS, Feed
from lettermill.jobs.running.local_engine import LocalEngine
from lettermill.jobs.running.progress import Display, Watched, display

_MOST_REPAIRS = 3
"""So often lost pages are queued again with no page finished in between."""

_QUIET_SECONDS = 3
"""After this long without a finished page, `run` looks whether messages were lost."""

_LOOK_SECONDS = 1

_STILL_SECONDS = 30
_STILL = (
    f"No page was finished for {_STILL_SECONDS} s. Does a worker run, with the --broker, --scans and "
    "--results that submit was given? `lettermill doctor` looks, and the workers' logs say what they "
    "cannot do."
)

_CARE_SECONDS = SIGN_SECONDS + 1


def queue_pages(job: Job, roots: Roots, broker: str) -> Feed:
    """Queue a job's unfinished pages at a broker, in place of whatever of it was queued before.

    Args:
        job: the job.
        roots: what the workers see.
        broker: the broker's address.

    Returns:
        The feed, for more of the same.

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

    A worker or a server that dies is started again, and what it had is queued again at once. Where another
    command reads the same job here, this one follows it, and takes its place when it ends early.

    Args:
        job: the job.
        roots: the scan root and the result root.
        workers: pages read at once.
        debug: the folder for drawings of the pages, if any.

    Raises:
        EngineFailed: the worker does not stay up.
        ResultsNotWritable: the job folder takes no results.
        KeyboardInterrupt: everything is stopped.
    """
    with display() as shown:
        watched = Watched(job)
        said = False
        while True:
            with job.reading_here() as ours:
                if ours:
                    _read(job, roots, workers, debug, watched, shown)
                    return
            if not said:
                click.echo("another command reads this job on this machine; following it", err=True)
                said = True
            tally = watched.look()
            shown.show(tally)
            if tally.complete:
                return
            time.sleep(_LOOK_SECONDS)


def _read(job: Job, roots: Roots, workers: int, debug: Path | None, watched: Watched, shown: Display) -> None:
    with LocalEngine(roots, workers, debug) as engine:
        feed = queue_pages(job, roots, engine.broker)
        care = _Care(job, engine, feed)
        for tally in watched.ticks():
            shown.show(tally)
            if tally.cancelled:
                engine.stop(let_pages_finish=True)
            elif not tally.complete:
                care.look(tally.finished)


class _Care:
    """Keeps a job on this machine going: starts again what died, queues again what was lost."""

    def __init__(self, job: Job, engine: LocalEngine, feed: Feed) -> None:
        self._job, self._engine, self._feed = job, engine, feed
        self._finished, self._last_progress, self._repairs = -1, time.monotonic(), 0
        self._last_look = self._last_progress
        self._suspects: frozenset[str] = frozenset()

    def look(self, finished: int) -> None:
        """Look once.

        Args:
            finished: pages with a result.

        Raises:
            EngineFailed: the worker does not stay up, or loses the same pages again and again.
            ResultsNotWritable: the job folder takes no results.
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
                f"the worker drops pages without a result. Its last words:\n{self._engine.last_words()}",
                "Mend what they name, then give the same command again.",
            )


def follow(job: Job, timeout: float | None = None) -> Tally:
    """Show a job's progress until every page has a result; others read it.

    Args:
        job: the job.
        timeout: seconds to wait at most; None for ever.

    Returns:
        How it ended.

    Raises:
        TimedOut: the time is up.
    """
    last_progress = time.monotonic()
    deadline = last_progress + timeout if timeout is not None else None
    watched = Watched(job)
    finished, said = -1, False
    with display() as shown:
        for tally in watched.ticks():
            shown.show(tally)
            if tally.finished > finished:
                finished, last_progress = tally.finished, time.monotonic()
            elif not said and not tally.complete and time.monotonic() - last_progress > _STILL_SECONDS:
                shown.say(_STILL)
                said = True
            if deadline is not None and time.monotonic() > deadline and not tally.complete:
                raise TimedOut(
                    f"{tally.finished} of {tally.pages} pages were done when the time was up",
                    f"The job goes on; look again with: lettermill wait '{job.path}'",
                )
    return tally
