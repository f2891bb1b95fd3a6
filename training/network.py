"""The CNN: three stages of convolution and max-pooling, a fully connected layer, 36 outputs.

LeCun's layout (1998) with 3×3 kernels in pairs (Simonyan and Zisserman 2015) and batch normalisation
(Ioffe and Szegedy 2015), which the exported graph folds into the convolutions. Wide layers stand where
the image is small: that is where a multiply-add gives most.
"""

from __future__ import annotations

import math
from typing import Any

from segmentation.glyph import GLYPH_SIZE

INPUT_NAME = "glyphs"
OUTPUT_NAME = "logits"

_WIDTHS = (16, 32, 32, 64, 96)
_HIDDEN = 160
_DROPOUT = 0.2


def build(classes: int) -> Any:
    """Build the untrained CNN.

    Args:
        classes: the number of labels.

    Returns:
        A Keras model: uint8 n×28×28 named "glyphs" in, float32 n×classes logits out.
    """
    import keras

    layers = keras.layers
    glyphs = keras.Input((GLYPH_SIZE, GLYPH_SIZE), dtype="uint8", name=INPUT_NAME)
    x = layers.Rescaling(1 / 255)(layers.Reshape((GLYPH_SIZE, GLYPH_SIZE, 1))(glyphs))
    for width, kernel, pooled in zip(_WIDTHS, (5, 3, 3, 3, 3), (True, False, True, False, True), strict=True):
        x = layers.Conv2D(width, kernel, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        if pooled:  # before the rest, which gives the same kind of function for a quarter of the work
            x = layers.MaxPooling2D()(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(_DROPOUT)(layers.Reshape((math.prod(x.shape[1:]),))(x))
    x = layers.Dense(_HIDDEN, use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.Dropout(_DROPOUT)(x)
    return keras.Model(glyphs, layers.Dense(classes, name=OUTPUT_NAME)(x), name="handprint")


def multiply_adds(model: Any) -> int:
    """Count the multiply-adds of one glyph's way through the convolutions and dense layers."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if hasattr(layer, "kernel")
    )
