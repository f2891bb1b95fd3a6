"""The exported network answers as Keras does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting import fit, network
from lettermill.training.fitting.litert_export import check_agreement, write_network
from lettermill.training.training_settings import CLASSES
from lettermill.worker.reading.litert_network import Network
from tests.drawn_letters import drawn_letters

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.usefixtures("small_network"),
]


@pytest.fixture(scope="module")
def model() -> Any:
    """A small CNN with random weights."""
    import keras

    keras.utils.set_random_seed(3)
    return network.build(len(CLASSES))


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("exported") / "handprint.tflite"
    write_network(model, path)
    return Network(path.read_bytes())


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_the_network_file_and_keras_give_the_same_probabilities(model: Any, exported: Network) -> None:
    glyphs = drawn_letters("one", (cv2.FONT_HERSHEY_SIMPLEX,)).glyphs
    logits = fit.logits_of(model, glyphs)
    answers = exported.logits(glyphs)
    assert answers.shape == (len(glyphs), 37)
    np.testing.assert_allclose(softmax(answers), softmax(logits), atol=0.03)
    assert 0 <= check_agreement(exported, glyphs, logits) < 0.05


def test_the_same_weights_give_the_same_file(model: Any, exported: Network, tmp_path: Path) -> None:
    """Even though the process has converted others in between."""
    files = []
    for name in ("one.tflite", "two.tflite"):
        write_network(model, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_outputs_that_are_no_numbers_are_no_model(exported: Network) -> None:
    glyphs = drawn_letters("one", (cv2.FONT_HERSHEY_SIMPLEX,)).glyphs
    logits = exported.logits(glyphs)
    assert check_agreement(exported, glyphs, logits) == 0
    with pytest.raises(ModelProblem, match="differ from Keras"):
        check_agreement(exported, glyphs, logits + 1)
    with pytest.raises(ModelProblem, match="training diverged"):
        check_agreement(exported, glyphs, np.full_like(logits, np.nan))
