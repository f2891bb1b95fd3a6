"""The exported line network, its weights and its part of the card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import LINE_FILE, installed_model_folder, load_model
from lettermill.training.fitting.line_export import check_agreement, copy_line_network, main
from lettermill.training.fitting.line_network_layers import LINE_LABELS, build
from lettermill.training.fitting.network_weights import named_weights, read_weights
from lettermill.worker.reading.line_network import LineNetwork

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return build()


def cnn_alone(folder: Path) -> Path:
    """A model folder of the CNN's large network alone."""
    folder.mkdir(parents=True)
    for name in ("handprint.tflite", "handprint.weights.npz"):
        shutil.copy(installed_model_folder() / name, folder)
    card = json.loads((installed_model_folder() / "handprint.json").read_text(encoding="utf-8"))
    card = {
        key: value
        for key, value in card.items()
        if key not in {"line_network", "first_network", "region_network"}
    }
    (folder / "handprint.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder into which the script put weights that Keras had saved."""
    folder = cnn_alone(tmp_path_factory.mktemp("line") / "model")
    weights = folder.parent / "some.weights.h5"
    model.save_weights(weights)
    result = CliRunner().invoke(main, [str(weights), str(folder)], catch_exceptions=False)
    assert result.exit_code == 0 and "1,421,364 parameters" in result.output
    return folder


def test_workers_read_with_it_as_keras_does(model: Any, exported: Path) -> None:
    described = load_model(exported)
    content, card = described.line_network, described.line_card
    assert content is not None and card is not None
    assert {path.name for path in exported.iterdir()} == {
        "handprint.tflite",
        "handprint.json",
        "handprint.weights.npz",
        LINE_FILE,
        "line.weights.npz",
    }
    assert len(content) == card["bytes"] < 1_600_000
    image = np.zeros((32, 128), np.uint8)
    image[8:26, 20:120:9] = 255
    logits = model.predict_on_batch(image[None, :, :, None])[0]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    read = LineNetwork(content, card, LINE_LABELS).probabilities(image)
    assert read.shape == logits.shape
    difference = read - odds / odds.sum(axis=1, keepdims=True)
    assert np.sqrt(np.mean(difference**2)) < 0.01


def test_the_weights_beside_it_are_those_of_the_network(model: Any, exported: Path) -> None:
    other = build()
    read_weights(other, exported / "line.weights.npz")
    for name, variable in named_weights(model).items():
        np.testing.assert_allclose(
            variable.value.numpy(), named_weights(other)[name].value.numpy(), rtol=1e-3, atol=1e-6
        )


def test_another_network_than_keras_has_is_refused(exported: Path) -> None:
    described = load_model(exported)
    content, card = described.line_network, described.line_card
    assert content is not None and card is not None
    other = build()
    bias = named_weights(other)["steps/bias"]
    bias.assign(np.linspace(-9, 9, bias.shape[0]).astype(np.float32))
    with pytest.raises(ModelProblem, match="differ from Keras's"):
        check_agreement(other, content, card)


def test_it_is_copied_to_a_model_with_another_cnn(exported: Path, tmp_path: Path) -> None:
    folder = cnn_alone(tmp_path / "ours")
    copy_line_network(exported, folder)
    assert load_model(folder).line_network == load_model(exported).line_network
    weights = "line.weights.npz"
    assert (folder / weights).read_bytes() == (exported / weights).read_bytes()
    load_model(folder).check()


def test_a_model_without_one_passes_none_on(tmp_path: Path) -> None:
    folder = cnn_alone(tmp_path / "ours")
    copy_line_network(cnn_alone(tmp_path / "theirs"), folder)
    assert load_model(folder).line_card is None and not (folder / LINE_FILE).exists()
