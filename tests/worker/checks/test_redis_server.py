"""Redis: memory, rights, and workers of other versions, each made wrong for real."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest
import redis

from lettermill.worker.checks.finding import Finding, Level
from lettermill.worker.checks.redis_server import _memory, _persistence, _version, check_redis
from tests.support import LETTERMILL, ROOT, clean_environment

USERS = ROOT / "deploy" / "compose" / "users.acl"


def test_a_redis_that_forgets_or_is_full(findings: Callable, broker: str, client: redis.Redis) -> None:
    assert findings("--broker", broker, status=0)["redis memory"][0] == "warning"
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    found = findings("--broker", broker, status=13)
    assert found["redis memory"][0] == "wrong"
    assert "allkeys-lru: when memory is full, Redis deletes" in found["redis memory"][1]
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    assert findings("--broker", broker, status=13)["rights in redis"] == (
        "wrong",
        "its memory is full",
    )


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


def test_workers_of_other_versions(findings: Callable, broker: str, client: redis.Redis) -> None:
    assert findings("--broker", broker, status=0)["workers"][0] == "warning"
    for worker, sign in (
        ("a", {"version": "0.0.9", "message_format": 1, "host": "attic"}),
        ("b", {"version": "9.9.9", "message_format": 9, "host": "cellar"}),
    ):
        client.set(f"lettermill:worker:{worker}", "[]")
        client.hset("lettermill:workers", worker, json.dumps(sign))
    level, said = findings("--broker", broker, status=13)["workers"]
    assert level == "wrong"
    assert said.startswith("1 of 2 use another message format")
    assert said.endswith("0.0.9 on attic, 9.9.9 on cellar")
    client.delete("lettermill:worker:b")
    level, said = findings("--broker", broker, status=0)["workers"]
    assert (level, said) == ("warning", "1 sends heartbeats; of other versions than 0.1.0: 0.0.9 on attic")


INFO = {
    "redis_version": "7.2.4",
    "used_memory": 1 << 20,
    "maxmemory": 100 << 20,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


@pytest.mark.parametrize(
    ("check", "changed", "level", "said"),
    [
        (_version, {}, Level.OK, "Redis 7.2.4"),
        (_version, {"redis_version": "6.0.16"}, Level.WARNING, "Redis 6.0.16"),
        (_version, {"redis_version": "7.2.4", "valkey_version": "8.1.1"}, Level.OK, "Valkey 8.1.1"),
        (_memory, {}, Level.OK, "1 of 100 MiB used, noeviction"),
        (_memory, {"used_memory": 81 << 20}, Level.WARNING, "81 of 100 MiB used, noeviction"),
        (_memory, {"maxmemory": 0}, Level.WARNING, "1 MiB used, no limit"),
        (_persistence, {}, Level.OK, "append-only file"),
        (_persistence, {"aof_enabled": 0}, Level.OK, "no append-only file: what Redis loses is queued again"),
        (_persistence, {"aof_last_write_status": "err"}, Level.WRONG, "cannot be written"),
        (_persistence, {"rdb_last_bgsave_status": "err"}, Level.WRONG, "its last snapshot failed"),
    ],
)
def test_what_a_server_says_of_itself(
    check: Callable[[dict], Finding], changed: dict[str, object], level: Level, said: str
) -> None:
    found = check({**INFO, **changed})
    assert found.level is level
    assert said in found.said
    assert bool(found.todo) == (level is not Level.OK)


def test_an_address_that_was_not_given_is_not_checked() -> None:
    assert [one.level for one in check_redis(None)] == [Level.NOT_CHECKED]
