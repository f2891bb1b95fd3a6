"""Weights on disk: they come back as half precision; those of another network are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting import line_network_layers, network
from lettermill.training.fitting.network_weights import (
    check_weights,
    named_weights,
    read_weights,
    weights_file,
    write_weights,
)


def built(name: str) -> Any:
    return line_network_layers.build() if name == "line" else network.build(37, name)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "size"), [("line", 2_900_000), ("large", 1_700_000), ("first", 400_000)])
def test_weights_come_back_as_half_precision(name: str, size: int, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    model, path = built(name), tmp_path / weights_file(f"{name}.tflite")
    write_weights(model, path)
    assert path.name == f"{name}.weights.npz" and path.stat().st_size < size
    keras.utils.set_random_seed(2)
    other = built(name)
    read_weights(other, path)
    for key, variable in named_weights(model).items():
        expected = variable.value.numpy().astype(np.float16)
        np.testing.assert_array_equal(named_weights(other)[key].value.numpy(), expected)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    model = built("first")
    write_weights(built("large"), tmp_path / "large.weights.npz")
    with pytest.raises(ModelProblem, match="of another layout"):
        read_weights(model, tmp_path / "large.weights.npz")
    (tmp_path / "damaged.weights.npz").write_bytes(b"x")
    for name in ("damaged.weights.npz", "gone.weights.npz"):
        with pytest.raises(ModelProblem, match="cannot read the weights"):
            read_weights(model, tmp_path / name)


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "line.weights.npz").touch()
    check_weights(tmp_path, ["line.tflite"])
    with pytest.raises(ModelProblem, match=r"has no first\.weights\.npz to train further"):
        check_weights(tmp_path, ["line.tflite", "first.tflite"])


def test_weights_that_diverged_are_not_written(tmp_path: Path) -> None:
    model = built("first")
    weights = named_weights(model)["logits/bias"]
    weights.assign(np.full(weights.shape, np.inf, np.float32))
    with pytest.raises(ModelProblem, match="diverged"):
        write_weights(model, tmp_path / "first.weights.npz")
    assert not list(tmp_path.iterdir())
