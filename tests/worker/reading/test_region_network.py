"""The shipped region network on drawn pages, and what it says of files that are none."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.segmentation.regions import Region
from lettermill.worker.reading.region_network import RegionNetwork

MODEL = load_model(installed_model_folder())
CONTENT, CARD = MODEL.region_network or b"", MODEL.region_card or {}


@pytest.mark.parametrize("shape", [(32, 32), (201, 333), (1280, 905)])
def test_every_block_has_probabilities(shape: tuple[int, int]) -> None:
    answered = RegionNetwork(CONTENT, CARD).probabilities(np.full(shape, 255, np.uint8))
    assert answered.shape == (len(Region), -(-shape[0] // 4), -(-shape[1] // 4))
    assert np.allclose(answered.sum(axis=0), 1, atol=1e-5)


def test_padding_changes_nothing_far_from_it() -> None:
    network = RegionNetwork(CONTENT, CARD)
    image = np.full((640, 640), 255, np.uint8)
    image[100:104, 50:200] = 0
    wider = np.full((640, 660), 255, np.uint8)
    wider[:, :640] = image
    one, other = network.probabilities(image), network.probabilities(wider)
    assert np.allclose(one[:, 20:30, 10:50], other[:, 20:30, 10:50], atol=0.02)


def test_a_network_of_another_version_is_refused() -> None:
    with pytest.raises(ModelProblem, match="trained on pages of version 0"):
        RegionNetwork(CONTENT, {**CARD, "region_version": 0})


def test_a_file_that_is_no_network_is_refused() -> None:
    with pytest.raises(ModelProblem, match="the region network cannot be loaded"):
        RegionNetwork(b"no network", CARD)


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelProblem, match="the region network"):
        RegionNetwork(MODEL.line_network or b"", CARD)
