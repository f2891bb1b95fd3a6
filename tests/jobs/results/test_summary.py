"""The counts of a job, and summary.json."""

from __future__ import annotations

import json
import re

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Status
from lettermill.jobs.results.write import write_results
from tests.results import (
    OUTPUT_PAGE,
)


def test_the_summary_counts(contract_job: Job) -> None:
    summary = write_results(contract_job)
    assert (summary.scans, summary.pages, summary.finished, summary.unfinished) == (4, 4, 4, 0)
    assert summary.by_status == {
        Status.DONE: 1, Status.EMPTY: 1, Status.FAILED: 1, Status.QUARANTINED: 1, Status.CANCELLED: 0,
    }  # fmt: skip
    assert summary.failed == 2
    assert summary.by_error_code == {"TRUNCATED": 1, "WORKER_LOST": 1}
    assert (summary.lines, summary.letters, summary.flagged_letters) == (2, 4, 2)
    assert summary.mean_confidence == pytest.approx(0.8094, abs=1e-4)
    assert sum(summary.histogram) == 4
    assert summary.histogram[19] == 2  # 0.98765, and 1.0 which has no bin of its own.
    assert summary.letter_counts["Q"] == 1
    assert list(summary.letter_counts) == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert [letter.letter.letter for letter in summary.doubtful] == ["U", "A", "Q", "X"]
    assert [failure.scan for failure in summary.failures] == ["c.png", "d.png"]


def test_summary_json_holds_the_same(contract_job: Job) -> None:
    summary = write_results(contract_job)
    written = json.loads((contract_job.path / "summary.json").read_text(encoding="utf-8"))
    assert written == summary.to_json()
    assert written["by_status"] == {"DONE": 1, "EMPTY": 1, "FAILED": 1, "QUARANTINED": 1, "CANCELLED": 0}
    assert written["least_certain"][0]["letter"] == "U"
    page = OUTPUT_PAGE.read_text(encoding="utf-8")
    documented = re.findall(
        r"^\| `(\w+)` \|", page.split("## summary.json")[1].split("\n##")[0], re.MULTILINE
    )
    assert documented == list(written)
