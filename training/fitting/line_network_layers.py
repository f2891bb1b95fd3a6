"""Builds the line network: convolutions alone, from a line of 32 rows to one answer for every two columns.

It is trained with connectionist temporal classification (Graves 2006), so a line needs its text only, not
the places of its letters. Why this layout: docs/decisions/0016-line-network.md.
"""

from __future__ import annotations

from typing import Any

from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.segmentation.line_image import LINE_ROWS

LINE_LABELS = LETTERS + DIGITS + MARKS
"""The characters of the line network, in the order of its outputs; the blank comes after them."""

BLANK = len(LINE_LABELS)
"""Number of the output that says that no character begins at a time step."""

INPUT_NAME, OUTPUT_NAME = "lines", "logits"

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
