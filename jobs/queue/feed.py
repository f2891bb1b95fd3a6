"""Feeding the queue: which pages of a job wait in Redis, in windows, so that Redis stays small.

Everything that Redis holds here may be lost at any moment. `Feed.top_up` is the one function that queues
pages; it can be called by anybody, any number of times, at once: by `submit`, by a worker that finished
a page, by each worker's sweep.

A job has two keys while it is read, `lettermill:TOKEN:…`:
- state, a hash: `epoch`, a random word that its messages carry (a message with another word is out of date
  and dropped, which is how `restart` takes back whatever is queued, wherever it lies); `lane`, where its
  messages wait; `cursor`, the byte in manifest.jsonl up to which pages have been queued in this epoch;
  `manifest`, which version of that file it counts in; and `end`, which is there once that is its end.
- flight, a hash: the pages that are queued and not finished, each with who has it: the moment since when it
  waits in its lane, or the id of the worker that has taken it, or `!` where it was given back and no message
  is under way for it.

A worker that lives has a key `lettermill:worker:ID` that names the pages it is at and expires soon after its
last sign. So a page whose worker died, or has lost sight of it, is found within a minute, however full the
queue. The hash `lettermill:workers` says of each worker's id what it is; who has died is taken out at times.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import redis
from celery import Celery
from redis.exceptions import LockError, LockNotOwnedError

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.job.folder import MANIFEST_FILE, VERSION, Job, find_job_folders
from lettermill.jobs.job.page_results import ResultIds
from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import LANES, MESSAGE_FORMAT, READ_TASK
from lettermill.jobs.queue.message import MOST_PAGES
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.parallel import in_order
from lettermill.jobs.storage.place import Place

WINDOW = 256
"""Pages of a job that may be in flight: enough for a few dozen workers, and small in Redis."""

BATCH_BYTES = 256_000
"""A batch ends when its scans reach this size; a page of ordinary size is a message of its own."""

SIGN_SECONDS = 5
"""How often a worker gives its sign of life."""

_DEAD_SECONDS = 30
"""A worker that gave no sign for so long is dead: if it lives after all, a page is read twice, no more."""

_LONGEST_WAIT = 3600
"""A page that waits for so long has lost its message on the way, or is far behind; it is queued once more."""

_WORKERS = "lettermill:workers"

_WAITING = "@"
_GIVEN_BACK = "!"

_MANY = 300
"""Finished pages in a row, after which one look at the names of all results is cheaper than one at each."""

_LOCK_SECONDS = 10
_WAIT_SECONDS = 15

_SWEEP_BUDGET = 2.0
"""Seconds that a sweep may take of the worker's main process before it leaves the rest to the next."""


class Feed:
    """The queue side of one job.

    Args:
        job: the job.
        below: the job folder's path below the workers' result root, with `/`.
        app: the Celery application that sends.
        client: the broker's Redis.

    Attributes:
        flight: pages and who has them, as `look_after` last saw them.
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
        """Take pages that have a result out of the window, and queue the next ones when half of it is free.

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
        if in_flight > (0 if at_end else WINDOW // 2):
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

    def is_known(self) -> bool:
        """Say whether Redis knows anything of the job."""
        return bool(self._redis.exists(self._state))

    def take(self, epoch: str, page_ids: Sequence[str], worker: str) -> bool:
        """Note that a worker takes the pages of a message; one that another worker has stays with that one.

        Returns:
            Whether the message is to be worked on: it is not where it belongs to an older epoch.
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
        """Take pages that have a result out of the window."""
        if page_ids:
            self._redis.hdel(self._flight, *page_ids)

    def give_back(self, page_ids: Sequence[str]) -> None:
        """Note that nobody has these pages any more, without a result: the next look finds them."""
        if page_ids:
            self._redis.hset(self._flight, mapping=dict.fromkeys(page_ids, _GIVEN_BACK))

    def forget(self) -> None:
        """Delete the job's keys: it is stopped, and nothing more of it is to be queued."""
        self._redis.delete(self._state, self._flight)

    def queue_singly(self, entries: Sequence[ManifestEntry], epoch: str) -> None:
        """Queue pages of a message that came to nothing again, each alone."""
        lane = self._lane()
        self._mark_waiting(entries)
        for entry in entries:
            self._publish([entry], epoch, lane)

    def look_after(self, suspects: frozenset[str]) -> tuple[int, frozenset[str]]:
        """Queue again what is lost: the job itself, pages of dead workers, messages that are nowhere.

        A page that waits while its lane is empty may be on its way to a worker at this moment, and a worker
        may have taken a page since its last sign: such pages are lost only when they are found so twice.

        Args:
            suspects: what the last look returned; more than `SIGN_SECONDS` lie between two looks.

        Returns:
            How many pages were queued again, and the suspects for the next look.

        Raises:
            As `top_up`.
        """
        if not self.is_known():
            self.restart()
            return self._redis.hlen(self._flight), frozenset()
        flight = self._in_flight()
        # Redis may have been away when these were finished, or their worker died before it could say so.
        done = self._job.results.having(flight)
        for _ in in_order(self._job.attempts.forget, done, self._job.path.at_once):
            pass
        self.finished(done)
        if self._lane() not in LANES:
            # Workers of another message format have the job; where they are gone, it goes on with this one.
            if any(_waits_too_long(holder) for holder in flight.values()):
                self.restart()
            return 0, frozenset()
        lost, unsure = self._lost(suspects)
        if not lost:
            self.top_up()
            return 0, unsure
        with self._lock() as held:
            # Somebody else may have just seen to it.
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
        signs = self._redis.mget([_worker_key(worker) for worker in workers]) if workers else []
        at_work = {
            worker: set(json.loads(sign))
            for worker, sign in zip(workers, signs, strict=True)
            if sign is not None
        }
        lane_is_empty = not self._redis.llen(self._lane())
        lost, unsure = set(), set()
        for page, holder in flight.items():
            if _is_worker(holder):
                if holder not in at_work:
                    lost.add(page)
                elif page not in at_work[holder]:
                    unsure.add(page)
            elif holder == _GIVEN_BACK or _waits_too_long(holder):
                lost.add(page)
            elif lane_is_empty:
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
            if room < WINDOW // 2 or self._queue_next(room) or room < WINDOW:
                return
            if self._job.tally().complete:
                self.forget()
                return
            self._begin_epoch()  # The manifest is at its end, but results are missing: from its start again.

    def _room(self) -> int:
        return WINDOW - self._redis.hlen(self._flight)

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
                if passed == _MANY:
                    finished = self._job.results.ids()  # One look at all names instead of many.
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
            epoch, lane = _text(self._redis.hget(self._state, "epoch")), self._lane()
            for batch in batches(entries):
                self._publish(batch, epoch, lane)
        # Only now: a page that was not sent is not behind the cursor.
        self._redis.hset(self._state, mapping={"cursor": cursor, **({"end": 1} if at_end else {})})
        return len(entries)

    def _publish(self, entries: Sequence[ManifestEntry], epoch: str, lane: str) -> None:
        self._app.send_task(
            READ_TASK,
            args=(self._below, epoch, [entry.to_json() for entry in entries]),
            queue=lane,
        )

    def _begin_epoch(self) -> None:
        state: dict[bytes | bytearray | memoryview | str | int | float, str | int] = {
            "epoch": uuid.uuid4().hex,
            "lane": self._emptiest_lane(),
            "cursor": 0,
            "manifest": self._manifest_version(),
        }
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(self._flight, self._state)
            pipeline.hset(self._state, mapping=state)
            pipeline.execute()

    def _manifest_version(self) -> str:
        return self._job.manifest_path.version()

    def _emptiest_lane(self) -> str:
        lanes = random.sample(LANES, len(LANES))  # By chance among equals: jobs submitted at once part ways.
        with self._redis.pipeline(transaction=False) as pipeline:
            for lane in lanes:
                pipeline.llen(lane)
            waiting = pipeline.execute()
        return lanes[waiting.index(min(waiting))]

    def _lane(self) -> str:
        return _text(self._redis.hget(self._state, "lane")) or LANES[0]

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


def _worker_key(worker: str) -> str:
    return f"lettermill:worker:{worker}"


def _is_worker(holder: str) -> bool:
    return bool(holder) and holder != _GIVEN_BACK and not holder.startswith(_WAITING)


def _waiting_since(holder: str) -> float | None:
    return float(holder[len(_WAITING) :]) if holder.startswith(_WAITING) else None


def _waits_too_long(holder: str) -> bool:
    since = _waiting_since(holder)
    return since is not None and time.time() - since > _LONGEST_WAIT


class WorkerSign(msgspec.Struct, frozen=True):
    """What a worker says of itself.

    Attributes:
        version: of Lettermill.
        message_format: as `lettermill.jobs.queue.celery_app.MESSAGE_FORMAT`.
        host: the name of its machine.
    """

    version: str
    message_format: int
    host: str


def give_sign(client: redis.Redis, worker: str, page_ids: Iterable[str]) -> None:
    """Note that a worker lives, and at which pages it is; to be called every `SIGN_SECONDS`."""
    # First the key, then the hash: who is in the hash without a key is dead.
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set(_worker_key(worker), json.dumps(list(page_ids)), ex=_DEAD_SECONDS)
        pipeline.hset(_WORKERS, worker, msgspec.json.encode(_sign()))
        pipeline.execute()


@functools.cache
def _sign() -> WorkerSign:
    return WorkerSign(VERSION, MESSAGE_FORMAT, socket.gethostname())


def living_workers(client: redis.Redis) -> list[WorkerSign]:
    """Return the workers that have given a sign of life lately, and forget those that have not.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = client.hgetall(_WORKERS)
    if not found:
        return []
    signs = client.mget([_worker_key(_text(worker)) for worker in found])
    living, gone = [], []
    for (worker, said), sign in zip(found.items(), signs, strict=True):
        if sign is not None:
            with contextlib.suppress(ValueError):  # Somebody else put it there.
                living.append(msgspec.json.decode(said, type=WorkerSign))
                continue
        gone.append(worker)
    if gone:
        client.hdel(_WORKERS, *gone)
    return living


def sign_off(client: redis.Redis, worker: str) -> None:
    """Note that a worker has ended: it was told to, and has nothing left.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client.delete(_worker_key(worker))
    client.hdel(_WORKERS, worker)


def batches(entries: Sequence[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    """Group pages into messages: small pages together, others alone, in order.

    Few pages are spread rather than batched, so that a small job uses all workers.
    """
    most = min(MOST_PAGES, max(1, len(entries) // 16))
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


class Seen(NamedTuple):
    """What a sweep has seen of all jobs that it looks after.

    Attributes:
        at: when it was through (seconds since 1970).
        pages: how many pages were in flight.
        oldest: since when the page that has waited longest waits (seconds since 1970); None where none does.
    """

    at: float
    pages: int
    oldest: float | None


class Sweep:
    """Looks after the submitted jobs below the result root: what is lost of them is queued again.

    Args:
        results: the workers' result root.
        app: the Celery application that sends.
        client: the broker's Redis.

    Attributes:
        seen: what the last sweep that is through has seen; None before the first.
    """

    def __init__(self, results: Place, app: Celery, client: redis.Redis) -> None:
        self.seen: Seen | None = None
        self._results = results
        self._app = app
        self._redis = client
        self._complete: dict[Place, str] = {}
        self._suspects: dict[Place, frozenset[str]] = {}
        self._folders: Iterator[Place] | None = None
        self._seeing = Seen(0.0, 0, None)

    def __call__(self) -> None:
        """Look at each job once; where that takes long, go on with the rest in the next call.

        Raises:
            As `Feed.top_up`.
        """
        deadline = time.monotonic() + _SWEEP_BUDGET
        if self._folders is None:
            self._folders = find_job_folders(self._results)
            self._seeing = Seen(0.0, 0, None)
        try:
            for folder in self._folders:
                self._look(folder)
                if time.monotonic() > deadline:
                    return
        except BaseException:
            self._folders = None  # What listed them is at its end: the next call begins anew.
            raise
        self._folders = None
        self.seen = self._seeing._replace(at=time.time())

    def _look(self, folder: Place) -> None:
        try:
            again = self._look_after(folder)
        except (LettermillError, OSError) as error:
            logger.warning("job_unreadable", job=display_path(folder.name), error=str(error))
            return
        if again:
            logger.warning("pages_queued_again", job=display_path(folder.name), pages=again)

    def _look_after(self, folder: Place) -> int:
        version = (folder / MANIFEST_FILE).version()
        if not version:
            return 0  # A submit is still at work on it.
        if self._complete.get(folder) == version:
            return 0
        job = Job.open(folder)
        if not job.shared or job.is_cancelled:
            return 0  # `lettermill run` looks after its own; the scans may lie elsewhere.
        feed = Feed(job, folder.below(self._results), self._app, self._redis)
        if not feed.is_known() and job.tally().complete:
            self._complete[folder] = version
            return 0
        again, self._suspects[folder] = feed.look_after(self._suspects.get(folder, frozenset()))
        self._see(feed.flight)
        return again

    def _see(self, flight: Mapping[str, str]) -> None:
        waits = [since for holder in flight.values() if (since := _waiting_since(holder)) is not None]
        if self._seeing.oldest is not None:
            waits.append(self._seeing.oldest)
        self._seeing = Seen(0.0, self._seeing.pages + len(flight), min(waits, default=None))
