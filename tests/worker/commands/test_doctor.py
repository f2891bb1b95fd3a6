"""`lettermill doctor` prints what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import redis

from lettermill.jobs.queue.workers import live_workers
from tests.support import Command, Starter, draw, wait_for


def test_an_installation_that_works(
    lettermill: Command, start: Starter, broker: str, client: redis.Redis, findings: Callable, tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    draw(scans / "card.png", ["HELLO"])
    (tmp_path / "out").mkdir()
    client.config_set("maxmemory", "100mb")
    words = ("--broker", broker, "--scans", scans, "--results", tmp_path / "out")
    start("worker", *words, "--concurrency", "1")
    wait_for(lambda: live_workers(client), what="a heartbeat")
    said = lettermill("doctor", *words).stdout
    assert re.search(r"^ok +reading +a drawn word was read correctly", said, re.MULTILINE)
    found = findings(*words, status=0)
    of_the_machine = {"memory", "open files", "temporary folder", "space for results"}
    assert {
        check: one for check, one in found.items() if one[0] != "ok" and check not in of_the_machine
    } == {}
    assert "1 sends heartbeats" in found["workers"][1]
    assert not list((tmp_path / "out").iterdir())
    assert not client.keys("lettermill:doctor:*")


def test_what_is_not_given_is_not_checked(findings: Callable) -> None:
    found = findings(status=0)
    assert {check for check, (level, _) in found.items() if level == "not checked"} == {
        *("scans", "results", "redis")
    }


def test_folders_and_a_redis_that_are_not_there(
    lettermill: Command, findings: Callable, tmp_path: Path
) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--scans", tmp_path / "no", "--results", tmp_path / "no")
    found = findings(*words, status=13)
    for check in ("scans", "results", "redis"):
        assert found[check][0] == "wrong"
    done = lettermill("doctor", *words, status=13)
    assert "wrong: scans, results, redis" in done.stderr
    assert "Correct the path, mount the disk" in done.stdout
