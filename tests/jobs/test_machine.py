"""What a process may take of this machine, and how another Python process is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lettermill.jobs import machine
from lettermill.jobs.machine import memory_limit, python_command, usable_cores


def test_a_folder_of_our_name_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "lettermill").mkdir()
    (tmp_path / "lettermill" / "__init__.py").write_text("raise SystemExit('not ours')")
    code = "import lettermill.jobs.errors; print('ours')"
    done = subprocess.run(
        python_command("-c", code), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "ours\n", done.stderr
    assert python_command("-m", "lettermill", "--version")[0] == sys.executable


def test_cores_are_at_least_one() -> None:
    assert usable_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not count private memory")
def test_an_allocation_beyond_the_limit_is_a_memory_error() -> None:
    code = """
from lettermill.jobs.machine import bound_memory
bound_memory(300_000_000)
try:
    bytearray(400_000_000)
except MemoryError:
    print("refused")
bound_memory(800_000_000)
print(len(bytearray(400_000_000)))
"""
    done = subprocess.run(python_command("-c", code), capture_output=True, text=True, check=False)
    assert done.stdout == "refused\n400000000\n", done.stderr


def test_the_smallest_limit_of_the_groups_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("inner", "outer", "none", "gone")]
    for file, text in zip(files, ("max\n", "123456789\n", "999999999999999\n"), strict=False):
        file.write_text(text)
    monkeypatch.setattr(machine, "_limits_of_groups", lambda: iter(files))
    assert memory_limit() == 123_456_789
    monkeypatch.setattr(machine, "_limits_of_groups", lambda: iter(()))
    assert memory_limit() > 123_456_789
