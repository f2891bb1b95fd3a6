"""A short chaos run; `make faults` has a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz.chaos import survive


@pytest.mark.slow
def test_a_job_survives_random_faults(tmp_path: Path) -> None:
    struck = survive(tmp_path / "chaos", 250, 7, print)
    assert struck.total() >= 5
