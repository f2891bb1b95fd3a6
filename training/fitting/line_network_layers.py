"""Builds the line network: convolutions alone, from a line of 32 rows to one answer for every two columns.

It is trained with connectionist temporal classification (Graves 2006), so a line needs its text only, not
the places of its letters. Why this layout: docs/decisions/0016-line-network.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.segmentation.line_image import LINE_ROWS

LINE_LABELS = LETTERS + DIGITS + MARKS
"""The characters of the line network, in the order of its outputs; the blank comes after them."""

BLANK = len(LINE_LABELS)
"""Number of the output that says that no character begins at a time step."""

INPUT_NAME, OUTPUT_NAME = "lines", "logits"

LINE_WEIGHTS_FILE = "line.weights.npz"
"""Name of the weights in a model folder: a further training begins with them."""

_MOMENTUM = 0.98
"""Share of the old running mean that batch normalisation keeps at each step."""

REACH_COLUMNS = 128
"""A time step sees this many columns of the line to either side, and none further away."""

_STAGES = ((64, 2), (96, 3))
"""Channels of the stages after the first, and how many residual convolutions follow in each."""

_CHANNELS = 160
_DILATIONS = (1, 2, 3, 1, 2, 1)
_DROPOUT_SHARE = 0.15


def build() -> Any:
    """Build the untrained line network.

    Returns:
        A Keras model: uint8 n×32×w×1 named "lines" in, float32 n×(w/2)×42 logits out; w is a multiple of 8.
    """
    import keras

    layers = keras.layers
    outputs = len(LINE_LABELS) + 1
    numbers = iter(range(1, 100))

    def convolution(x: Any, channels: int, kernel: Any = 3, **options: Any) -> Any:
        options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal", **options}
        return layers.Conv2D(channels, kernel, name=f"convolution_{next(numbers)}", **options)(x)

    def normalised(x: Any) -> Any:
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"normalisation_{next(numbers)}")(x)
        return layers.ReLU()(x)

    def residual(x: Any, kernel: Any, **options: Any) -> Any:
        return layers.Add()([x, normalised(convolution(x, x.shape[-1], kernel, **options))])

    lines = keras.Input((LINE_ROWS, None, 1), dtype="uint8", name=INPUT_NAME)
    x = layers.Rescaling(1 / 255)(lines)
    x = normalised(convolution(x, 32, 5, strides=2))
    x = normalised(layers.MaxPooling2D(2)(convolution(x, 48)))
    for channels, residuals in _STAGES:  # From here on rows are halved, columns are not.
        x = normalised(convolution(x, channels))
        x = normalised(layers.MaxPooling2D((2, 1))(convolution(x, channels)))
        for _ in range(residuals):
            x = residual(x, 3)
    x = layers.ZeroPadding2D(((0, 0), (1, 1)))(x)
    x = normalised(convolution(x, _CHANNELS, (2, 3), padding="valid"))
    for dilation in _DILATIONS:
        x = residual(x, (1, 5), dilation_rate=(1, dilation))
    x = layers.Dropout(_DROPOUT_SHARE)(x)
    # A column of features is four pixels wide; it answers for two time steps, of two pixels each.
    x = layers.Conv2D(2 * outputs, 1, name="steps")(x)
    return keras.Model(lines, layers.Reshape((-1, outputs), name=OUTPUT_NAME)(x), name="line_network")


def named_weights(model: Any) -> dict[str, Any]:
    """Return a line network's variables by the name of layer and variable, in the order of the layers."""
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in model.layers
        for variable in layer.weights
        if not variable.path.startswith("seed") and np.issubdtype(np.dtype(variable.dtype), np.floating)
    }


def write_weights(model: Any, path: Path) -> None:
    """Write a line network's weights as float16, atomically: an npz of arrays by name.

    Raises:
        ModelProblem: a weight is not a finite float16.
    """
    arrays: dict[str, NDArray[np.float16]] = {}
    for name, variable in named_weights(model).items():
        with np.errstate(over="ignore"):
            arrays[name] = variable.value.numpy().astype(np.float16)
        if not np.isfinite(arrays[name]).all():
            raise ModelProblem(
                f"the line network's training diverged: {name} has numbers that are not finite",
                "The model files are unchanged. Train again with another --seed, or with more lines.",
            )
    with atomic_write(path) as file:
        np.savez_compressed(file.buffer, allow_pickle=False, **arrays)


def read_weights(model: Any, path: Path) -> None:
    """Set a line network's weights to those of a file that `write_weights` wrote.

    Raises:
        ModelProblem: the file is missing, damaged, or of a network of another layout.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name].astype(np.float32) for name in archive.files}
    except (OSError, ValueError) as error:
        raise ModelProblem(
            f"cannot read the line network's weights {display_path(path)}: {error}",
            "Give a model folder that `lettermill train` wrote, its files unchanged.",
        ) from error
    set_weights(model, arrays, path)


def set_weights(model: Any, arrays: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Set a line network's weights to arrays by name.

    Raises:
        ModelProblem: they are those of a network of another layout.
    """
    variables = named_weights(model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes != {name: array.shape for name, array in arrays.items()}:
        raise ModelProblem(
            f"{display_path(path)} holds the weights of a line network of another layout",
            "Train it from the beginning with --line-network, or with the version that wrote it.",
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
