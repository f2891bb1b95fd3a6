"""The figures of leave-one-out, of outputs made up here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.settings import LETTERS
from lettermill.training.fitting.leave_one_out import LeftOut
from lettermill.training.fitting.reject_class import KINDS
from lettermill.training.letters.sources import Letters
from lettermill.training.letters.split import classes_of
from lettermill.training.reports.leave_one_out_report import (
    pooled,
    pooled_reject_scores,
    summary,
    table,
    temperature_of,
    write_summary,
)
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings


def left_out(source: str, confident: float, wrong: int) -> LeftOut:
    """Outputs for each label, some of the first ones wrong."""
    count = len(LABELS)
    letters = Letters(
        np.zeros((count, 28, 28), np.uint8),
        np.zeros((count, 48, 48), np.uint8),
        np.array(LABELS),
        np.full(count, source),
        np.full(count, ""),
    )
    logits = np.zeros((count, len(CLASSES)), np.float32)
    answers = classes_of(letters)
    answers[:wrong] = (answers[:wrong] + 1) % 26
    logits[np.arange(count), answers] = confident
    non_letters = np.zeros((8, len(CLASSES)), np.float32)
    non_letters[:6, -1] = 20
    non_letters[6:, 0] = 20
    return LeftOut(letters, logits, non_letters, np.arange(8) % len(KINDS))


@pytest.fixture
def results() -> list[LeftOut]:
    return [left_out("one", 6.0, 2), left_out("two", 3.0, 5)]


def test_each_source_is_a_row(results: list[LeftOut]) -> None:
    values = summary(results, TrainingSettings())
    assert [(row["source"], row["capitals"], row["digits"]) for row in values["rows"]] == [
        ("one", 26, 10),
        ("two", 26, 10),
    ]
    assert [row["accuracy"] for row in values["rows"]] == [round(24 / 26, 4), round(21 / 26, 4)]
    assert values["mean_accuracy"] == round((round(24 / 26, 4) + round(21 / 26, 4)) / 2, 4)
    assert [row["digit_accuracy"] for row in values["rows"]] == [1.0, 1.0]
    assert [row["non_letters_rejected"] for row in values["rows"]] == [0.75, 0.75]
    assert values["all"]["count"] == 52 and values["all"]["wrong"] == 7
    assert values["temperature"] == round(temperature_of(results), 4)
    assert values["settings"] == TrainingSettings().to_json()


def test_a_source_is_calibrated_by_the_others(results: list[LeftOut]) -> None:
    answers = pooled(results)
    for result, other in (results, results[::-1]):
        own = answers[answers.sources == result.source]
        expected = result.among(LETTERS, temperature_of([other]))
        np.testing.assert_allclose(own.probabilities, expected.probabilities)
    alone = pooled(results[:1])
    np.testing.assert_allclose(alone.probabilities, results[0].among(LETTERS, 1.0).probabilities)


def test_scores_of_all_sources_are_joined(results: list[LeftOut]) -> None:
    scores = pooled_reject_scores(results)
    assert (len(scores.letters), len(scores.others), len(scores.kinds)) == (72, 16, 16)
    assert set(scores.kinds.tolist()) == set(KINDS)


def test_the_table_has_a_row_for_each_source_and_the_mean(results: list[LeftOut]) -> None:
    lines = table(summary(results, TrainingSettings())).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split(" |")[0] for line in lines[2:]] == ["| one", "| two", "| **mean**"]
    assert "92.31%" in lines[2]


def test_figures_and_table_are_written(results: list[LeftOut], tmp_path: Path) -> None:
    values = summary(results, TrainingSettings())
    write_summary(values, tmp_path)
    text = (tmp_path / "leave_one_out.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(values)) and text.endswith("}\n")
    assert (tmp_path / "leave_one_out.md").read_text(encoding="utf-8") == table(values)
