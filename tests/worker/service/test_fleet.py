"""Submit, worker and collect in separate processes through a Redis, and what a message may not do."""

from __future__ import annotations

import json
from pathlib import Path

import redis

from tests.support import SLOW, Command, Starter, descendants, wait_for


def test_a_job_through_a_broker_leaves_nothing_in_redis(
    lettermill: Command,
    start: Starter,
    broker: str,
    client: redis.Redis,
    thirteen_scans: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "results" / "of today"
    out.mkdir(parents=True)
    roots = ("--scans", tmp_path, "--results", tmp_path / "results")
    submitted = lettermill("submit", thirteen_scans, "--out", out, "--broker", broker, *roots)
    job = Path(submitted.stdout.strip())
    assert job.parent == out

    partly = lettermill("collect", job, status=1)
    assert "unfinished  13 pages" in partly.stdout
    assert len((job / "pages.csv").read_text().splitlines()) == 1

    start("worker", "--broker", broker, *roots, "--concurrency", "2")
    lettermill("wait", job, "--timeout", "100", status=1)
    done = lettermill("collect", job, status=1)
    assert "13  (12 DONE, 1 FAILED)" in done.stdout
    wait_for(
        lambda: all(b"lettermill:worker" in key for key in client.scan_iter()), what="a Redis without the job"
    )


def test_results_can_be_collected_while_the_job_runs(
    lettermill: Command, start: Starter, broker: str, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job = Path(lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip())
    words = ("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1")
    worker = start(*words, faults=SLOW)
    wait_for(lambda: len(list(job.glob("pages/*/*.json"))) >= 3, what="pages")
    rows = lettermill("collect", job, "--json", status=None)
    assert 3 <= json.loads(rows.stdout)["finished"] < 40
    assert worker.poll() is None


def test_a_worker_is_one_thread_a_process(start: Starter, broker: str, tmp_path: Path) -> None:
    worker = start(
        "worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--concurrency", "2"
    )
    wait_for(lambda: len(descendants(worker.pid)) >= 2, what="two children")
    for child in descendants(worker.pid):
        assert child.num_threads() == 1


def test_submit_stays_inside_its_roots(
    lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "allowed").mkdir()
    done = lettermill(
        *("submit", thirteen_scans, "--out", "out", "--broker", broker, "--scans", tmp_path / "allowed"),
        status=2,
    )
    assert "is not below" in done.stderr
    done = lettermill(
        *("submit", thirteen_scans, "--out", "out", "--broker", broker, "--results", tmp_path / "allowed"),
        status=2,
    )
    assert "--results" in done.stderr


def test_a_client_token_makes_submit_idempotent(
    lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    words = ("submit", thirteen_scans, "--out", "out", "--broker", broker, "--token", "invoice 12")
    first, second = lettermill(*words).stdout, lettermill(*words).stdout
    assert first == second
    assert "invoice-12-" in first
