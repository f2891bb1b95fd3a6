"""From a submission to finished pages: through a broker of one's own, or the engine of this machine."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from jobs.engine import LocalEngine
from jobs.errors import EngineFailed, TimedOut
from jobs.feed import Feed
from jobs.follow import Watched, display
from jobs.job import Job, Roots
from jobs.queue import UNREACHABLE, check_broker, make_app, unreachable

_MOST_RESTARTS = 3
"""So often lost pages are queued again with no page finished in between."""

_QUIET_SECONDS = 3
"""After this long without a finished page, `run` looks whether messages were lost."""


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

    A worker or a server that dies is started again, and what it had is queued again at once. SIGTERM
    stops everything as Ctrl-C does.

    Args:
        job: the job.
        roots: the scan root and the result root.
        workers: pages read at once.
        debug: the folder for drawings of the pages, if any.

    Raises:
        EngineFailed: the worker does not stay up.
        KeyboardInterrupt: Ctrl-C or SIGTERM; everything is stopped.
    """
    with _stop_signals_interrupt(), LocalEngine(roots, workers, debug) as engine, display() as shown:
        try:
            feed = queue_pages(job, roots, engine.broker)
            watched = Watched(job)
            care = _Care(job, engine, feed)
            for tally in watched.ticks():
                shown.show(tally, watched.failed)
                if not tally.complete:
                    care.look(tally.finished)
        except KeyboardInterrupt:
            click.echo("The same command goes on where it stopped.", err=True)
            raise


class _Care:
    """Keeps a job on this machine going: starts again what died, queues again what was lost."""

    def __init__(self, job: Job, engine: LocalEngine, feed: Feed) -> None:
        self._job, self._engine, self._feed = job, engine, feed
        self._finished, self._last_progress, self._restarts = -1, time.monotonic(), 0

    def look(self, finished: int) -> None:
        """Look once.

        Args:
            finished: pages with a result.

        Raises:
            EngineFailed: the worker does not stay up, or loses the same pages again and again.
            ResultsNotWritable: the job folder takes no results.
        """
        if finished > self._finished:
            self._finished, self._last_progress, self._restarts = finished, time.monotonic(), 0
            self._engine.made_progress()
        try:
            if self._engine.revive():
                self._feed.restart()
            elif time.monotonic() - self._last_progress > _QUIET_SECONDS and self._feed.restart_if_stalled():
                self._last_progress = time.monotonic()
                self._restarts += 1
        except UNREACHABLE:
            return  # The server has just died: the next look finds that and starts it again.
        if self._restarts >= _MOST_RESTARTS:
            self._job.check_writable()
            raise EngineFailed(
                f"the worker drops pages without a result. Its last words:\n{self._engine.last_words()}",
                "Mend what they name, then give the same command again.",
            )


def follow(job: Job, timeout: float | None = None) -> int:
    """Show a job's progress until every page has a result; others read it.

    Args:
        job: the job.
        timeout: seconds to wait at most; None for ever.

    Returns:
        How many pages failed.

    Raises:
        TimedOut: the time is up.
    """
    deadline = time.monotonic() + timeout if timeout is not None else None
    watched = Watched(job)
    with display() as shown:
        for tally in watched.ticks():
            shown.show(tally, watched.failed)
            if deadline is not None and time.monotonic() > deadline and not tally.complete:
                raise TimedOut(
                    f"{tally.finished} of {tally.pages} pages were done when the time was up",
                    f"The job goes on; look again with: lettermill wait '{job.path}'",
                )
    return watched.failed


def local_roots(job: Job) -> Roots:
    """Return the roots under which this machine can read a job that it or another submitted."""
    scans = Path(job.scan_root)
    for part in Path(job.scans_below).parts:
        scans = scans if part == "." else scans.parent
    return Roots(scans, job.path.parent)


@contextlib.contextmanager
def _stop_signals_interrupt() -> Iterator[None]:
    """Let SIGTERM, and the SIGHUP of a terminal that is closed, stop everything as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
