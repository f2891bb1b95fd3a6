"""The region network learns from made pages, and its weights are written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lettermill.segmentation.regions import Region
from lettermill.training.fitting.region_network_layers import build
from lettermill.training.fitting.region_training import loss_weights, main
from tests.training.pages.made import FONTS

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def test_paper_has_no_weight_areas_little_and_writing_most() -> None:
    shares = np.zeros((1, 1, 4, len(Region)), np.uint8)
    shares[0, 0, 1, Region.OTHER] = 255
    shares[0, 0, 2, Region.PRINT] = 100
    shares[0, 0, 3, Region.WRITING] = 100
    paper, area, printed, written = loss_weights(shares).numpy().ravel().tolist()
    assert paper == 0 < area < printed < written


def test_training_writes_weights_that_can_be_loaded(tmp_path: Path) -> None:
    hands, printed, out = tmp_path / "hands", tmp_path / "print", tmp_path / "some.weights.h5"
    for folder, font in ((hands, "STIXGeneralItalic.ttf"), (printed, "DejaVuSans.ttf")):
        folder.mkdir()
        shutil.copy(FONTS / font, folder)
    command = ["--data", str(hands), "--data", str(printed), "--out", str(out), "--minutes", "0.02"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0 and "'steps': 1" in result.output
    model = build()
    fresh = model.get_weights()[0].copy()
    model.load_weights(out)
    assert not np.array_equal(model.get_weights()[0], fresh)
