"""The exported region network and its part of the card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, REGION_FILE, installed_model_folder, load_model
from lettermill.training.fitting.network_weights import read_weights, weights_file
from lettermill.training.fitting.region_export import check_agreement, copy_region_network, main
from lettermill.training.fitting.region_network_layers import build
from lettermill.worker.reading.region_network import RegionNetwork
from tests.training.fitting.test_line_export import cnn_alone

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return build()


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder into which the script put weights that Keras had saved."""
    folder = cnn_alone(tmp_path_factory.mktemp("regions") / "model")
    weights = folder.parent / "some.weights.h5"
    model.save_weights(weights)
    result = CliRunner().invoke(main, [str(weights), str(folder)], catch_exceptions=False)
    assert result.exit_code == 0 and "198,132 parameters" in result.output
    return folder


def test_the_card_describes_the_network(exported: Path, model: Any) -> None:
    loaded = load_model(exported)
    loaded.check()
    content, card = loaded.region_network, loaded.region_card
    assert content is not None and card is not None
    assert card["bytes"] == len(content) < 400_000 and card["parameters"] == 198_132
    RegionNetwork(content, card).probabilities(np.full((64, 64), 255, np.uint8))
    assert {CARD_FILE, REGION_FILE} <= {path.name for path in exported.iterdir()}
    again = build()
    read_weights(again, exported / weights_file(REGION_FILE))
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        assert np.allclose(one, other, atol=0.01)
    assert not list(exported.glob(".*"))


def test_another_networks_answers_are_noticed(exported: Path, model: Any) -> None:
    loaded = load_model(exported)
    other = build()
    for variable in other.trainable_variables:
        variable.assign(variable * -2)
    with pytest.raises(ModelProblem, match="differ from Keras's"):
        check_agreement(other, loaded.region_network or b"", loaded.region_card or {})


def test_a_copy_keeps_the_rest_of_the_card(exported: Path, tmp_path: Path) -> None:
    folder = cnn_alone(tmp_path / "other")
    before = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    copy_region_network(exported, folder)
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    assert card.pop("region_network") == load_model(exported).region_card
    assert card == before
    load_model(folder).check()


def test_a_model_without_one_has_nothing_to_copy(tmp_path: Path) -> None:
    source, folder = cnn_alone(tmp_path / "source"), cnn_alone(tmp_path / "folder")
    copy_region_network(source, folder)
    assert not (folder / REGION_FILE).exists()


def test_the_shipped_model_has_one(tmp_path: Path) -> None:
    shutil.copytree(installed_model_folder(), tmp_path / "model")
    assert load_model(tmp_path / "model").region_network is not None
