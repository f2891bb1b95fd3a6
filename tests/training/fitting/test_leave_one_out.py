"""Leave-one-out: a network for each source, resumed, damaged, and made again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.settings import DIGITS
from lettermill.training.fitting.leave_one_out import (
    LeftOut,
    sources_with_capitals,
    train_without_each_source,
)
from lettermill.training.fitting.reject_class import KINDS
from lettermill.training.letters.sources import ALIGNED, Letters
from lettermill.training.measure import masked_softmax
from lettermill.training.training_settings import CLASSES, TrainingSettings
from tests.drawn_letters import drawn_letters, write_set

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for seed, name in enumerate(("one", "two", "three")):
        write_set(folder / f"{name}_set.npz", seed, 6 if name == "one" else 5)
    return folder


def run(sets: Path, folder: Path, *words: str) -> str:
    options = ["--data", str(sets), "--out", str(folder), "--epochs", "1", "--glyphs-per-epoch", "512"]
    options += ["--validate-on", "two", "--test-on", "three"]
    result = CliRunner().invoke(cli.lettermill, ["train", *options, *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("small_network", "quick_plots")
def test_leave_one_out_is_resumed_and_made_again_where_it_is_damaged(sets: Path, tmp_path: Path) -> None:
    run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "")
    report = (tmp_path / "loo" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Leave one source out" in report and "not-letters.png" in report
    figures = json.loads((tmp_path / "loo" / "leave_one_out.json").read_text(encoding="utf-8"))
    assert [row["source"] for row in figures["rows"]] == ["one", "three", "two"]
    assert "| **mean** |" in (tmp_path / "loo" / "leave_one_out.md").read_text(encoding="utf-8")
    for name in ("one", "two", "three"):
        fold = tmp_path / "loo" / f"without_{name}"
        assert {path.name for path in fold.iterdir()} == {"model.keras", "outputs.npz", "report"}
    before = (tmp_path / "loo" / "without_one" / "model.keras").read_bytes()
    again = run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "", "--resume")
    assert again.count("done before") == 3 and "epoch 1/1" not in again
    assert (tmp_path / "loo" / "without_one" / "model.keras").read_bytes() == before
    assert json.loads((tmp_path / "loo" / "leave_one_out.json").read_text(encoding="utf-8")) == figures
    with pytest.raises(UsageProblem, match="other settings: seed"):
        run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "", "--resume", "--seed", "9")
    outputs = tmp_path / "loo" / "without_one" / "outputs.npz"
    outputs.write_bytes(outputs.read_bytes()[:-100])
    with pytest.raises(ModelProblem, match=r"outputs\.npz is damaged"):
        run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "", "--resume")
    shutil.rmtree(outputs.parent)
    again = run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "", "--resume")
    assert again.count("done before") == 2
    assert {path.name for path in outputs.parent.iterdir()} == {"model.keras", "outputs.npz", "report"}


def several(source: str, label: str, count: int) -> Letters:
    return Letters(
        np.zeros((count, 28, 28), np.uint8),
        np.zeros((count, 48, 48), np.uint8),
        np.full(count, label),
        np.full(count, source),
        np.full(count, ""),
    )


def joined(*parts: Letters) -> Letters:
    fields = [field.name for field in dataclasses.fields(Letters)]
    return Letters(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def test_a_source_needs_enough_written_capitals() -> None:
    letters = joined(
        several("enough", "A", 130),
        several("few", "A", 129),
        several("digits", "7", 500),
        several("ours" + ALIGNED, "A", 500),
    )
    assert sources_with_capitals(letters) == ["enough"]


def test_one_source_cannot_be_left_out(tmp_path: Path) -> None:
    letters = several("enough", "A", 130)
    with pytest.raises(BadData, match="needs two sources with capitals, found: enough"):
        next(train_without_each_source(letters, TrainingSettings(), tmp_path, lambda line: None))
    assert not list(tmp_path.iterdir())


def test_answers_are_masked_by_the_alphabet_and_calibrated() -> None:
    letters = drawn_letters("one", (cv2.FONT_HERSHEY_SIMPLEX,))
    logits = np.random.default_rng(0).normal(0, 2, (len(letters), len(CLASSES))).astype(np.float32)
    result = LeftOut(letters, logits, logits[:5], np.array([0, 1, 2, 3, 0]))
    assert result.source == "one"
    digits = result.among(DIGITS, 2.0)
    assert len(digits) == 10 and digits.probabilities[:, :26].sum() == 0
    np.testing.assert_allclose(digits.probabilities, masked_softmax(logits[26:], 2.0, DIGITS, CLASSES))
    scores = result.reject_scores()
    np.testing.assert_array_equal(scores.letters[:5], scores.others)
    assert scores.kinds.tolist() == [*KINDS, KINDS[0]]
