"""Checks Redis: the rights of this user, version, memory, persistence, clock, and which workers are live."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis

from lettermill.jobs.errors import BrokerUnreachable
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.queue.celery_app import MESSAGE_FORMAT, UNREACHABLE, check_broker
from lettermill.jobs.queue.workers import live_workers
from lettermill.jobs.results.counted import counted
from lettermill.worker.checks.finding import Finding, Level
from lettermill.worker.checks.folders import MAX_CLOCK_DIFFERENCE_SECONDS

_OLDEST_VERSION = (6, 2)

_FULL_SHARE = 0.8
"""Share of maxmemory in use from which there is a warning."""


def check_redis(address: str | None) -> Iterator[Finding]:
    """Check the Redis server and the workers that use it.

    Args:
        address: of the server; None if it was not given.
    """
    if address is None:
        yield Finding("redis", Level.NOT_CHECKED, "--broker was not given")
        return
    try:
        client = check_broker(address)
        yield Finding("redis", Level.OK, "it answers")
        yield _rights(client)
        yield from _server(client)
        yield _clock(client)
        yield _workers(client)
    except BrokerUnreachable as error:
        yield Finding("redis", Level.WRONG, error.what, error.next_step)
    except UNREACHABLE as error:
        yield Finding("redis", Level.WRONG, f"it stopped answering: {error}", "Read the log of Redis.")


def _rights(client: redis.Redis) -> Finding:
    """Try each command that workers and the command line use, on keys made for this check."""
    refused = set()
    for attempt in _attempts(client):
        try:
            attempt()
        except redis.exceptions.NoPermissionError as error:
            refused.add(str(error))
        except redis.exceptions.OutOfMemoryError:
            return Finding(
                "rights in redis", Level.WRONG, "its memory is full", "Raise its maxmemory, or free memory."
            )
    if refused:
        said = "; ".join(sorted(refused))
        return Finding("rights in redis", Level.WRONG, said, "deploy/compose/users.acl lists the rights.")
    return Finding("rights in redis", Level.OK, "all that are needed")


def _attempts(client: redis.Redis) -> list[Callable[[], Any]]:
    hash_, list_, set_, text = (f"lettermill:doctor:{secrets.token_hex(8)}:{number}" for number in range(4))
    return [
        lambda: client.hset(hash_, "field", "value"),
        lambda: client.hget(hash_, "field"),
        lambda: client.hmget(hash_, ["field"]),
        lambda: client.hgetall(hash_),
        lambda: client.hlen(hash_),
        lambda: client.hdel(hash_, "field"),
        lambda: client.lpush(list_, "message"),
        lambda: client.rpush(list_, "message"),
        lambda: client.llen(list_),
        lambda: client.brpop([list_], 1),
        lambda: client.zadd(set_, {"member": 1}),
        lambda: client.zrange(set_, 0, -1),
        lambda: client.zrem(set_, "member"),
        lambda: client.set(text, "value", ex=60),
        lambda: client.get(text),
        lambda: client.mget([text]),
        lambda: client.exists(text),
        lambda: client.transaction(lambda pipe: pipe.multi(), text),
        lambda: _lock_and_unlock(client, text + ":lock"),
        lambda: client.delete(hash_, list_, set_, text, text + ":lock"),
    ]


def _lock_and_unlock(client: redis.Redis, name: str) -> None:
    with client.lock(name, timeout=10):
        pass


def _server(client: redis.Redis) -> Iterator[Finding]:
    try:
        info: dict[str, Any] = client.info()
    except redis.exceptions.NoPermissionError:
        said = (
            "this user may not call INFO and does not need to: version, memory and persistence were not "
            "checked"
        )
        yield Finding("redis server", Level.NOT_CHECKED, said)
        return
    yield _version(info)
    yield _memory(info)
    yield _persistence(info)


def _version(info: dict[str, Any]) -> Finding:
    version = str(info.get("valkey_version") or info["redis_version"])
    name = "Valkey" if "valkey_version" in info else "Redis"
    number = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if number < _OLDEST_VERSION:
        todo = "Lettermill is not tested with this version: use 6.2 or newer."
        return Finding("redis server", Level.WARNING, f"{name} {version}", todo)
    return Finding("redis server", Level.OK, f"{name} {version}")


def _memory(info: dict[str, Any]) -> Finding:
    used, limit, policy = info["used_memory"], info["maxmemory"], info["maxmemory_policy"]
    if not limit:
        return Finding(
            "redis memory",
            Level.WARNING,
            f"{used >> 20} MiB used, no limit",
            "Set maxmemory (256mb is plenty) and maxmemory-policy noeviction.",
        )
    said = f"{used >> 20} of {limit >> 20} MiB used, {policy}"
    if policy != "noeviction":
        return Finding(
            "redis memory",
            Level.WRONG,
            f"{said}: when memory is full, Redis deletes messages and heartbeats",
            "Set maxmemory-policy noeviction.",
        )
    if used > _FULL_SHARE * limit:
        todo = "Raise maxmemory, or find out what else is stored there."
        return Finding("redis memory", Level.WARNING, said, todo)
    return Finding("redis memory", Level.OK, said)


def _persistence(info: dict[str, Any]) -> Finding:
    if info.get("aof_enabled") and info.get("aof_last_write_status") == "err":
        return Finding(
            "redis persistence",
            Level.WRONG,
            "its append-only file cannot be written",
            "Check the disk of Redis: until then Redis refuses to work.",
        )
    if info.get("rdb_last_bgsave_status") == "err":
        return Finding(
            "redis persistence",
            Level.WRONG,
            "its last snapshot failed",
            "Check the disk of Redis: it may refuse to work (MISCONF).",
        )
    if info.get("aof_enabled"):
        return Finding("redis persistence", Level.OK, "append-only file")
    said = "no append-only file: what Redis loses is queued again"
    return Finding("redis persistence", Level.OK, said)


def _clock(client: redis.Redis) -> Finding:
    before = time.time()
    try:
        seconds, microseconds = client.time()
    except redis.exceptions.NoPermissionError:
        said = "this user may not call TIME and does not need to"
        return Finding("clock of redis", Level.NOT_CHECKED, said)
    theirs = seconds + microseconds / 1e6
    ahead = min(0.0, theirs - before) or max(0.0, theirs - time.time())
    if abs(ahead) <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return Finding("clock of redis", Level.OK, "it agrees with this machine's")
    said = f"it is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return Finding("clock of redis", Level.WARNING, said, "Set the clocks by NTP.")


def _workers(client: redis.Redis) -> Finding:
    workers = live_workers(client)
    if not workers:
        return Finding(
            "workers", Level.WARNING, "none sends heartbeats", "Start one: see lettermill worker --help."
        )
    others = sorted({f"{one.version} on {one.host}" for one in workers if one.version != VERSION})
    foreign = [one for one in workers if one.message_format != MESSAGE_FORMAT]
    if foreign:
        return Finding(
            "workers",
            Level.WRONG,
            f"{len(foreign)} of {len(workers)} use another message format and do not see what this version "
            f"submits: {', '.join(others)}",
            "Upgrade them, or this machine, to the same version.",
        )
    alive = counted(len(workers), "sends heartbeats", "send heartbeats")
    if others:
        return Finding(
            "workers",
            Level.WARNING,
            f"{alive}; of other versions than {VERSION}: {', '.join(others)}",
            "Finish the upgrade; until then they share the jobs.",
        )
    return Finding("workers", Level.OK, f"{alive}, version {VERSION}")
