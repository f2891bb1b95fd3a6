"""The CSV files of a report."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lettermill.training.reports.report_content import LabelledGlyphs, OtherModel, Report, headline
from lettermill.training.reports.report_tables import write_tables
from lettermill.training.reports.report_values import report_values
from tests.drawn_letters import answers_of

ANSWERS = answers_of([("A", "A", 0.95), ("A", "B", 0.9), ("B", "B", 0.8), ("C", "A", 0.7)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("compared", [False, True])
def test_a_row_for_each_thing_counted(tmp_path: Path, compared: bool) -> None:
    labels = np.array(ANSWERS.labels)[ANSWERS.classes]
    data = LabelledGlyphs("The letters", ANSWERS.glyphs, labels, ANSWERS.sources)
    measured = headline(ANSWERS)
    other = OtherModel("before", ANSWERS, measured) if compared else None
    values = report_values(Report("Title", "About.", ANSWERS, measured, data, compared=other))
    write_tables(values, ANSWERS, tmp_path)
    names = {"figures", "classes", "confusions", "errors", "reliability", "accept", "data"}
    assert {path.stem for path in tmp_path.iterdir()} == names | ({"changes"} if compared else set())
    (figures,) = rows(tmp_path / "figures.csv")
    assert figures["letters_of"] == "all letters" and float(figures["accuracy"]) == 0.5
    assert float(figures["accuracy_low"]) < 0.5 < float(figures["accuracy_high"])
    assert {"accepted_99", "accepted_99.9_low", "threshold_99.5_high"} <= figures.keys()
    assert [row["is"] + row["read"] for row in rows(tmp_path / "confusions.csv")] == ["AB", "CA"]
    first, second = rows(tmp_path / "errors.csv")
    assert (first["is"], first["read"], first["alternative_1"], first["alternative_2"]) == (
        "A",
        "B",
        "A",
        "C",
    )
    assert float(first["confidence"]) > float(second["confidence"])
    assert [row["A"] if "A" in row else row["one"] for row in rows(tmp_path / "data.csv")] == ["2", "1", "1"]
    accept = rows(tmp_path / "accept.csv")
    assert [float(row["accepted"]) for row in accept] == [0.25, 0.5, 0.75, 1]
    assert float(accept[-1]["wrong_among_accepted"]) == 0.5
