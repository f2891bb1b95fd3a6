"""The settings of a training, as the model card records them."""

from __future__ import annotations

import json

from lettermill.jobs.inputs.model import NOT_A_LETTER, installed_model_folder, load_model
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings


def test_the_classes_are_the_labels_and_the_reject_class() -> None:
    assert "".join(LABELS) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    assert (*LABELS, NOT_A_LETTER) == CLASSES


def test_settings_survive_json() -> None:
    values = TrainingSettings(seed=8, validate_on="ours").to_json()
    assert json.loads(json.dumps(values)) == values
    assert values["seed"] == 8 and values["validate_on"] == "ours"
    assert values["augmentation"]["rotation_degrees"] == 6.0
    assert values["test_writers"] == list(TrainingSettings().test_writers)


def test_the_model_that_comes_with_lettermill_was_trained_with_the_same_settings() -> None:
    recorded = load_model(installed_model_folder()).card["settings"]
    assert recorded.keys() == TrainingSettings().to_json().keys()
