"""A model is its network and the card that describes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, MODEL_FILE, Model, installed_model_folder, load_model


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    return Path(shutil.copytree(str(model.folder), tmp_path / "model"))


def test_a_whole_model(model: Model) -> None:
    model.check()
    assert model.network == b"not a network"
    model.check_knows("ABC")


def test_characters_that_it_does_not_know(model: Model) -> None:
    with pytest.raises(ModelProblem, match="the model does not know Ä ß"):
        model.check_knows("AßÄ")


def test_a_network_that_the_card_does_not_describe(folder: Path) -> None:
    (folder / MODEL_FILE).write_bytes(b"another")
    with pytest.raises(ModelProblem, match="is not the network that its card describes"):
        load_model(folder).check()


def test_a_network_that_is_not_there(folder: Path) -> None:
    (folder / MODEL_FILE).unlink()
    with pytest.raises(ModelProblem, match=r"cannot read the model .*handprint\.tflite: No such file"):
        load_model(folder).check()
    (folder / "handprint.onnx").touch()
    with pytest.raises(ModelProblem, match=r"of a former Lettermill: its network is handprint\.onnx"):
        load_model(folder).check()


@pytest.mark.parametrize("card", ["", "[]", "7", '{"labels": "AB"}'])
def test_a_damaged_card(folder: Path, card: str) -> None:
    (folder / CARD_FILE).write_text(card)
    with pytest.raises(ModelProblem, match="cannot read the model's card"):
        load_model(folder)


def test_what_decides_a_reading_is_in_the_fingerprint(folder: Path) -> None:
    before = load_model(folder).fingerprint
    card = json.loads((folder / CARD_FILE).read_text())
    for change, same in (({"accuracy": 0.9}, True), ({"temperature": 2.0}, False), ({"labels": "A"}, False)):
        (folder / CARD_FILE).write_text(json.dumps({**card, **change}))
        assert (load_model(folder).fingerprint == before) == same


def test_the_installed_model_is_whole() -> None:
    load_model(installed_model_folder()).check()
