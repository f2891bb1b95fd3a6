"""A finding is what `doctor --json` prints: its keys stay."""

from __future__ import annotations

import json

from lettermill.worker.checks.finding import Finding, Level


def test_the_keys_and_levels_of_json() -> None:
    printed = json.loads(json.dumps(Finding("redis", Level.NOT_CHECKED, "it was not given")._asdict()))
    assert printed == {"check": "redis", "level": "not checked", "said": "it was not given", "todo": ""}
    assert [level.value for level in Level] == ["ok", "not checked", "warning", "wrong"]
