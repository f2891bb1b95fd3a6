"""The numbers of a report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lettermill.training.fitting.fit import Epoch
from lettermill.training.measure import RejectScores
from lettermill.training.reports.report_content import LabelledGlyphs, OtherModel, Report, headline
from lettermill.training.reports.report_values import changes, error, kinds_of, report_values
from tests.drawn_letters import answers_of

ANSWERS = answers_of([("A", "A", 0.95), ("A", "B", 0.9), ("B", "B", 0.8), ("C", "A", 0.7)])
OTHERS = answers_of([("A", "B", 0.95), ("A", "A", 0.9), ("B", "B", 0.8), ("C", "B", 0.7)])


def report(**more: object) -> Report:
    labels = np.array(ANSWERS.labels)[ANSWERS.classes]
    data = LabelledGlyphs("The letters", ANSWERS.glyphs, labels, ANSWERS.sources)
    return Report("Title", "About.", ANSWERS, headline(ANSWERS), data, **more)  # type: ignore[arg-type]


def test_the_numbers_are_plain_values() -> None:
    values = report_values(report())
    assert json.loads(json.dumps(values, allow_nan=False)) == json.loads(json.dumps(values))
    assert values["data"]["counts"] == {"one": {"A": 2, "B": 1, "C": 1}}
    assert values["confusions"] == [
        {"is": "A", "read": "B", "count": 1},
        {"is": "C", "read": "A", "count": 1},
    ]
    assert [row["confidence"] for row in values["worst_errors"]] == [pytest.approx(0.9), pytest.approx(0.7)]
    assert values["compared"] is None and values["not_letters"] is None and values["history"] == []
    worst = {row["label"]: row for row in values["classes"]}["C"]
    assert (worst["precision"], worst["recall"], worst["f1"]) == (None, 0, 0)


def test_an_error_names_the_alternatives() -> None:
    found = error(ANSWERS, 1)
    assert (found["source"], found["is"], found["read"]) == ("one", "A", "B")
    assert [label for label, _ in found["alternatives"]] == ["A", "C"]


def test_losses_that_are_no_numbers_are_none() -> None:
    history = [Epoch(1, float("nan"), 0.1, float("inf"), 0.2, 3.0)]
    (row,) = report_values(report(history=history))["history"]
    assert (row["loss"], row["accuracy"], row["validation_loss"]) == (None, 0.1, None)


def test_what_changed_from_another_model() -> None:
    assert changes(ANSWERS, OTHERS) == (1, 1, 1.0)
    compared = report_values(report(compared=OtherModel("before", OTHERS, headline(OTHERS))))["compared"]
    assert (compared["mended"], compared["spoilt"], compared["both_wrong"]) == (1, 1, 1)
    assert compared["otherwise"] == 3
    assert {row["label"]: row["after"] - row["before"] for row in compared["classes"]} == {
        "A": 0,
        "B": 0,
        "C": 0,
    }


def test_rejections_are_counted_for_each_kind() -> None:
    letters = np.linspace(0, 0.5, 1000)
    scores = RejectScores(letters, np.array([0.6, 0.1, 0.7]), np.array(["part", "part", "blot"]))
    assert kinds_of(scores) == ["blot", "part"]
    found = report_values(report(reject_scores=scores))["not_letters"]
    assert found["counts"] == {"all": 3, "part": 2, "blot": 1} and found["letters"] == 1000
    first, second = found["rows"]
    assert (first["lost"], second["lost"]) == (0.01, 0.001)
    assert first["rejected"]["part"]["value"] == 0.5 and first["rejected"]["blot"]["value"] == 1
    assert found["area_under_curve"] == pytest.approx((1 + 0.2 + 1) / 3, abs=0.001)
