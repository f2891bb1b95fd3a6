"""A line network is trained from the beginning, then further on fields: its files and figures."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.training.fitting import line_training
from lettermill.training.fitting.line_fit import LineSettings
from lettermill.training.fitting.line_training import train_line_network
from lettermill.training.lines.line_feed import LineOrigins
from tests.training.fitting.test_line_export import cnn_alone
from tests.training.written_fields import write_fields, write_sources

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def few_lines() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_training, "_FIRST_LINES", 50)
        yield


@pytest.fixture(scope="module")
def from_scratch(few_lines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose line network was trained for a second on made lines."""
    folder = tmp_path_factory.mktemp("scratch")
    sources = write_sources(folder / "sources")
    train_line_network(
        LineOrigins((sources,)),
        LineSettings(0.02, 1e-3),
        cnn_alone(folder / "start"),
        folder / "model",
        from_scratch=True,
        resume=False,
        report=lambda line: None,
    )
    return folder / "model"


def test_the_cnn_is_kept(from_scratch: Path) -> None:
    model = load_model(from_scratch)
    model.check()
    assert model.network == load_model(installed_model_folder()).network
    assert model.line_card is not None
    training = model.line_card["training"]
    assert training["from_scratch"] and training["steps"] > 0 and training["minutes"] == 0.02
    names = {"handprint.tflite", "handprint.json", "line.tflite", "line.weights.npz"}
    assert {path.name for path in from_scratch.iterdir()} == names


def test_fields_train_it_further_and_are_measured(
    few_lines: object, from_scratch: Path, tmp_path: Path
) -> None:
    truth = write_fields(tmp_path / "fields", ["HAT", "TIN"] * 7)
    lines: list[str] = []
    section = train_line_network(
        LineOrigins((), ((tmp_path / "fields", truth),)),
        LineSettings(0.02),
        from_scratch,
        tmp_path / "model",
        from_scratch=False,
        resume=False,
        report=lines.append,
    )
    assert lines[0] == "fields: 12 fields to train on, 2 held out, alphabet letters"
    figures = section["figures"]["fields"]
    assert figures["held_out"] == figures["before"]["fields"] == figures["after"]["fields"] == 2
    assert figures["before"]["characters"] == 6
    assert load_model(tmp_path / "model").line_card == section
    assert section["sha256"] != (load_model(from_scratch).line_card or {})["sha256"]
    assert [line for line in lines if "held out, before" in line and "of 6)" in line]
    assert [line for line in lines if "held out, after" in line and "of 6)" in line]


def test_both_networks_of_the_cnn_are_kept(few_lines: object, from_scratch: Path, tmp_path: Path) -> None:
    start = Path(shutil.copytree(from_scratch, tmp_path / "start"))
    first = (start / "handprint.tflite").read_bytes()
    (start / "first.tflite").write_bytes(first)
    card = json.loads((start / "handprint.json").read_text(encoding="utf-8"))
    card["first_network"] = {"sha256": hashlib.sha256(first).hexdigest(), "sure_above": 0.9}
    (start / "handprint.json").write_text(json.dumps(card), encoding="utf-8")
    truth = write_fields(tmp_path / "fields", ["HAT", "TIN"] * 7)
    train_line_network(
        LineOrigins((), ((tmp_path / "fields", truth),)),
        LineSettings(0.02),
        start,
        tmp_path / "model",
        from_scratch=False,
        resume=False,
        report=lambda line: None,
    )
    model = load_model(tmp_path / "model")
    model.check()
    assert model.first_network == first and model.first_card == card["first_network"]


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["HAT"] * 7)
    with pytest.raises(ModelProblem, match=r"has no line\.weights\.npz"):
        train_line_network(
            LineOrigins((), ((tmp_path / "fields", truth),)),
            LineSettings(0.02),
            cnn_alone(tmp_path / "start"),
            tmp_path / "model",
            from_scratch=False,
            resume=False,
            report=lambda line: None,
        )
    assert not (tmp_path / "model").exists()
