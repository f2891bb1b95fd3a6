"""A model is its network and the card that describes it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import (
    CARD_FILE,
    FIRST_FILE,
    LINE_FILE,
    MODEL_FILE,
    Model,
    installed_model_folder,
    load_model,
)


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


def with_line_network(folder: Path, content: bytes) -> None:
    """Add a line network to the card of a model, and its file."""
    card = json.loads((folder / CARD_FILE).read_text())
    line = {"labels": ["A"], "line_version": 1, "sha256": hashlib.sha256(content).hexdigest()}
    (folder / CARD_FILE).write_text(json.dumps({**card, "line_network": line}))
    (folder / LINE_FILE).write_bytes(content)


def test_a_model_without_a_line_network(model: Model) -> None:
    assert model.line_card is None
    assert model.line_network is None


def test_a_model_with_a_line_network(folder: Path) -> None:
    before = load_model(folder).fingerprint
    with_line_network(folder, b"a line network")
    model = load_model(folder)
    model.check()
    assert model.line_network == b"a line network"
    assert model.fingerprint != before
    with_line_network(folder, b"another")
    assert load_model(folder).fingerprint not in (before, model.fingerprint)


def test_a_line_network_that_the_card_does_not_describe(folder: Path) -> None:
    with_line_network(folder, b"a line network")
    (folder / LINE_FILE).write_bytes(b"another")
    with pytest.raises(ModelProblem, match=r"line\.tflite is not the network that its card describes"):
        load_model(folder).check()
    (folder / LINE_FILE).unlink()
    with pytest.raises(ModelProblem, match=r"cannot read the network .*line\.tflite: No such file"):
        load_model(folder).check()


def test_a_card_that_lacks_what_describes_its_line_network(folder: Path) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, "line_network": {"labels": ["A"]}}))
    with pytest.raises(ModelProblem, match="the card's line_network lacks labels, line_version or sha256"):
        load_model(folder)


def with_first_network(folder: Path, content: bytes, sure_above: float = 0.9) -> None:
    """Add the CNN's first network to the card of a model, and its file."""
    card = json.loads((folder / CARD_FILE).read_text())
    first = {"sha256": hashlib.sha256(content).hexdigest(), "sure_above": sure_above}
    (folder / CARD_FILE).write_text(json.dumps({**card, "first_network": first}))
    (folder / FIRST_FILE).write_bytes(content)


def test_a_model_without_a_first_network(model: Model) -> None:
    assert model.first_card is None
    assert model.first_network is None


def test_a_first_network_that_no_card_describes_is_not_there(folder: Path) -> None:
    before = load_model(folder).fingerprint
    (folder / FIRST_FILE).write_bytes(b"of a former model")
    model = load_model(folder)
    model.check()
    assert model.first_network is None and model.fingerprint == before


def test_a_model_with_a_first_network(folder: Path) -> None:
    before = load_model(folder).fingerprint
    with_first_network(folder, b"a first network")
    model = load_model(folder)
    model.check()
    assert model.first_network == b"a first network" and model.network == b"not a network"
    assert model.first_card is not None and model.first_card["sure_above"] == 0.9
    assert model.fingerprint != before


@pytest.mark.parametrize(("content", "sure_above"), [(b"another", 0.9), (b"a first network", 0.95)])
def test_what_the_first_network_decides_is_in_the_fingerprint(
    folder: Path, content: bytes, sure_above: float
) -> None:
    with_first_network(folder, b"a first network")
    before = load_model(folder).fingerprint
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(
        json.dumps({**card, "first_network": {**card["first_network"], "bytes": 1}})
    )
    assert load_model(folder).fingerprint == before
    with_first_network(folder, content, sure_above)
    assert load_model(folder).fingerprint != before


def test_a_first_network_that_the_card_does_not_describe(folder: Path) -> None:
    with_first_network(folder, b"a first network")
    (folder / FIRST_FILE).write_bytes(b"another")
    with pytest.raises(ModelProblem, match=r"first\.tflite is not the network that its card describes"):
        load_model(folder).check()
    (folder / FIRST_FILE).unlink()
    with pytest.raises(ModelProblem, match=r"cannot read the network .*first\.tflite: No such file"):
        load_model(folder).check()


@pytest.mark.parametrize("first", [{}, {"sha256": "00"}, {"sure_above": 0.9}])
def test_a_card_that_lacks_what_describes_its_first_network(folder: Path, first: dict[str, object]) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, "first_network": first}))
    with pytest.raises(ModelProblem, match="the card's first_network lacks sha256 or sure_above"):
        load_model(folder)


@pytest.mark.parametrize("first", [None, [], "sha256 sure_above"])
def test_a_first_network_that_is_no_description(folder: Path, first: object) -> None:
    card = json.loads((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps({**card, "first_network": first}))
    with pytest.raises(ModelProblem, match="cannot read the model's card"):
        load_model(folder)


def test_the_installed_model_is_whole() -> None:
    load_model(installed_model_folder()).check()
