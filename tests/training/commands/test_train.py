"""A whole run on glyphs made on the spot: its files, its messages, repeatability, a kill."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.corrections import Decision
from lettermill.training.fitting import field_training, fit
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE
from lettermill.training.fitting.reject_class import KINDS
from lettermill.training.letters import sources
from lettermill.training.letters.split import split
from lettermill.training.training_settings import CLASSES, TrainingSettings
from lettermill.worker.reading.cascade import load_cnn
from lettermill.worker.reading.litert_network import Network
from tests.drawn_letters import drawn_letters, write_set
from tests.reviewed import BOXES, job_to_review, say
from tests.support import ROOT, Starter, wait_for
from tests.training.written_fields import write_fields, write_sources

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
    names = {"handprint.tflite", "first.tflite", "line.tflite", "regions.tflite", "handprint.json"}
    names |= {"handprint.weights.npz", "first.weights.npz", "line.weights.npz"}
    names |= {"history.csv", "model.keras", "report"}
    assert {path.name for path in model.iterdir()} == names
    shipped = load_model(installed_model_folder())
    assert load_model(model).line_network == shipped.line_network is not None
    assert load_model(model).line_card == shipped.line_card
    card = card_of(model)
    assert card["sha256"] == hashlib.sha256((model / "handprint.tflite").read_bytes()).hexdigest()
    assert card["labels"] == list(CLASSES)
    assert card["bytes"] < 2_000_000 and card["multiply_adds"] < 30_000_000
    first = card["first_network"]
    assert first["sha256"] == hashlib.sha256((model / "first.tflite").read_bytes()).hexdigest()
    assert first["bytes"] < 500_000 and first["multiply_adds"] < 6_000_000
    assert load_cnn(load_model(model)).outputs == 37
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


@pytest.mark.usefixtures("quick_plots")
def test_reviewed_letters_train_a_model_further(
    sets: Path, reviewed: Path, model: Path, tmp_path: Path
) -> None:
    words = ["--further", "--start", str(model), "--corrections", str(reviewed)]
    output = run(sets, tmp_path / "ours", *words)
    assert re.search(r"validation, all classes: .* before\nvalidation, all classes: .* after\n", output)
    trained = load_model(tmp_path / "ours")
    trained.check()
    former = card_of(model)
    assert trained.network != load_model(model).network
    assert trained.card["temperature"] == former["temperature"]
    assert trained.card["figures_before"] == former["figures"] and trained.card["figures"]
    assert reviewed.name in trained.card["trained_further"][0]["trained_on"]
    files = {path.name for path in (tmp_path / "ours").iterdir()}
    assert files == {path.name for path in model.iterdir()} - {"model.keras"}


@pytest.mark.usefixtures("quick_plots")
def test_the_same_seed_gives_the_same_model(sets: Path, reviewed: Path, model: Path, tmp_path: Path) -> None:
    run(sets, tmp_path, "--corrections", str(reviewed))
    for name in ("handprint.tflite", "first.tflite"):
        assert (tmp_path / name).read_bytes() == (model / name).read_bytes()
    assert card_of(tmp_path)["first_network"] == card_of(model)["first_network"]


def test_progress_says_what_was_found_and_how_each_epoch_went(
    trained: tuple[Path, str], reviewed: Path
) -> None:
    output = trained[1]
    assert f"{reviewed.name}: 4 glyphs (corrections, source {reviewed.name})" in output
    assert "one_set.npz: 216 glyphs (NumPy archive, source one)" in output
    assert output.count("epoch 1/1  loss ") == 2 and "validation loss" in output
    assert "the large network is ready" in output
    assert "test: {'glyphs': 180" in output


@pytest.mark.usefixtures("quick_plots")
def test_a_killed_training_goes_on_to_the_same_model(tmp_path: Path, start: Starter) -> None:
    for seed, name in enumerate(("one", "two")):
        letters = drawn_letters(name, (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)[seed : seed + 1])
        np.savez(tmp_path / f"{name}.npz", x=letters.canvases, y=letters.labels)
    words = ["train", "--data", tmp_path, "--epochs", 5, "--glyphs-per-epoch", 512, "--validate-on", "two"]
    process = start(*words, "--out", tmp_path / "killed")
    wait_for((tmp_path / "killed" / CHECKPOINT_FILE).exists)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "handprint.json").exists()
    arguments = [*map(str, words), "--out", str(tmp_path / "killed"), "--resume"]
    result = CliRunner().invoke(cli.lettermill, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "resuming after epoch" in result.output
    assert not (tmp_path / "killed" / CHECKPOINT_FILE).exists()
    settings = TrainingSettings(epochs=5, glyphs_per_epoch=512, validate_on="two")
    both = split(sources.load(sources.find([tmp_path])[0]), settings)
    undisturbed = fit.train(both.train, both.validation, settings, lambda line: None)
    assert_same(weights_in(tmp_path / "killed"), undisturbed.model.get_weights())
    assert load_model(tmp_path / "killed").first_network is not None


def assert_same(weights: list[Any], others: list[Any]) -> None:
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


def weights_in(folder: Path) -> list[Any]:
    import keras

    path = folder / "model.keras"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == load_model(folder).card["keras_sha256"]
    weights: list[Any] = keras.models.load_model(path, compile=False).get_weights()
    return weights


def test_leave_one_out_replaces_no_folder_that_is_no_report(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "letter.odt").write_text("dear reader")
    with pytest.raises(UsageProblem, match="is no report"):
        run(sets, tmp_path, "--leave-one-out")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_nothing_to_validate_on_says_what_to_do(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="'three' has no letters A–Z or 0–9 to validate on"):
        run(sets, tmp_path, "--validate-on", "three")  # which is the test part
    with pytest.raises(BadData, match="no glyphs to validate on: none of UNIPEN's sites or Chars74K's"):
        CliRunner().invoke(
            cli.lettermill, ["train", "--data", str(sets), "--out", str(tmp_path)], catch_exceptions=False
        )


def test_an_unknown_source_lists_those_that_are_there(sets: Path, tmp_path: Path) -> None:
    words = ["train", "--data", str(sets), "--out", str(tmp_path), "--validate-on", "four"]
    with pytest.raises(BadData, match="one, three, two"):
        CliRunner().invoke(cli.lettermill, words, catch_exceptions=False)


def test_the_command_does_not_import_tensorflow_by_being_named() -> None:
    code = (
        "import sys, lettermill.training.commands.train; "
        "sys.exit(bool({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def train(*words: object) -> str:
    result = CliRunner().invoke(cli.lettermill, ["train", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_fields_and_made_lines_train_the_line_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_training, "_FIRST_LINES", 50)
    truth = write_fields(tmp_path / "fields", ["HAT", "TIN", "", "A1"] * 7)
    sources_folder = write_sources(tmp_path / "sources")
    words = ["--line-network", "--data", sources_folder, "--fields", tmp_path / "fields", "--truth", truth]
    output = train(*words, "--minutes", 0.02, "--out", tmp_path / "model")
    assert "fields: 18 fields to train on, 3 held out, alphabet alnum" in output
    assert "left out 002.png: no label" in output and "left out 2 more" in output
    assert re.search(r"fields, held out, before: exact \S+ \(\d of 3\), CER \S+ \(\d+ of \d+\)", output)
    assert re.search(r"fields, held out, with the line network trained: exact \S+ \(\d of 3\)", output)
    model = load_model(tmp_path / "model")
    model.check()
    shipped = load_model(installed_model_folder())
    assert model.network == shipped.network and model.card["figures"] == shipped.card["figures"]
    assert model.line_card is not None and model.line_card["training"]["from_scratch"]
    assert (tmp_path / "model" / "line.weights.npz").exists()
    assert not list((tmp_path / "model").glob("*checkpoint*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to train on"),
        (["--line-network"], "nothing to make lines from"),
        (["--truth", "T"], "--truth belongs to --fields"),
        (["--start", "F"], "--start to --fields or --further"),
        (["--further"], "nothing to train on"),
        (["--further", "--data", "F", "--leave-one-out"], "not trained further on splits"),
        (["--fields", "F", "--truth", "T", "--truth", "T"], "1 times --fields and 2 times --truth"),
        (
            ["--fields", "F", "--validate-on", "one"],
            "train on fields and lines, the other options on letters",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(tmp_path: Path, words: list[str], message: str) -> None:
    places = {"F": tmp_path, "T": tmp_path / "truth.csv"}
    places["T"].write_text("file,label\n")
    arguments = ["train", "--out", str(tmp_path / "model"), *(str(places.get(word, word)) for word in words)]
    with pytest.raises(UsageProblem, match=message):
        CliRunner().invoke(cli.lettermill, arguments, catch_exceptions=False)
    assert not (tmp_path / "model").exists()
