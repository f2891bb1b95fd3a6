"""A short fuzz run of scans; the long one is `python -m bench.fuzz.images`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz.images import fuzz


@pytest.mark.slow
def test_mutated_scans_end_as_pixels_or_with_a_reason(tmp_path: Path) -> None:
    outcomes = fuzz(300, 1, tmp_path)
    assert not [outcome for outcome in outcomes if outcome.startswith("BROKEN")], outcomes
    assert outcomes["read"] > 30
    assert outcomes["TRUNCATED"] > 30
    assert not list(tmp_path.iterdir())
