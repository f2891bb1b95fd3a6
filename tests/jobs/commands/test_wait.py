"""`lettermill wait`: what it prints while nothing happens."""

from __future__ import annotations

from pathlib import Path

from tests.support import Command, Starter, wait_for


def test_waiting_for_nobody_says_so(
    start: Starter, lettermill: Command, many_scans: Path, tmp_path: Path, broker: str
) -> None:
    submitted = lettermill("submit", many_scans, "--out", tmp_path / "out", "--broker", broker)
    job = submitted.stdout.strip()
    waiting = start("wait", job, faults={"set": {"lettermill.jobs.running.dispatch._STILL_SECONDS": 1}})
    wait_for(lambda: b"Does a worker run" in Path(f"/proc/{waiting.pid}/fd/2").read_bytes(), what="a hint")
