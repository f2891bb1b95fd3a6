"""JSON that commands print for programs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import Command


def test_json_for_programs(lettermill: Command, thirteen_scans: Path, tmp_path: Path) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--json", status=1)
    assert json.loads(done.stdout)["pages"] == 13
    (job,) = (tmp_path / "out").glob("*-*")
    state = json.loads(lettermill("status", job, "--json").stdout)
    assert state == state | {"pages": 13, "finished": 13, "failed": 1, "state": "complete", "stopped": None}
    (listed,) = json.loads(lettermill("jobs", "--out", "out", "--json").stdout)
    assert listed["finished"] == 13
    assert lettermill("wait", job, status=1).returncode == 1
