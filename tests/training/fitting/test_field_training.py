"""Networks are trained further on fields: what is kept, the files and the figures."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.training.fitting import field_training
from lettermill.training.fitting.field_training import train_on_fields
from lettermill.training.fitting.line_fit import LineSettings
from lettermill.training.lines.line_feed import LineOrigins
from lettermill.training.training_settings import FURTHER_SETTINGS
from tests.training.fitting.test_line_export import cnn_alone
from tests.training.written_fields import write_fields, write_sources

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def few_lines() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_training, "_FIRST_LINES", 50)
        yield


@pytest.fixture(scope="module")
def from_scratch(few_lines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose line network was trained for a second on made lines."""
    folder = tmp_path_factory.mktemp("scratch")
    sources = write_sources(folder / "sources")
    train_on_fields(
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
    names = {"handprint.tflite", "handprint.json", "line.tflite"}
    names |= {"handprint.weights.npz", "line.weights.npz"}
    assert {path.name for path in from_scratch.iterdir()} == names


def train(fields: Path, start: Path, folder: Path, learning_rate: float) -> tuple[dict[str, Any], list[str]]:
    """Train on fields for a second; return the card and what was said."""
    lines: list[str] = []
    settings = dataclasses.replace(
        FURTHER_SETTINGS, epochs=1, glyphs_per_epoch=1024, learning_rate=learning_rate
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_training, "FURTHER_SETTINGS", settings)
        card = train_on_fields(
            LineOrigins((), ((fields, fields.with_suffix(".csv")),)),
            LineSettings(0.02),
            start,
            folder,
            from_scratch=False,
            resume=False,
            report=lines.append,
        )
    return card, lines


def test_fields_train_both_networks_further(few_lines: object, from_scratch: Path, tmp_path: Path) -> None:
    write_fields(tmp_path / "fields", ["HAT", "TIN"] * 7)
    card, lines = train(tmp_path / "fields", from_scratch, tmp_path / "model", 3e-4)
    assert lines[0] == "fields: 12 fields to train on, 2 held out, alphabet letters"
    assert [line for line in lines if re.fullmatch(r"fields: \d+ letters of \d+ fields for the CNN", line)]
    for when in ("before", "with the CNN trained", "with the line network trained"):
        assert [line for line in lines if line.startswith(f"fields, held out, {when}: ") and "of 6)" in line]
    figures = card["trained_on_fields"]["fields"]["fields"]
    assert figures["held_out"] == figures["before"]["fields"] == figures["after"]["fields"] == 2
    assert figures["after"]["edits"] <= figures["before"]["edits"]
    assert figures["before"]["characters"] == 6
    written, start = load_model(tmp_path / "model"), load_model(from_scratch)
    written.check()
    assert written.card == json.loads(json.dumps(card))
    kept = card["trained_on_fields"]["kept"]
    assert ("the CNN" in kept) == (written.network != start.network)
    assert ("the line network" in kept) == (written.line_network != start.line_network)
    assert not [path for path in (tmp_path / "model").iterdir() if path.name.startswith(".")]


def test_a_network_that_reads_worse_is_not_kept(few_lines: object, tmp_path: Path) -> None:
    write_fields(tmp_path / "fields", ["HAT", "TIN"] * 7)
    card, lines = train(tmp_path / "fields", installed_model_folder(), tmp_path / "model", 0.3)
    assert "  the CNN is left as it was" in lines
    assert "the CNN" not in card["trained_on_fields"]["kept"]
    written, shipped = load_model(tmp_path / "model"), load_model(installed_model_folder())
    assert (written.network, written.first_network) == (shipped.network, shipped.first_network)
    assert written.first_card == shipped.first_card and "trained_further" not in written.card
    assert (written.line_card or {})["calibration"] == (shipped.line_card or {})["calibration"]


@pytest.mark.parametrize("network", ["line", "handprint"])
def test_a_model_without_weights_is_refused(network: str, tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["HAT"] * 7)
    start = cnn_alone(tmp_path / "start")
    if network == "handprint":
        (start / "line.weights.npz").touch()
        (start / "handprint.weights.npz").unlink()
    with pytest.raises(ModelProblem, match=rf"has no {network}\.weights\.npz"):
        train_on_fields(
            LineOrigins((), ((tmp_path / "fields", truth),)),
            LineSettings(0.02),
            start,
            tmp_path / "model",
            from_scratch=False,
            resume=False,
            report=lambda line: None,
        )
    assert not (tmp_path / "model").exists()
