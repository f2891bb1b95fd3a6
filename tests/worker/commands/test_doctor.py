"""`lettermill doctor` finds what is wrong with an installation, each thing made wrong for real."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import redis

from lettermill.jobs.queue.workers import live_workers
from tests.support import LETTERMILL, ROOT, Command, Starter, clean_environment, draw, wait_for

USERS = ROOT / "deploy" / "compose" / "users.acl"


def findings(lettermill: Command, *words: object, status: int) -> dict[str, tuple[str, str]]:
    """The level and the sentence of each check."""
    told = json.loads(lettermill("doctor", *words, "--json", status=status).stdout)
    assert told["wrong"] == sum(one["level"] == "wrong" for one in told["findings"])
    return {one["check"]: (one["level"], one["said"]) for one in told["findings"]}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    draw(tmp_path / "scans" / "card.png", ["HELLO"])
    return tmp_path / "scans"


def test_an_installation_that_works(
    lettermill: Command, start: Starter, broker: str, client: redis.Redis, scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    client.config_set("maxmemory", "100mb")
    words = ("--broker", broker, "--scans", scans, "--results", tmp_path / "out")
    start("worker", *words, "--concurrency", "1")
    wait_for(lambda: live_workers(client), what="a sign of life")
    said = lettermill("doctor", *words).stdout
    assert re.search(r"^ok +reading +a drawn word was read rightly", said, re.MULTILINE)
    found = findings(lettermill, *words, status=0)
    of_the_machine = {"memory", "open files", "temporary folder", "space for results"}
    assert {
        check: one for check, one in found.items() if one[0] != "ok" and check not in of_the_machine
    } == {}
    assert "1 give signs of life" in found["workers"][1]
    assert not list((tmp_path / "out").iterdir())
    assert not client.keys("lettermill:doctor:*")


def test_what_is_not_given_is_not_checked(lettermill: Command) -> None:
    found = findings(lettermill, status=0)
    assert {check for check, (level, _) in found.items() if level == "not checked"} == {
        *("scans", "results", "redis")
    }


def test_folders_and_a_redis_that_are_not_there(lettermill: Command, tmp_path: Path) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--scans", tmp_path / "no", "--results", tmp_path / "no")
    found = findings(lettermill, *words, status=13)
    for check in ("scans", "results", "redis"):
        assert found[check][0] == "wrong"
    done = lettermill("doctor", *words, status=13)
    assert "wrong: scans, results, redis" in done.stderr
    assert "Correct the path, mount the disk" in done.stdout


def test_a_disk_that_is_nearly_full(lettermill: Command, small_disk: Path, scans: Path) -> None:
    found = findings(lettermill, "--results", small_disk, status=13)
    assert found["results"][0] == "ok"
    assert found["space for results"] == ("wrong", "0.0 GiB free")


def test_a_redis_that_forgets_or_is_full(lettermill: Command, broker: str, client: redis.Redis) -> None:
    assert findings(lettermill, "--broker", broker, status=0)["redis memory"][0] == "warning"
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    found = findings(lettermill, "--broker", broker, status=13)
    assert found["redis memory"][0] == "wrong"
    assert "allkeys-lru: when it is full it forgets" in found["redis memory"][1]
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    assert findings(lettermill, "--broker", broker, status=13)["rights in redis"] == ("wrong", "it is full")


def test_the_rights_of_the_docs_are_enough_and_one_less_is_named(broker: str, client: redis.Redis) -> None:
    (rights,) = re.findall(r"^user lettermill on >PASSWORD (.*)$", USERS.read_text(), re.MULTILINE)
    environment = {
        **clean_environment(),
        "LETTERMILL_BROKER": broker.replace("//", "//lettermill@"),
        "LETTERMILL_BROKER_PASSWORD": "secret",
    }

    def doctor() -> dict[str, tuple[str, str]]:
        done = subprocess.run(
            [*LETTERMILL, "doctor", "--json"], capture_output=True, text=True, env=environment, check=False
        )
        assert "secret" not in done.stdout + done.stderr
        return {one["check"]: (one["level"], one["said"]) for one in json.loads(done.stdout)["findings"]}

    client.execute_command("ACL", "SETUSER", "lettermill", "on", ">secret", *rights.split())
    found = doctor()
    assert found["rights in redis"][0] == "ok"
    assert found["redis server"][0] == found["clock of redis"][0] == "not checked"
    client.execute_command("ACL", "SETUSER", "lettermill", "-hmget", "-evalsha")
    level, said = doctor()["rights in redis"]
    assert level == "wrong"
    assert "'hmget'" in said
    assert "'evalsha'" in said
    client.execute_command("ACL", "SETUSER", "lettermill", ">other", "<secret")
    assert doctor()["redis"][0] == "wrong"


def test_workers_of_other_versions(lettermill: Command, broker: str, client: redis.Redis) -> None:
    assert findings(lettermill, "--broker", broker, status=0)["workers"][0] == "warning"
    for worker, sign in (
        ("a", {"version": "0.0.9", "message_format": 1, "host": "attic"}),
        ("b", {"version": "9.9.9", "message_format": 9, "host": "cellar"}),
    ):
        client.set(f"lettermill:worker:{worker}", "[]")
        client.hset("lettermill:workers", worker, json.dumps(sign))
    level, said = findings(lettermill, "--broker", broker, status=13)["workers"]
    assert level == "wrong"
    assert said.startswith("1 of 2 have another message format")
    assert said.endswith("0.0.9 on attic, 9.9.9 on cellar")
    client.delete("lettermill:worker:b")
    level, said = findings(lettermill, "--broker", broker, status=0)["workers"]
    assert (level, said) == ("warning", "1 give signs of life, some not of 0.1.0: 0.0.9 on attic")
