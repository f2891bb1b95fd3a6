"""A model's files are copied, and replaced all together."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.training.fitting.model_files import copy_model, replaced_at_the_end


def test_networks_weights_and_card_are_copied(tmp_path: Path) -> None:
    copy_model(installed_model_folder(), tmp_path / "model")
    load_model(tmp_path / "model").check()
    copied = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    there = {path.name: path.read_bytes() for path in installed_model_folder().iterdir()}
    assert copied == {name: content for name, content in there.items() if name != "README.md"}
    assert len(copied) == 8


def test_a_damaged_model_is_not_copied(tmp_path: Path) -> None:
    copy_model(installed_model_folder(), tmp_path / "damaged")
    (tmp_path / "damaged" / "first.tflite").write_bytes(b"x")
    with pytest.raises(ModelProblem, match=r"first\.tflite is not the network that its card describes"):
        copy_model(tmp_path / "damaged", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_files_are_replaced_only_if_the_block_ends(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with replaced_at_the_end(folder) as new:
        (new / "handprint.json").write_text("one")
    with pytest.raises(ValueError, match="wrong"), replaced_at_the_end(folder) as new:
        (new / "handprint.json").write_text("two")
        raise ValueError("wrong")
    assert [path.name for path in folder.iterdir()] == ["handprint.json"]
    assert (folder / "handprint.json").read_text() == "one"
