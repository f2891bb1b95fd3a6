"""The line network: its layout, and its weights on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.settings import MARKS
from lettermill.segmentation.line_image import STEP_COLUMNS
from lettermill.training.fitting.line_network_layers import (
    BLANK,
    LINE_LABELS,
    REACH_COLUMNS,
    build,
    named_weights,
    read_weights,
    write_weights,
)


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return build()


def test_it_answers_for_every_two_columns(model: Any) -> None:
    for columns in (8, 64, 104):
        logits = model(np.zeros((2, 32, columns, 1), np.uint8))
        assert logits.shape == (2, columns // STEP_COLUMNS, BLANK + 1)


def test_the_labels_are_those_of_the_workers(model: Any) -> None:
    assert LINE_LABELS == "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + MARKS
    assert model.count_params() == 1_421_364


def test_a_column_far_away_changes_nothing(model: Any) -> None:
    """Workers read long lines in pieces that overlap."""
    line = np.zeros((1, 32, 512, 1), np.uint8)
    other = line.copy()
    other[:, :, 256:] = 200
    one, two = model(line).numpy()[0], model(other).numpy()[0]
    changed = np.flatnonzero(np.abs(one - two).max(axis=1) > 1e-6)
    assert (256 - REACH_COLUMNS) // STEP_COLUMNS <= changed[0] < 256 // STEP_COLUMNS


def test_weights_come_back_as_half_precision(model: Any, tmp_path: Path) -> None:
    import keras

    write_weights(model, tmp_path / "line.weights.npz")
    assert (tmp_path / "line.weights.npz").stat().st_size < 2_900_000
    keras.utils.set_random_seed(2)
    other = build()
    read_weights(other, tmp_path / "line.weights.npz")
    for name, variable in named_weights(model).items():
        expected = variable.value.numpy().astype(np.float16)
        np.testing.assert_array_equal(named_weights(other)[name].value.numpy(), expected)


def test_weights_of_another_network_are_refused(model: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", **{"convolution_1/kernel": np.zeros((3, 3), np.float16)})
    with pytest.raises(ModelProblem, match="of another layout"):
        read_weights(model, tmp_path / "other.npz")
    (tmp_path / "damaged.npz").write_bytes(b"x")
    for name in ("damaged.npz", "gone.npz"):
        with pytest.raises(ModelProblem, match="cannot read the line network's weights"):
            read_weights(model, tmp_path / name)


def test_weights_that_diverged_are_not_written(tmp_path: Path) -> None:
    model = build()
    weights = named_weights(model)["steps/bias"]
    weights.assign(np.full(weights.shape, np.inf, np.float32))
    with pytest.raises(ModelProblem, match="diverged"):
        write_weights(model, tmp_path / "line.weights.npz")
    assert not (tmp_path / "line.weights.npz").exists()
