"""Feeding the queue: which pages of a job wait in Redis, in windows, so that Redis stays small.

Everything that Redis holds here may be lost at any moment. `Feed.top_up` is the one function that queues
pages; it can be called by anybody, any number of times, at once: by `submit`, by a worker that finished
a page, by each worker once a minute (`sweep`).

A job has four keys, `lettermill:TOKEN:…`:
- epoch: a random word that its messages carry. A message with another word is out of date and dropped,
  which is how `restart` takes back whatever is queued, wherever it lies.
- in-flight: the ids of the pages queued and not finished.
- cursor: the byte offset in manifest.jsonl up to which pages have been queued in this epoch.
- alive: there while pages of the job were queued, begun or finished in the last minutes.
"""

from __future__ import annotations

import contextlib
import logging
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import redis
from celery import Celery
from redis.exceptions import LockError, LockNotOwnedError

from jobs.errors import LettermillError
from jobs.files import shown
from jobs.job import Job, ManifestEntry, find_job_folders
from jobs.queue import QUEUE, READ_TASK

logger = logging.getLogger("lettermill")

WINDOW = 256
"""Pages of a job that may be in flight: enough for a few dozen workers, small in Redis, and short enough
that a job submitted behind a large one does not wait for it."""

BATCH_PAGES = 8
"""At most this many small pages are one message: a message costs about 5 ms, a form field about 10 ms."""

BATCH_BYTES = 256_000
"""A batch ends when its scans reach this size; a page of ordinary size is a message of its own."""

_HELD = "unacked"
"""Kombu's hash of messages that were delivered and not acknowledged."""

_LOCK_SECONDS = 10
_WAIT_SECONDS = 15
_GRACE_SECONDS = 15


class Feed:
    """The queue side of one job.

    Args:
        job: the job.
        below: the job folder's path below the workers' result root, with `/`.
        app: the Celery application that sends.
        client: the broker's Redis.
    """

    def __init__(self, job: Job, below: str, app: Celery, client: redis.Redis) -> None:
        self._job = job
        self._below = below
        self._app = app
        self._redis = client
        prefix = f"lettermill:{job.token}:"
        self._epoch, self._in_flight = prefix + "epoch", prefix + "in-flight"
        self._cursor, self._alive = prefix + "cursor", prefix + "alive"
        self._lock_name = prefix + "lock"

    def top_up(self) -> None:
        """Queue the next pages of the job when half of the window is free.

        When nothing is in flight and every page has a result, the job's keys are deleted.

        Raises:
            redis.RedisError, kombu.exceptions.OperationalError: Redis does not answer or refuses.
            NotAJob: the manifest cannot be read.
        """
        if self._room() < WINDOW // 2:
            return
        with self._lock() as held:
            if held:
                self._top_up()

    def restart(self) -> None:
        """Take back everything that is queued for the job, and queue its unfinished pages again.

        Raises:
            As `top_up`.
        """
        with self._lock() as held:
            if not held:
                raise LockError(f"the queue of job {self._job.path.name} was busy for {_WAIT_SECONDS} s")
            self._begin_epoch()
            self._top_up()

    def restart_if_stalled(self) -> bool:
        """Do as `restart` does if the job's messages are lost.

        They are when Redis knows nothing of the job, or when no message waits and either no worker holds
        one or nothing has happened to the job for longer than a page may take (its worker is gone, and
        with it the message it held).

        Returns:
            Whether it was started again.

        Raises:
            As `top_up`.
        """
        if not self._is_stalled():
            return False
        with self._lock() as held:
            if not held or not self._is_stalled():
                return False  # Somebody else has just seen to it.
            self._begin_epoch()
            self._top_up()
        return True

    def is_current(self, epoch: str) -> bool:
        """Say whether a message of this epoch is to be worked on, and note that the job is alive."""
        current = self._redis.get(self._epoch)
        self._touch()
        return current is None or _text(current) == epoch

    def finished(self, page_ids: Iterable[str]) -> None:
        """Take pages that have a result out of the window."""
        self._redis.srem(self._in_flight, *page_ids)
        self._touch()

    def queue_singly(self, entries: Iterable[ManifestEntry], epoch: str) -> None:
        """Queue pages of a message that came to nothing again, each alone."""
        for entry in entries:
            self._publish([entry], epoch)

    def _is_stalled(self) -> bool:
        if not self._redis.exists(self._epoch):
            return True
        if self._redis.llen(QUEUE):
            return False
        return not self._redis.hlen(_HELD) or not self._redis.exists(self._alive)

    def _top_up(self) -> None:
        if self._redis.get(self._epoch) is None:
            self._begin_epoch()
        for _ in range(2):
            room = self._room()
            if room < WINDOW // 2 or self._queue_next(room) or room < WINDOW:
                return
            if self._job.tally().complete:
                self._redis.delete(self._epoch, self._in_flight, self._cursor, self._alive)
                return
            self._begin_epoch()  # The manifest is at its end, but results are missing: from its start again.

    def _room(self) -> int:
        return WINDOW - self._redis.scard(self._in_flight)

    def _queue_next(self, room: int) -> int:
        cursor = int(self._redis.get(self._cursor) or 0)
        entries: list[ManifestEntry] = []
        finished = self._job.result_ids() if cursor == 0 else frozenset()  # One look instead of many.
        for entry, offset in self._job.manifest(cursor):
            cursor = offset
            if entry.id not in finished and not self._job.has_result(entry.id):
                entries.append(entry)
                if len(entries) == room:
                    break
        if entries:
            # First the mark, then the message: a page that is finished before it is marked would stay
            # marked; one that is marked and never sent is found by `sweep`.
            self._redis.sadd(self._in_flight, *(entry.id for entry in entries))
            epoch = _text(self._redis.get(self._epoch))
            for batch in batches(entries):
                self._publish(batch, epoch)
        self._redis.set(self._cursor, cursor)
        self._touch()
        return len(entries)

    def _publish(self, entries: Sequence[ManifestEntry], epoch: str) -> None:
        self._app.send_task(
            READ_TASK,
            args=(self._below, self._job.scans_below, epoch, [entry.to_json() for entry in entries]),
            queue=QUEUE,
            time_limit=math.ceil(self._job.settings.limits.page_seconds),
        )

    def _begin_epoch(self) -> None:
        self._redis.delete(self._in_flight, self._cursor)
        self._redis.set(self._epoch, uuid.uuid4().hex)

    def _touch(self) -> None:
        seconds = self._job.settings.limits.page_seconds + _GRACE_SECONDS
        self._redis.set(self._alive, 1, ex=round(seconds))

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        # Waiting matters: the last page to finish must not pass by because the one before it looks.
        lock = self._redis.lock(
            self._lock_name, timeout=_LOCK_SECONDS, sleep=0.02, blocking_timeout=_WAIT_SECONDS
        )
        held = lock.acquire()
        try:
            yield held
        finally:
            if held:
                # Held for longer than its time: somebody else may have topped up as well, which does no harm.
                with contextlib.suppress(LockNotOwnedError):
                    lock.release()


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def batches(entries: Sequence[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    """Group pages into messages: small pages together, others alone, in order.

    Few pages are spread rather than batched, so that a small job uses all workers.
    """
    most = min(BATCH_PAGES, max(1, len(entries) // 16))
    batch: list[ManifestEntry] = []
    size = 0
    for entry in entries:
        share = entry.bytes // entry.pages
        if batch and (len(batch) == most or size + share > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += share
    if batch:
        yield batch


class Sweep:
    """Looks for jobs below the result root that stand still, and queues their pages again.

    Args:
        results: the workers' result root.
        app: the Celery application that sends.
        client: the broker's Redis.
    """

    def __init__(self, results: Path, app: Celery, client: redis.Redis) -> None:
        self._results = results
        self._app = app
        self._redis = client
        self._complete: dict[Path, int] = {}

    def __call__(self) -> list[Path]:
        """Look once.

        Returns:
            The jobs that were started again.

        Raises:
            As `Feed.top_up`.
        """
        restarted = []
        for folder in find_job_folders(self._results):
            try:
                if self._restart_if_stalled(folder):
                    restarted.append(folder)
            except (LettermillError, OSError) as error:
                logger.warning("cannot look after job %s: %s", shown(folder), error)
        return restarted

    def _restart_if_stalled(self, folder: Path) -> bool:
        manifest = folder / "manifest.jsonl"
        if not manifest.exists():
            return False  # A submit is still at work on it.
        version = manifest.stat().st_mtime_ns
        if self._complete.get(folder) == version:
            return False
        job = Job.open(folder)
        if not job.shared:
            return False  # `lettermill run` looks after its own; the scans may lie elsewhere.
        if job.tally().complete:
            self._complete[folder] = version
            return False
        below = folder.relative_to(self._results).as_posix()
        return Feed(job, below, self._app, self._redis).restart_if_stalled()
