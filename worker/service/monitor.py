"""Monitors a worker from beside its main loop: whether Redis answers, whether the loop still runs.

It is a thread of the main process, because the loop stands still while Redis is away. It logs nothing and
uses no lock that the reading processes need: they are forked while it runs, and a lock that it held at that
moment would stay locked in them.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import redis
from celery.worker import state

from lettermill.jobs.errors import ResultsNotWritable, UsageProblem
from lettermill.jobs.queue.celery_app import UNREACHABLE
from lettermill.jobs.queue.workers import HEARTBEAT_SECONDS
from lettermill.jobs.storage.atomic import replace_small_file
from lettermill.jobs.storage.display import display_path
from lettermill.worker.service.health_file import Health

if TYPE_CHECKING:
    from lettermill.worker.service.metrics import Metrics


class Workload(NamedTuple):
    """What a worker is reading; times are those of `time.monotonic`.

    Attributes:
        pages: how many pages it has.
        since: when it began the message that is closest to its time limit.
        limit: that message's time limit in seconds.
        last_end: when it last finished a message.
    """

    pages: int = 0
    since: float | None = None
    limit: float = 0.0
    last_end: float | None = None


class Monitor(threading.Thread):
    """Checks a worker every few seconds.

    Args:
        client: the broker's Redis, over a connection that is used nowhere else.
        health: the file for `lettermill health`, if any.
        metrics: get the state of the queues, if there are any.

    Attributes:
        problem: why the file could not be written the last time; empty if it was written.
    """

    def __init__(self, client: redis.Redis, health: Path | None, metrics: Metrics | None) -> None:
        super().__init__(name="monitor", daemon=True)
        self._redis = client
        self._health = health
        self._metrics = metrics
        self._workload = Workload()
        self._loop_seen = self._answered_since = self._last_answer = time.monotonic()
        self._silent = False
        self._ended = threading.Event()
        self.problem = ""

    def note(self, workload: Workload) -> None:
        """Record that the main loop runs and is connected, and what the worker is reading."""
        self._workload = workload
        self._loop_seen = time.monotonic()

    def start(self) -> None:
        """Check for the first time, then start the thread.

        Raises:
            UsageProblem: the file cannot be written.
        """
        self._ask_redis()
        try:
            self._write()
        except (ResultsNotWritable, OSError) as error:
            raise UsageProblem(
                f"cannot write {display_path(self._health or '')}, the file of --health: {error}",
                "Give a file in a folder that this user may write to.",
            ) from error
        super().start()

    def run(self) -> None:
        """Check, until `stop` is called."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._ask_redis()
            try:
                self._write()
                self.problem = ""
            except (ResultsNotWritable, OSError) as error:
                self.problem = str(error)

    def stop(self) -> None:
        """End the thread, and remove the file: a worker that has stopped is not well."""
        self._ended.set()
        self.join()
        if self._health:
            self._health.unlink(missing_ok=True)

    def _ask_redis(self) -> None:
        try:
            if self._metrics:
                self._metrics.look(self._redis)
            else:
                self._redis.ping()
        except UNREACHABLE:
            self._silent = True
            if self._metrics:
                self._metrics.miss_redis()
            return
        self._last_answer = time.monotonic()
        if self._silent:
            self._silent = False
            self._answered_since = self._last_answer

    def _write(self) -> None:
        if not self._health:
            return
        now = time.monotonic()
        work = self._workload
        stopping = state.should_stop is not None
        waits = self._silent or stopping
        health = Health(
            at=datetime.now(UTC),
            stopping=stopping,
            redis_silent=round(now - self._last_answer, 1) if self._silent else 0.0,
            deaf=0.0 if waits else round(now - max(self._loop_seen, self._answered_since), 1),
            pages=work.pages,
            # Up to the loop's last turn: nothing is known of the time since.
            at_work=0.0 if work.since is None else round(self._loop_seen - work.since, 1),
            limit=work.limit,
            last_page=None if work.last_end is None else round(now - work.last_end, 1),
        )
        replace_small_file(str(self._health), msgspec.json.encode(health))
