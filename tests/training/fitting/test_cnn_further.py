"""The CNN is trained further in place: what changes in its folder, and what does not."""

from __future__ import annotations

import dataclasses
import hashlib
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.training.fitting.cnn_further import (
    CHECKPOINTS_FOLDER,
    cnn_networks,
    forget_checkpoints,
    train_cnn_further,
)
from lettermill.training.fitting.model_files import copy_model
from lettermill.training.letters.split import Split
from lettermill.training.training_settings import FURTHER_SETTINGS
from lettermill.worker.reading.cascade import load_cnn
from tests.drawn_letters import drawn_letters

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SETTINGS = dataclasses.replace(FURTHER_SETTINGS, epochs=1, glyphs_per_epoch=512)


def parts() -> Split:
    letters = drawn_letters("ours", (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX))
    nothing = letters[np.zeros(len(letters), bool)]
    return Split(letters, nothing, nothing)


def test_a_stopped_training_resumes_and_changes_both_networks_a_little(tmp_path: Path) -> None:
    model, folder = tmp_path / "model", tmp_path / "out"
    copy_model(installed_model_folder(), model)

    def interrupt(line: str) -> None:
        if line.startswith("epoch 1/2"):
            signal.raise_signal(signal.SIGINT)

    settings = dataclasses.replace(SETTINGS, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train_cnn_further(parts(), settings, model, folder, interrupt, resume=False)
    shipped, stopped = load_model(installed_model_folder()), load_model(model)
    assert stopped.network == shipped.network and stopped.card == shipped.card
    lines: list[str] = []
    train_cnn_further(parts(), settings, model, folder, lines.append, resume=True)
    assert lines[0] == "resuming after epoch 1 of 2"
    assert (folder / CHECKPOINTS_FOLDER / "first").exists()
    forget_checkpoints(folder)
    assert not list(folder.iterdir())
    trained = load_model(model)
    trained.check()
    assert trained.network != shipped.network and trained.first_network != shipped.first_network
    assert trained.line_network == shipped.line_network and trained.line_card == shipped.line_card
    assert trained.card["temperature"] == shipped.card["temperature"]
    assert (trained.first_card or {})["sure_above"] == (shipped.first_card or {})["sure_above"]
    assert trained.card["sha256"] == hashlib.sha256(trained.network).hexdigest()
    assert "figures" not in trained.card
    (about,) = trained.card["trained_further"]
    assert set(about["trained_on"]) == {"ours"} and about["settings"]["epochs"] == 2
    glyphs = parts().train.glyphs
    one, other = load_cnn(shipped).logits(glyphs), load_cnn(trained).logits(glyphs)
    assert 0 < np.linalg.norm(one - other) < 0.5 * np.linalg.norm(one)


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    fewer = dataclasses.replace(parts(), labels=("A", "B"))
    with pytest.raises(ModelProblem, match="the classes of the model are A B C"):
        train_cnn_further(fewer, SETTINGS, installed_model_folder(), tmp_path, print, resume=False)


def test_the_networks_of_a_cnn_are_those_that_its_card_describes() -> None:
    assert cnn_networks(installed_model_folder()) == ["handprint.tflite", "first.tflite"]
