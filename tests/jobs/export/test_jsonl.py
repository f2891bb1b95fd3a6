"""JSON Lines hold every page."""

from __future__ import annotations

import json

from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.display import display_path
from tests.exports import ODD


def test_json_lines_hold_every_page(job: Job) -> None:
    exported = export_job(job, FORMATS["jsonl"], None)
    assert exported.pages == len(ODD) + 3
    rows = [json.loads(line) for line in (job.path / "export" / "pages.jsonl").read_text().splitlines()]
    assert [row["scan"] for row in rows] == [display_path(entry.scan) for entry, _ in job.manifest()]
    failed = next(row for row in rows if row["scan"] == "failed.png")
    assert (failed["status"], failed["error_code"], failed["error"]) == ("FAILED", "TIMEOUT", "=late")
    read = rows[-1]
    assert read["text"] == "NO A\n0"
    assert read["lines"][0]["letters"][0] == {
        **{"x": 4, "y": 4, "width": 8, "height": 11, "word": 1, "letter": "N", "confidence": 0.9877},
        "alternatives": [{"letter": "M", "confidence": 0.01}, {"letter": "H", "confidence": 0.0023}],
        "flagged": False,
        **{"cell_row": None, "cell": None},
    }
