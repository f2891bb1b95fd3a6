"""Looks through all submitted jobs regularly, and queues lost pages again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import redis
from celery import Celery

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.job.folder import MANIFEST_FILE, Job, find_job_folders
from lettermill.jobs.log import logger
from lettermill.jobs.queue.feed import Feed, waiting_since
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_BUDGET_SECONDS = 2.0
"""How long a sweep may keep the worker's main process before it leaves the rest to the next one."""


class Backlog(NamedTuple):
    """What a sweep has seen of all submitted jobs.

    Attributes:
        at: when it ended (seconds since 1970).
        pages: how many pages were in flight.
        oldest: when the page that has waited longest was queued (seconds since 1970); None where none waits.
    """

    at: float
    pages: int
    oldest: float | None


_NOTHING = Backlog(0.0, 0, None)


class Sweep:
    """Looks after the submitted jobs below the result root.

    Args:
        results: the workers' result root.
        app: the Celery application that sends.
        client: the broker's Redis.

    Attributes:
        backlog: what the last complete sweep has seen; None before the first.
    """

    def __init__(self, results: Place, app: Celery, client: redis.Redis) -> None:
        self.backlog: Backlog | None = None
        self._results = results
        self._app = app
        self._redis = client
        self._complete: dict[Place, str] = {}
        self._suspects: dict[Place, frozenset[str]] = {}
        self._folders: Iterator[Place] | None = None
        self._seen = _NOTHING

    def __call__(self) -> None:
        """Look at each job once; if that takes long, continue in the next call.

        Raises:
            As `Feed.top_up`.
        """
        deadline = time.monotonic() + _BUDGET_SECONDS
        if self._folders is None:
            self._folders = find_job_folders(self._results)
            self._seen = _NOTHING
        try:
            for folder in self._folders:
                self._look(folder)
                if time.monotonic() > deadline:
                    return
        except BaseException:
            self._folders = None  # An iterator that has raised is exhausted: the next call starts again.
            raise
        self._folders = None
        self.backlog = self._seen._replace(at=time.time())

    def _look(self, folder: Place) -> None:
        try:
            again = self._look_after(folder)
        except (LettermillError, OSError) as error:
            logger.warning("job_unreadable", job=display_path(folder.name), error=str(error))
            return
        if again:
            logger.warning("pages_queued_again", job=display_path(folder.name), pages=again)

    def _look_after(self, folder: Place) -> int:
        """Look after one job, and return how many of its pages were queued again."""
        version = (folder / MANIFEST_FILE).version()
        if not version:
            return 0  # It is still being submitted.
        if self._complete.get(folder) == version:
            return 0
        job = Job.open(folder)
        if not job.shared or job.is_cancelled:
            return 0  # `lettermill run` looks after its own job; its scans may lie outside of the roots.
        feed = Feed(job, folder.below(self._results), self._app, self._redis)
        if not feed.is_known() and job.tally().complete:
            self._complete[folder] = version
            return 0
        again, self._suspects[folder] = feed.look_after(self._suspects.get(folder, frozenset()))
        self._count(feed.flight)
        return again

    def _count(self, flight: Mapping[str, str]) -> None:
        waits = [since for holder in flight.values() if (since := waiting_since(holder)) is not None]
        if self._seen.oldest is not None:
            waits.append(self._seen.oldest)
        self._seen = Backlog(0.0, self._seen.pages + len(flight), min(waits, default=None))
