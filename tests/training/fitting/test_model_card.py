"""The model card: what a reader needs, and how the model was made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.training.fitting.model_card import build_card, source_counts, write_card
from lettermill.training.letters.sources import Letters
from lettermill.training.training_settings import CLASSES, TrainingSettings
from tests.drawn_letters import some_letters


def test_the_card_describes_its_files(tmp_path: Path) -> None:
    tflite, keras = tmp_path / "handprint.tflite", tmp_path / "model.keras"
    tflite.write_bytes(b"network")
    keras.write_bytes(b"model")
    letters = some_letters()
    size = {"parameters": 10, "multiply_adds": 20}
    epochs = {"trained": 3, "kept": 2}
    settings = TrainingSettings(seed=11)
    values = build_card(tflite, keras, CLASSES, settings, letters, epochs, size, 1.23456, {"test": None})
    assert values["sha256"] == hashlib.sha256(b"network").hexdigest()
    assert values["keras_sha256"] == hashlib.sha256(b"model").hexdigest()
    assert (values["bytes"], values["parameters"], values["multiply_adds"]) == (7, 10, 20)
    assert values["temperature"] == 1.2346
    assert values["output"]["shape"] == ["n", 37] and values["labels"] == list(CLASSES)
    assert values["settings"] == settings.to_json() and values["epochs"] == epochs
    assert {"python", "keras", "tensorflow", "numpy"} <= values["versions"].keys()
    write_card(values, tmp_path / "handprint.json")
    text = (tmp_path / "handprint.json").read_text(encoding="utf-8")
    assert json.loads(text) == values and text.endswith("}\n")


def test_the_keys_are_those_of_the_model_that_comes_with_lettermill(tmp_path: Path) -> None:
    (tmp_path / "any").write_bytes(b"")
    paths = (tmp_path / "any", tmp_path / "any")
    size = {"parameters": 1, "multiply_adds": 1}
    values = build_card(*paths, CLASSES, TrainingSettings(), some_letters(), {}, size, 1.0, {})
    # The line and region networks are described when they are exported, the first when both are trained.
    described_elsewhere = {"line_network", "region_network", "first_network"}
    shipped = load_model(installed_model_folder()).card.keys()
    assert values.keys() == shipped - described_elsewhere


def test_letters_are_counted_by_source_and_kind() -> None:
    letters = some_letters()
    rejected = dataclasses.replace(letters[:1], labels=np.array([""]), sources=np.array(["two"]))
    both = Letters(
        *(
            np.concatenate([getattr(letters, field.name), getattr(rejected, field.name)])
            for field in dataclasses.fields(Letters)
        )
    )
    assert source_counts(both) == {
        "chars74k": {"capitals": 3, "digits": 0, "lower_case": 0, "not_letters": 0},
        "one": {"capitals": 4, "digits": 0, "lower_case": 0, "not_letters": 0},
        "two": {"capitals": 1, "digits": 1, "lower_case": 1, "not_letters": 1},
    }
