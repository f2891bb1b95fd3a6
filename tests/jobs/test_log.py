"""What a worker logs: an event a line, each once, with ids, and no letters or names of documents."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lettermill.jobs.job.folder import Job
from tests.support import Command, Starter, descendants, draw, wait_for


def events(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines()
    assert not [line for line in lines if not line.startswith("{")]
    return [json.loads(line) for line in lines]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    for number in range(4):
        draw(folder / f"private {number}.png", ["SECRET"])
    draw(folder / "poison.png", ["SECRET"])
    (folder / "broken.png").write_bytes((folder / "poison.png").read_bytes()[:90])
    (folder / "broken.tif").write_bytes(b"II*\0" + bytes(range(256)))
    return folder


def test_every_event_is_one_line_of_json(
    start: Starter, lettermill: Command, broker: str, scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    words = ("--broker", broker, "--scans", scans, "--results", tmp_path / "out")
    worker = start("worker", *words, "--log-format", "json", faults={"kill": "poison"})
    job = Job.open(Path(lettermill("submit", scans, "--out", "out", "--broker", broker).stdout.strip()))
    lettermill("wait", job.path, "--timeout", "100", status=1)
    worker.terminate()
    assert worker.wait(60) == 0
    log = tmp_path / "process-0.log"
    logged = events(log)
    assert all(event["event"] and event["level"] and event["timestamp"].endswith("Z") for event in logged)
    names = Counter(event["event"] for event in logged)
    assert (names["worker_started"], names["worker_stopped"]) == (1, 1)
    ended = [event for event in logged if event["event"] in ("page_done", "page_failed")]
    assert {event["page"]: event["job"] for event in ended} == {
        entry.id: job.path.name for entry, _ in job.manifest()
    }
    assert len(ended) == 7  # Nothing twice.
    assert Counter(event.get("code") for event in ended) == {
        None: 4,
        "TRUNCATED": 1,
        "NOT_AN_IMAGE": 1,
        "WORKER_LOST": 1,
    }
    assert names["process_lost"] == 3
    assert {event["cause"] for event in logged if event["event"] == "process_lost"} == {"signal 9 (SIGKILL)"}
    for private in ("SECRET", "private", "poison", "broken"):
        assert private not in log.read_text()


def test_text_for_a_person_by_default(start: Starter, broker: str, tmp_path: Path) -> None:
    worker = start("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path)
    log = tmp_path / "process-0.log"
    wait_for(lambda: descendants(worker.pid), what="a child")
    worker.terminate()
    assert worker.wait(60) == 0
    assert {line.partition(" ")[0].partition("=")[0] for line in log.read_text().splitlines()} == {
        "timestamp"
    }
