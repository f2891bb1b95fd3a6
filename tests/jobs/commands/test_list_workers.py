"""`lettermill workers`: which workers are alive, and how much they have."""

from __future__ import annotations

import datetime as dt
import json
import socket
from pathlib import Path

import redis

from lettermill.jobs.queue.workers import live_workers, send_heartbeat
from tests.support import Command, Starter, free_port, wait_for


def test_the_workers_that_are_alive_are_listed(
    lettermill: Command, start: Starter, broker: str, client: redis.Redis, tmp_path: Path
) -> None:
    words = ("workers", "--broker", broker)
    assert lettermill(*words).stdout == "no worker has sent a heartbeat for 30 s\n"
    start("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--concurrency", "1")
    wait_for(lambda: live_workers(client), what="a heartbeat")
    send_heartbeat(client, "another", ["a page", "and one"])
    found = json.loads(lettermill(*words, "--json").stdout)
    assert sorted(worker["pages"] for worker in found) == [0, 2]
    for worker in found:
        assert (worker["host"], worker["version"], worker["message_format"]) == (
            socket.gethostname(),
            "0.1.0",
            1,
        )
        assert dt.datetime.fromisoformat(worker["since"]) <= dt.datetime.now(dt.UTC)
    header, *rows = lettermill(*words).stdout.splitlines()
    assert header.split() == ["host", "version", "since", "pages"]
    assert [row.split()[:2] for row in rows] == [[socket.gethostname(), "0.1.0"]] * 2


def test_a_worker_of_an_early_version_has_no_beginning(
    lettermill: Command, broker: str, client: redis.Redis
) -> None:
    send_heartbeat(client, "old", [])
    client.hset("lettermill:workers", "old", '{"version": "0.0.9", "message_format": 1, "host": "attic"}')
    assert lettermill("workers", "--broker", broker).stdout.splitlines()[1].split() == [
        "attic",
        "0.0.9",
        "–",
        "0",
    ]


def test_a_redis_that_does_not_answer_is_an_error(lettermill: Command) -> None:
    done = lettermill("workers", "--broker", f"redis://127.0.0.1:{free_port()}/0", status=5)
    assert "cannot be reached" in done.stderr
