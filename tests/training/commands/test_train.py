"""A whole run on glyphs made on the spot: its files, the network file against Keras, repeatability."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import load_model
from lettermill.jobs.job.corrections import Decision
from lettermill.training.commands.evaluate import not_letters_of
from lettermill.training.fitting.litert_export import check_agreement
from lettermill.training.fitting.reject_class import KINDS
from lettermill.training.letters import sources
from lettermill.training.measure import non_letter_probability
from lettermill.training.training_settings import CLASSES, LABELS
from lettermill.worker.reading.litert_network import Network
from tests.reviewed import BOXES, job_to_review, say
from tests.support import ROOT

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_PLAIN)


def write_set(path: Path, seed: int, copies: int) -> None:
    """Draw every label some times, slightly moved and turned."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for label in LABELS:
        for number in range(copies):
            image = np.zeros((60, 60), np.uint8)
            face = FACES[number % len(FACES)]
            scale = 3.4 if face == cv2.FONT_HERSHEY_PLAIN else 1.6
            cv2.putText(image, label, (14, 46), face, scale, 255, int(rng.integers(2, 5)), cv2.LINE_AA)
            turn = cv2.getRotationMatrix2D((30, 30), float(rng.normal(0, 6)), float(rng.uniform(0.7, 1)))
            images.append(cv2.warpAffine(image, turn, (60, 60)))
            labels.append(label)
    np.savez(path, x=np.stack(images), y=np.array(labels))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for seed, name in enumerate(("one", "two", "three")):
        write_set(folder / f"{name}_set.npz", seed, 6 if name == "one" else 5)
    return folder


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of which people said what its four letters are."""
    job = job_to_review(tmp_path_factory.mktemp("reviewed"))
    for position, char in enumerate(BOXES, 1):
        say(job, position, Decision.CORRECTED, char)
    return Path(f"{job.path}")


@pytest.fixture(scope="module")
def trained(sets: Path, reviewed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A MODEL_DIR, and what the command said."""
    folder = tmp_path_factory.mktemp("model")
    return folder, run(sets, folder, "--corrections", str(reviewed))


@pytest.fixture(scope="module")
def model(trained: tuple[Path, str]) -> Path:
    return trained[0]


def run(sets: Path, folder: Path, *words: str) -> str:
    options = ["--data", str(sets), "--out", str(folder), "--epochs", "1", "--glyphs-per-epoch", "512"]
    options += ["--validate-on", "two", "--test-on", "three"]
    result = CliRunner().invoke(cli.lettermill, ["train", *options, *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def card_of(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / "handprint.json").read_text(encoding="utf-8"))
    return card


def network_of(folder: Path) -> Network:
    return Network(load_model(folder).network)


def test_a_run_leaves_a_usable_model_dir(model: Path, reviewed: Path) -> None:
    names = {"handprint.tflite", "handprint.json", "history.csv", "model.keras", "report"}
    assert {path.name for path in model.iterdir()} == names
    card = card_of(model)
    assert card["sha256"] == hashlib.sha256((model / "handprint.tflite").read_bytes()).hexdigest()
    assert card["labels"] == list(CLASSES)
    assert card["bytes"] < 2_000_000 and card["multiply_adds"] < 8_000_000
    assert card["trained_on"] == {
        "one": {"capitals": 156, "digits": 60, "lower_case": 0, "not_letters": 0},
        reviewed.name: {"capitals": 4, "digits": 0, "lower_case": 0, "not_letters": 0},
    }
    with (model / "report" / "data.csv").open(encoding="utf-8", newline="") as file:
        counts = {row["label"]: row[reviewed.name] for row in csv.DictReader(file)}
    assert {label for label, count in counts.items() if count == "1"} == set(BOXES)
    assert set(card["figures"]) == {"validation", "test"}
    assert 0.2 <= card["temperature"] <= 5
    history = (model / "history.csv").read_text(encoding="utf-8").splitlines()
    assert (
        history[0] == "epoch,loss,accuracy,validation_loss,validation_accuracy,seconds,validation_error"
        and len(history) == 2
    )
    assert cv2.imread(str(model / "report" / "curves.png")) is not None
    figures = json.loads((model / "report" / "figures.json").read_text(encoding="utf-8"))
    assert figures["not_letters"]["letters"] == figures["not_letters"]["counts"]["all"] == 180
    assert set(figures["not_letters"]["counts"]) == {"all", *KINDS}


def test_reading_and_training_agree_on_what_is_no_letter(sets: Path, model: Path) -> None:
    letters = sources.load(sources.find([sets])[0])
    scores = not_letters_of(load_model(model), letters)
    assert scores is not None and len(scores.kinds) == len(scores.others) == len(letters)
    expected = non_letter_probability(network_of(model).logits(letters.glyphs))
    np.testing.assert_allclose(scores.letters, expected, atol=1e-5)
    assert np.ptp(scores.letters) > 0


def test_outputs_that_are_no_numbers_are_no_model(model: Path) -> None:
    glyphs = np.zeros((2, 28, 28), np.uint8)
    network = network_of(model)
    logits = network.logits(glyphs)
    assert check_agreement(network, glyphs, logits) == 0
    with pytest.raises(ModelProblem, match="differ from Keras"):
        check_agreement(network, glyphs, logits + 1)
    with pytest.raises(ModelProblem, match="training diverged"):
        check_agreement(network, glyphs, np.full_like(logits, np.nan))


def test_the_network_file_and_keras_give_the_same_probabilities(sets: Path, model: Path) -> None:
    import keras

    kept = keras.models.load_model(model / "model.keras")
    letters = sources.load(sources.find([sets])[0])
    expected = softmax(np.asarray(kept.predict(letters.glyphs, verbose=0)))
    answers = softmax(network_of(model).logits(letters.glyphs))
    assert answers.shape == (len(letters), 37)
    np.testing.assert_allclose(answers, expected, atol=0.03)


def test_a_model_of_a_former_version_is_converted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/training.md says."""
    ours = tmp_path / "our-model"
    shutil.copytree(model, ours)
    (ours / "handprint.tflite").replace(ours / "handprint.onnx")
    with pytest.raises(ModelProblem, match="of a former Lettermill"):
        network_of(ours)
    guide = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n((?:(?!```).)*?write_network.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert network_of(ours).outputs == 37
    assert (ours / "handprint.tflite").read_bytes() == (model / "handprint.tflite").read_bytes()
    assert card_of(ours) == card_of(model)


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_the_same_seed_gives_the_same_model(sets: Path, reviewed: Path, model: Path, tmp_path: Path) -> None:
    run(sets, tmp_path, "--corrections", str(reviewed))
    assert (tmp_path / "handprint.tflite").read_bytes() == (model / "handprint.tflite").read_bytes()


def test_progress_says_what_was_found_and_how_each_epoch_went(
    trained: tuple[Path, str], reviewed: Path
) -> None:
    output = trained[1]
    assert f"{reviewed.name}: 4 glyphs (corrections, source {reviewed.name})" in output
    assert "one_set.npz: 216 glyphs (NumPy archive, source one)" in output
    assert "epoch 1/1  loss " in output and "validation loss" in output
    assert "test: {'glyphs': 180" in output


def test_leave_one_out_and_a_card_that_quotes_it(sets: Path, tmp_path: Path) -> None:
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
    learn = ("--left-out", str(tmp_path / "loo"))
    with pytest.raises(ModelProblem, match=r"outputs\.npz is damaged"):
        run(sets, tmp_path / "model", "--test-on", "", *learn)
    shutil.rmtree(outputs.parent)
    run(sets, tmp_path / "loo", "--leave-one-out", "--test-on", "", "--resume")
    with pytest.raises(UsageProblem, match="have seen letters that this training is tested on"):
        run(sets, tmp_path / "model", *learn)  # tested on source three
    network = tmp_path / "loo" / "without_two" / "model.keras"
    whole = network.read_bytes()
    network.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    with pytest.raises(ModelProblem, match=r"model\.keras is damaged"):
        run(sets, tmp_path / "model", "--test-on", "", *learn)
    network.write_bytes(whole)
    assert not (tmp_path / "model").exists()
    run(sets, tmp_path / "model", "--test-on", "", *learn)
    card = card_of(tmp_path / "model")
    assert card["teachers"] == 3 and 0.2 <= card["temperature"] <= 5
    assert card["figures"]["leave_one_out"]["rows"] == figures["rows"]


def test_teachers_are_made_before_they_teach(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="earlier --leave-one-out"):
        run(sets, tmp_path / "model", "--leave-one-out", "--left-out", str(tmp_path))
    with pytest.raises(BadData, match=r"leave_one_out\.json cannot be read"):
        run(sets, tmp_path / "model", "--left-out", str(tmp_path))
    assert not (tmp_path / "model").exists()


def test_leave_one_out_replaces_no_folder_that_is_no_report(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "letter.odt").write_text("dear reader")
    with pytest.raises(UsageProblem, match="is no report"):
        run(sets, tmp_path, "--leave-one-out")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_evaluate_measures_each_source(sets: Path, model: Path) -> None:
    result = CliRunner().invoke(
        cli.lettermill,
        ["evaluate", "--data", str(sets), "--model", str(model), "--alphabet", "alnum"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    rows = re.findall(r"^(.+?) +(\d+) .*–", result.output, re.MULTILINE)
    assert rows == [("all letters", "576"), ("one", "216"), ("three", "180"), ("two", "180")]


def test_nothing_to_validate_on_says_what_to_do(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="'three' has no letters A–Z or 0–9 to validate on"):
        run(sets, tmp_path, "--validate-on", "three")  # which is the test part
    with pytest.raises(BadData, match="no glyphs to validate on"):
        CliRunner().invoke(
            cli.lettermill, ["train", "--data", str(sets), "--out", str(tmp_path)], catch_exceptions=False
        )


def test_an_unknown_source_lists_those_that_are_there(sets: Path, tmp_path: Path) -> None:
    words = ["train", "--data", str(sets), "--out", str(tmp_path), "--validate-on", "four"]
    with pytest.raises(BadData, match="one, three, two"):
        CliRunner().invoke(cli.lettermill, words, catch_exceptions=False)
