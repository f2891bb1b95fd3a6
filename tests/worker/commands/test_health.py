"""`lettermill health` prints a verdict from a worker's file and ends with it; it loads next to nothing."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lettermill.worker.service.health_file import Health
from tests.support import Command

WELL = Health(
    at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    stopping=False,
    redis_silent=0.0,
    deaf=0.0,
    pages=2,
    at_work=0.0,
    limit=0.0,
    last_page=None,
)


@pytest.mark.parametrize(
    ("age", "status", "words"), [(0, 0, "2 pages at work"), (3600, 1, "it has ended or hangs")]
)
def test_the_verdict_is_printed_and_is_the_exit_status(
    lettermill: Command, tmp_path: Path, age: int, status: int, words: str
) -> None:
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
    (tmp_path / "health").write_bytes(msgspec.json.encode(msgspec.structs.replace(WELL, at=at)))
    assert words in lettermill("health", "health", status=status).stdout


def test_a_file_that_is_no_workers(lettermill: Command, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("[]")
    assert "is not the health file of a worker" in lettermill("health", "other", status=1).stdout
    assert "no worker with --health gone runs" in lettermill("health", "gone", status=1).stdout
    assert "Missing argument" in lettermill("health", status=2).stderr


def test_it_loads_next_to_nothing() -> None:
    code = (
        "import sys; import lettermill.worker.commands.health\n"
        "heavy = {'numpy', 'cv2', 'celery', 'kombu', 'redis', 'PIL', 'ai_edge_litert', 'rich', 'boto3'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
