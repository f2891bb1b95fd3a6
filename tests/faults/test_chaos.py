"""A short chaos run; `make faults` has a long one."""

from __future__ import annotations

from pathlib import Path

from bench.fuzz.chaos import survive


def test_a_job_survives_random_faults(tmp_path: Path) -> None:
    struck = survive(tmp_path / "chaos", 250, 7, print)
    assert struck.total() >= 5
