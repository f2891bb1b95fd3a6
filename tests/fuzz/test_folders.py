"""A short run of fuzzed job folders; `make fuzz` has the long one."""

from __future__ import annotations

from pathlib import Path

from bench.fuzz.folders import run


def test_mutated_job_folders_break_nothing(tmp_path: Path) -> None:
    ended, refused = run(80, 11, tmp_path / "broken")
    assert ended == {"as it should": 80}, list((tmp_path / "broken").glob("*/report.txt"))
    assert refused.total() > 0
