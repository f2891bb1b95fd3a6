"""Keeps track of the workers that live, by their heartbeats in Redis.

Each live worker has a key `lettermill:worker:ID` that names its pages and expires soon after the last
heartbeat. The hash `lettermill:workers` maps each worker's id to its description; dead workers are removed
from it now and then.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
from collections.abc import Iterable, Sequence

import msgspec
import redis

from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.queue.celery_app import MESSAGE_FORMAT

HEARTBEAT_SECONDS = 5
"""How often a worker sends a heartbeat."""

DEAD_SECONDS = 30
"""A worker without a heartbeat for this long counts as dead. If it lives after all, a page is read twice."""

_WORKERS = "lettermill:workers"


class Worker(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a worker describes itself.

    Attributes:
        version: of Lettermill.
        message_format: as `lettermill.jobs.queue.celery_app.MESSAGE_FORMAT`.
        host: the name of its machine.
        since: when it sent its first heartbeat, in seconds since 1970; 0 from workers of early versions.
        page_ids: the pages that it had at its last heartbeat, which brings them.
    """

    version: str
    message_format: int
    host: str
    since: float = 0
    page_ids: tuple[str, ...] = ()


def send_heartbeat(client: redis.Redis, worker: str, page_ids: Iterable[str]) -> None:
    """Record that a worker lives, and which pages it has; to be called every `HEARTBEAT_SECONDS`.

    Args:
        client: the broker's Redis.
        worker: the worker's id.
        page_ids: its pages.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    # First the key, then the hash: a worker that is in the hash without a key is dead.
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set(_key(worker), json.dumps(list(page_ids)), ex=DEAD_SECONDS)
        pipeline.hset(_WORKERS, worker, _description())
        pipeline.execute()


def live_workers(client: redis.Redis) -> list[Worker]:
    """Return the workers with a recent heartbeat, and remove the others from the hash.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = client.hgetall(_WORKERS)
    if not found:
        return []
    heartbeats = client.mget([_key(_text(worker)) for worker in found])
    live, dead = [], []
    for (worker, description), heartbeat in zip(found.items(), heartbeats, strict=True):
        if heartbeat is not None:
            with contextlib.suppress(ValueError):  # Lettermill did not write it.
                one = msgspec.json.decode(description, type=Worker)
                page_ids = msgspec.json.decode(heartbeat, type=tuple[str, ...])
                live.append(msgspec.structs.replace(one, page_ids=page_ids))
                continue
        dead.append(worker)
    if dead:
        client.hdel(_WORKERS, *dead)
    return live


def pages_of_live_workers(client: redis.Redis, workers: Sequence[str]) -> dict[str, set[str]]:
    """Return the ids of the pages that some workers have; a dead worker is not in it.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    heartbeats = client.mget([_key(worker) for worker in workers]) if workers else []
    return {
        worker: set(json.loads(heartbeat))
        for worker, heartbeat in zip(workers, heartbeats, strict=True)
        if heartbeat is not None
    }


def sign_off(client: redis.Redis, worker: str) -> None:
    """Record that a worker has ended in order and has no pages left.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client.delete(_key(worker))
    client.hdel(_WORKERS, worker)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _key(worker: str) -> str:
    return f"lettermill:worker:{worker}"


@functools.cache
def _description() -> bytes:
    return msgspec.json.encode(Worker(VERSION, MESSAGE_FORMAT, socket.gethostname(), since=time.time()))
