"""Feeds the queue: decides which pages of a job wait in Redis, a window at a time, so that Redis stays small.

Everything that Redis holds here may be lost at any moment. `Feed.top_up` is the one function that queues
pages. Anybody may call it, at any time and several at once: `submit`, a worker that finished a page, each
worker's sweep.

A job has two keys while it is read, `lettermill:TOKEN:…`:
- state, a hash. `epoch`: a random word that the job's messages carry; a message with another word is out of
  date and dropped, which is how `restart` takes back everything that is queued. `lane`: the queue where its
  messages wait. `cursor`: the byte in manifest.jsonl up to which pages have been queued in this epoch.
  `manifest`: which version of that file it refers to. `end`: present once the cursor is at its end.
- flight, a hash: the pages that are queued and not finished, each with its holder. That is the time since
  when it waits in its queue, or the id of the worker that has taken it, or `!` where it was given back and
  no message is under way for it.

A page whose worker has died or has lost it is found by the workers' heartbeats (workers.py) within a minute,
however full the queue is.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

import redis
from celery import Celery
from redis.exceptions import LockError, LockNotOwnedError

from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.page_results import ResultIds
from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK
from lettermill.jobs.queue.message import MAX_PAGES, PagesMessage
from lettermill.jobs.queue.workers import pages_of_live_workers
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.storage.parallel import in_order

WINDOW_PAGES = 256
"""Pages of a job that may be in flight: enough for a few dozen workers, and small in Redis."""

BATCH_BYTES = 256_000
"""A message ends when its scans reach this size; a page of ordinary size is a message of its own."""

_SPREAD_MESSAGES = 16
"""Pages are batched only where there are more messages than this."""

_LONGEST_WAIT_SECONDS = 3600
"""A page that waits for this long has lost its message, or is far behind; it is queued once more."""

_WAITING = "@"
_GIVEN_BACK = "!"

_MANY_PAGES = 300
"""After this many finished pages in a row, listing the names of all results is cheaper than checking each."""

_LOCK_SECONDS = 10
"""After this time a lock ends whose process has died."""

_LOCK_WAIT_SECONDS = 15


class Feed:
    """The queue side of one job.

    Args:
        job: the job.
        below: the job folder's path below the workers' result root, with `/`.
        app: the Celery application that sends.
        client: the broker's Redis.

    Attributes:
        flight: pages in flight and their holders, as `look_after` last saw them.
    """

    def __init__(self, job: Job, below: str, app: Celery, client: redis.Redis) -> None:
        self.flight: dict[str, str] = {}
        self._job = job
        self._below = below
        self._app = app
        self._redis = client
        prefix = f"lettermill:{job.token}:"
        self._state, self._flight, self._lock_name = prefix + "state", prefix + "flight", prefix + "lock"

    def top_up(self, finished: Sequence[str] = ()) -> None:
        """Remove finished pages from the window, and queue the next ones when half of it is free.

        When nothing is in flight and every page has a result, the job's keys are deleted.

        Args:
            finished: the pages with a result.

        Raises:
            redis.RedisError, kombu.exceptions.OperationalError: Redis does not answer or refuses.
            NotAJob: the manifest cannot be read.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            if finished:
                pipeline.hdel(self._flight, *finished)
            pipeline.hlen(self._flight)
            pipeline.hget(self._state, "end")
            *_, in_flight, at_end = pipeline.execute()
        # At the manifest's end there is nothing to do until the last page of the window is finished.
        if in_flight > (0 if at_end else WINDOW_PAGES // 2):
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
                raise LockError(f"the queue of job {self._job.path.name} was busy for {_LOCK_WAIT_SECONDS} s")
            self._begin_epoch()
            self._top_up()

    def is_known(self) -> bool:
        """Say whether Redis knows anything of the job."""
        return bool(self._redis.exists(self._state))

    def take(self, epoch: str, page_ids: Sequence[str], worker: str) -> bool:
        """Record that a worker takes the pages of a message; pages of another worker stay with that one.

        Returns:
            Whether the message is to be worked on; not where it belongs to an older epoch.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._state, "epoch")
            pipeline.hmget(self._flight, list(page_ids))
            current, found = pipeline.execute()
        if current is None:
            return True
        if _text(current) != epoch:
            return False
        holders = map(_text, found)
        free = [page for page, holder in zip(page_ids, holders, strict=True) if not _is_worker(holder)]
        if free:
            self._redis.hset(self._flight, mapping=dict.fromkeys(free, worker))
        return True

    def finished(self, page_ids: Sequence[str]) -> None:
        """Remove pages that have a result from the window."""
        if page_ids:
            self._redis.hdel(self._flight, *page_ids)

    def give_back(self, page_ids: Sequence[str]) -> None:
        """Record that nobody has these unfinished pages any more: the next `look_after` finds them."""
        if page_ids:
            self._redis.hset(self._flight, mapping=dict.fromkeys(page_ids, _GIVEN_BACK))

    def forget(self) -> None:
        """Delete the job's keys: it is stopped, and no more of it is to be queued."""
        self._redis.delete(self._state, self._flight)

    def queue_singly(self, entries: Sequence[ManifestEntry], epoch: str) -> None:
        """Queue the pages of a lost message again, each alone."""
        queue = self._queue()
        self._mark_waiting(entries)
        for entry in entries:
            self._publish([entry], epoch, queue)

    def look_after(self, suspects: frozenset[str]) -> tuple[int, frozenset[str]]:
        """Queue lost pages again: those of dead workers, those whose message is gone, or the whole job.

        A page that waits while its queue is empty may be on its way to a worker at this moment, and a worker
        may have taken a page since its last heartbeat. Such pages are lost only when they are found so twice.

        Args:
            suspects: what the last call returned; more than `HEARTBEAT_SECONDS` lie between two calls.

        Returns:
            How many pages were queued again, and the suspects for the next call.

        Raises:
            As `top_up`.
        """
        if not self.is_known():
            self.restart()
            return self._redis.hlen(self._flight), frozenset()
        flight = self._in_flight()
        # Redis may have been away when these were finished, or their worker died before it reported them.
        done = self._job.results.having(flight)
        for _ in in_order(self._job.attempts.forget, done, self._job.path.at_once):
            pass
        self.finished(done)
        if self._queue() not in QUEUES:
            # Workers of another message format have the job; if they are gone, it continues with this one.
            if any(_waits_too_long(holder) for holder in flight.values()):
                self.restart()
            return 0, frozenset()
        lost, unsure = self._lost(suspects)
        if not lost:
            self.top_up()
            return 0, unsure
        with self._lock() as held:
            # Another process may have just queued them.
            lost = self._lost(suspects)[0] & lost if held else frozenset()
            if lost:
                self._queue_again(lost)
        return len(lost), unsure

    def _in_flight(self) -> dict[str, str]:
        found = self._redis.hgetall(self._flight).items()
        self.flight = {_text(page): _text(holder) for page, holder in found}
        return self.flight

    def _lost(self, suspects: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        flight = self._in_flight()
        workers = sorted({holder for holder in flight.values() if _is_worker(holder)})
        at_work = pages_of_live_workers(self._redis, workers)
        queue_is_empty = not self._redis.llen(self._queue())
        lost, unsure = set(), set()
        for page, holder in flight.items():
            if _is_worker(holder):
                if holder not in at_work:
                    lost.add(page)
                elif page not in at_work[holder]:
                    unsure.add(page)
            elif holder == _GIVEN_BACK or _waits_too_long(holder):
                lost.add(page)
            elif queue_is_empty:
                unsure.add(page)
        return frozenset(lost | unsure & suspects), frozenset(unsure - suspects)

    def _mark_waiting(self, entries: Iterable[ManifestEntry]) -> None:
        now = f"{_WAITING}{time.time():.0f}"
        self._redis.hset(self._flight, mapping={entry.id: now for entry in entries})

    def _queue_again(self, page_ids: frozenset[str]) -> None:
        entries = [entry for entry, _ in self._job.manifest() if entry.id in page_ids]
        done = set(self._job.results.having(entry.id for entry in entries))
        unfinished = [entry for entry in entries if entry.id not in done]
        self.finished(list(page_ids - {entry.id for entry in unfinished}))
        if unfinished:
            self.queue_singly(unfinished, _text(self._redis.hget(self._state, "epoch")))
        self._top_up()

    def _top_up(self) -> None:
        if self._job.is_cancelled:
            self.forget()
            return
        state = self._redis.hmget(self._state, "epoch", "manifest")
        if state[0] is None or _text(state[1]) != self._manifest_version():
            self._begin_epoch()
        for _ in range(2):
            room = self._room()
            if room < WINDOW_PAGES // 2 or self._queue_next(room) or room < WINDOW_PAGES:
                return
            if self._job.tally().complete:
                self.forget()
                return
            self._begin_epoch()  # At the manifest's end, but results are missing: start again.

    def _room(self) -> int:
        return WINDOW_PAGES - self._redis.hlen(self._flight)

    def _queue_next(self, room: int) -> int:
        cursor = int(self._redis.hget(self._state, "cursor") or 0)
        entries: list[ManifestEntry] = []
        finished = ResultIds(set(), set())
        passed = 0
        at_end = False

        def is_finished(line: tuple[ManifestEntry, int]) -> bool:
            return line[0].id in finished or self._job.results.has(line[0].id)

        for (entry, offset), done in in_order(
            is_finished, self._job.manifest(cursor), self._job.path.at_once
        ):
            cursor = offset
            if done:
                passed += 1
                if passed == _MANY_PAGES:
                    finished = self._job.results.ids()  # One listing instead of many checks.
                continue
            entries.append(entry)
            if len(entries) == room:
                break
        else:
            at_end = True
        if entries:
            # First the mark, then the message: a page that is finished before it is marked would stay
            # marked; one that is marked and never sent is found by `look_after`.
            self._mark_waiting(entries)
            epoch, queue = _text(self._redis.hget(self._state, "epoch")), self._queue()
            for batch in batches(entries):
                self._publish(batch, epoch, queue)
        # Only now: a page that was not sent is not behind the cursor.
        self._redis.hset(self._state, mapping={"cursor": cursor, **({"end": 1} if at_end else {})})
        return len(entries)

    def _publish(self, entries: Sequence[ManifestEntry], epoch: str, queue: str) -> None:
        message = PagesMessage(self._below, epoch, tuple(entries))
        self._app.send_task(READ_TASK, args=message.to_arguments(), queue=queue)

    def _begin_epoch(self) -> None:
        state: dict[bytes | bytearray | memoryview | str | int | float, str | int] = {
            "epoch": uuid.uuid4().hex,
            "lane": self._emptiest_queue(),
            "cursor": 0,
            "manifest": self._manifest_version(),
        }
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(self._flight, self._state)
            pipeline.hset(self._state, mapping=state)
            pipeline.execute()

    def _manifest_version(self) -> str:
        return self._job.manifest_path.version()

    def _emptiest_queue(self) -> str:
        queues = random.sample(QUEUES, len(QUEUES))  # Jobs submitted at once take different ones.
        with self._redis.pipeline(transaction=False) as pipeline:
            for queue in queues:
                pipeline.llen(queue)
            waiting = pipeline.execute()
        return queues[waiting.index(min(waiting))]

    def _queue(self) -> str:
        return _text(self._redis.hget(self._state, "lane")) or QUEUES[0]

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        # Wait for it: after the last page the window must be refilled, even while another process does that.
        lock = self._redis.lock(
            self._lock_name, timeout=_LOCK_SECONDS, sleep=0.02, blocking_timeout=_LOCK_WAIT_SECONDS
        )
        held = lock.acquire()
        try:
            yield held
        finally:
            if held:
                # Held for too long: another process may have topped up as well, which does no harm.
                with contextlib.suppress(LockNotOwnedError):
                    lock.release()


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _is_worker(holder: str) -> bool:
    return bool(holder) and holder != _GIVEN_BACK and not holder.startswith(_WAITING)


def waiting_since(holder: str) -> float | None:
    """Return since when a page waits in its queue (seconds since 1970); None where it does not wait."""
    return float(holder[len(_WAITING) :]) if holder.startswith(_WAITING) else None


def _waits_too_long(holder: str) -> bool:
    since = waiting_since(holder)
    return since is not None and time.time() - since > _LONGEST_WAIT_SECONDS


def batches(entries: Sequence[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    """Group pages into messages: small pages together, others alone, in order.

    Few pages are spread rather than batched, so that a small job uses all workers.
    """
    most = min(MAX_PAGES, max(1, len(entries) // _SPREAD_MESSAGES))
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
