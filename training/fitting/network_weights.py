"""Keeps a network's weights in a model folder in half precision, so that it can be trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path

_WEIGHTS_SUFFIX = ".weights.npz"


def weights_file(network: str) -> str:
    """Return the name of the file with the weights of a network (`line.tflite` → `line.weights.npz`)."""
    return Path(network).stem + _WEIGHTS_SUFFIX


def check_weights(folder: Path, networks: Sequence[str]) -> None:
    """Check that a model folder has the weights of networks.

    Raises:
        ModelProblem: it lacks those of one.
    """
    for network in networks:
        if not (folder / weights_file(network)).exists():
            raise ModelProblem(
                f"{display_path(folder)} has no {weights_file(network)} to train further",
                "Give --start a model folder that has one, or train from the beginning.",
            )


def named_weights(model: Any) -> dict[str, Any]:
    """Return a network's variables by the name of layer and variable, in the order of the layers."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.weights
        if not variable.path.startswith("seed") and np.issubdtype(np.dtype(variable.dtype), np.floating)
    }


def write_weights(model: Any, path: Path) -> None:
    """Write a network's weights as float16, atomically: an npz of arrays by name.

    Raises:
        ModelProblem: a weight is not a finite float16.
    """
    arrays: dict[str, NDArray[np.float16]] = {}
    for name, variable in named_weights(model).items():
        with np.errstate(over="ignore"):
            arrays[name] = variable.value.numpy().astype(np.float16)
        if not np.isfinite(arrays[name]).all():
            raise ModelProblem(
                f"training diverged: {name} has numbers that are not finite",
                "The model files are unchanged. Train again with another --seed, or with more data.",
            )
    with atomic_write(path) as file:
        np.savez_compressed(file.buffer, allow_pickle=False, **arrays)


def read_weights(model: Any, path: Path) -> None:
    """Set a network's weights to those of a file that `write_weights` wrote.

    Raises:
        ModelProblem: the file is missing, damaged, or of a network of another layout.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name].astype(np.float32) for name in archive.files}
    except (OSError, ValueError) as error:
        raise ModelProblem(
            f"cannot read the weights {display_path(path)}: {error}",
            "Give a model folder that `lettermill train` wrote, its files unchanged.",
        ) from error
    set_weights(model, arrays, path)


def set_weights(model: Any, arrays: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Set a network's weights to arrays by name.

    Raises:
        ModelProblem: they are those of a network of another layout.
    """
    variables = named_weights(model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise ModelProblem(
            f"{display_path(path)} holds the weights of a network of another layout",
            "Train from the beginning, or with the version that wrote it.",
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
