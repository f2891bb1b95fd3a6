"""From a submission to finished pages: through a broker of one's own, or the engine of this machine."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from jobs.engine import LocalEngine
from jobs.errors import TimedOut
from jobs.feed import Feed
from jobs.follow import Watched, display
from jobs.job import Job, Roots
from jobs.queue import UNREACHABLE, check_broker, make_app, unreachable

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


def read_here(job: Job, roots: Roots, workers: int) -> None:
    """Read a job's unfinished pages on this machine and show progress until all are done.

    A worker or a server that dies is started again, and what it had is queued again at once. SIGTERM
    stops everything as Ctrl-C does.

    Args:
        job: the job.
        roots: the scan root and the result root.
        workers: pages read at once.

    Raises:
        EngineFailed: the worker does not stay up.
        KeyboardInterrupt: Ctrl-C or SIGTERM; everything is stopped.
    """
    with _sigterm_interrupts(), LocalEngine(roots, workers) as engine, display() as shown:
        feed = queue_pages(job, roots, engine.broker)
        watched = Watched(job)
        finished, last_progress = -1, time.monotonic()
        for tally in watched.ticks():
            shown.show(tally, watched.failed)
            if tally.complete:
                return
            if tally.finished > finished:
                finished, last_progress = tally.finished, time.monotonic()
                engine.made_progress()
            if engine.revive() or (time.monotonic() - last_progress > _QUIET_SECONDS and feed.is_stalled()):
                feed.restart()


def follow(job: Job, timeout: float | None = None) -> None:
    """Show a job's progress until every page has a result; others read it.

    Args:
        job: the job.
        timeout: seconds to wait at most; None for ever.

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


def local_roots(job: Job) -> Roots:
    """Return the roots under which this machine can read a job that it or another submitted."""
    scans = Path(job.scan_root)
    for part in Path(job.scans_below).parts:
        scans = scans if part == "." else scans.parent
    return Roots(scans, job.path.parent)


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
