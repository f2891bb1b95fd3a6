"""A short run of fuzzed job folders; `make fuzz` has the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.mark.slow
def test_mutated_job_folders_break_nothing(tmp_path: Path) -> None:
    # In a process of its own: the children that it forks would inherit the memory and threads of this one.
    done = subprocess.run(
        [*(sys.executable, "-m", "bench.fuzz.folders"), "--count", "80", "--seed", "11", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    reports = [report.read_text(errors="replace") for report in tmp_path.glob("*/report.txt")]
    assert done.returncode == 0, "\n\n".join([done.stdout, done.stderr, *reports[:5]])
    assert "     80  as it should\n" in done.stdout
    assert "  refused: " in done.stdout
