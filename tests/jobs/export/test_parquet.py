"""Parquet has the letters with types."""

from __future__ import annotations

import csv

import pyarrow.parquet as pq
import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.export.rows import TYPED_LETTER_HEADER
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.write import write_results
from tests.exports import ODD


def test_parquet_has_the_letters_with_types(job: Job) -> None:
    exported = export_job(job, FORMATS["parquet"], None)
    assert exported.left_out.total() == 1
    table = pq.read_table(job.path / "export" / "letters.parquet")
    assert table.column_names == TYPED_LETTER_HEADER.split(",")
    assert {"string", "int32", "double", "bool"} == {str(kind) for kind in table.schema.types}
    rows = table.to_pylist()
    assert len(rows) == 4 * (len(ODD) + 1)
    assert rows[-1]["letter"] == "0"
    assert rows[-1]["third"] is None
    assert rows[-1]["flagged"] is True


def test_flags_for_a_rate_are_those_of_the_tables(job: Job) -> None:
    def flags(acceptance: Acceptance | None) -> list[bool]:
        export_job(job, FORMATS["parquet"], None, acceptance)
        return pq.read_table(job.path / "export" / "letters.parquet")["flagged"].to_pylist()

    def wanted(acceptance: Acceptance | None) -> list[bool]:
        write_results(job, acceptance)
        with (job.path / "letters.csv").open(newline="", encoding="utf-8") as file:
            return [row["flagged"] == "1" for row in csv.DictReader(file)]

    assert flags(None) == wanted(None)
    assert flags(Acceptance(0.9)) == wanted(Acceptance(0.9)) != wanted(None)
    with pytest.raises(UsageProblem, match="this format has no flags") as caught:
        export_job(job, FORMATS["alto"], None, Acceptance(0.98))
    assert "jsonl, xlsx, parquet" in str(caught.value)
    assert not (job.path / "export" / "alto").exists()
