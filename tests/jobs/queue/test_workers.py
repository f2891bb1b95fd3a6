"""Workers are known by their heartbeats."""

from __future__ import annotations

import time

import redis

from lettermill.jobs.queue.workers import live_workers, pages_of_live_workers, send_heartbeat, sign_off


def test_live_workers_and_no_others_are_known(client: redis.Redis) -> None:
    assert live_workers(client) == []
    for worker in ("one", "two", "three"):
        send_heartbeat(client, worker, ["a page"])
    assert len(live_workers(client)) == 3
    client.delete("lettermill:worker:two")
    client.hset("lettermill:workers", "three", "[1]")
    (living,) = live_workers(client)
    assert (living.version, living.message_format, living.page_ids) == ("0.1.0", 1, ("a page",))
    assert 0 < living.since <= time.time()
    assert client.hkeys("lettermill:workers") == [b"one"]


def test_the_pages_of_live_workers(client: redis.Redis) -> None:
    assert pages_of_live_workers(client, []) == {}
    send_heartbeat(client, "one", ["a page", "another"])
    assert pages_of_live_workers(client, ["one", "dead"]) == {"one": {"a page", "another"}}


def test_a_worker_that_signs_off_leaves_nothing(client: redis.Redis) -> None:
    send_heartbeat(client, "one", [])
    assert 0 < client.ttl("lettermill:worker:one") <= 30
    sign_off(client, "one")
    assert not client.keys("*")
