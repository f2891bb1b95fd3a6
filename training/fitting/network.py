"""The CNN: three stages of convolution and max-pooling, a fully connected layer, one output a class.

LeCun's layout (1998) with 3×3 kernels in pairs (Simonyan and Zisserman 2015) and batch normalisation
(Ioffe and Szegedy 2015), which the exported graph folds into the convolutions. Wide layers stand where
the image is small: that is where a multiply-add gives most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.segmentation.glyph import GLYPH_SIZE

INPUT_NAME = "glyphs"
OUTPUT_NAME = "logits"

_WIDTHS = (16, 28, 32, 64, 72)
_HIDDEN = 160
_DROPOUT = 0.2

_NEVER = 1e4
"""Taken from the logit of a class that is not allowed: its probability is 0, and 0 times it stays finite."""


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


def kind(label: str) -> str:
    """Return what kind of character a class is: a digit, a capital or a lower-case letter."""
    return "digit" if label.isdigit() else "lower case" if label.islower() else "capital"


def loss(labels: Sequence[str], label_smoothing: float) -> Any:
    """Return the loss: half over all classes, half over those of the letter's own kind.

    A job's alphabet masks the classes. Of a letter that might be a digit too (O and 0, S and 5, G and 6)
    the loss over all classes asks only that the two share the probability; what the letter is among
    letters, which is what most jobs ask, is left to chance. So half of the loss is what a job of letters
    would measure on a letter, and a job of digits on a digit. Where all classes are of one kind, as in
    EMNIST's letters, the two halves are the same.

    Where the last label is "not a letter", its logit stands against the log of the others' summed exponents
    in a binary cross-entropy of its own, and what a glyph is among characters counts only for characters.
    So a mask by an alphabet never needs that output.

    Args:
        labels: the classes, in the order of the outputs.
        label_smoothing: the share of the target that goes to all allowed classes alike.

    Returns:
        A Keras loss for targets (float32, n×classes, at least half of each on the true class) and logits
        (float32, n×classes).
    """
    import keras

    ops = keras.ops
    kinds = np.array([kind(label) for label in labels if label != NOT_A_LETTER])
    same_kind = (kinds[:, None] == kinds).astype(np.float32)

    def cross_entropy(targets: Any, logits: Any, allowed: Any) -> Any:
        count = ops.maximum(ops.sum(allowed, axis=-1, keepdims=True), 1)  # none is allowed for a non-letter
        smoothed = (1 - label_smoothing) * targets + label_smoothing * allowed / count
        return -ops.sum(smoothed * ops.log_softmax(logits + (allowed - 1) * _NEVER, axis=-1), axis=-1)

    def masked_cross_entropy(targets: Any, logits: Any) -> Any:
        everything = ops.ones_like(targets)
        own_kind = ops.cast(ops.matmul(targets, same_kind) >= 0.5, targets.dtype)
        among_kind = targets * own_kind
        among_kind = among_kind / ops.maximum(ops.sum(among_kind, axis=-1, keepdims=True), 1e-6)
        return (cross_entropy(targets, logits, everything) + cross_entropy(among_kind, logits, own_kind)) / 2

    def with_non_letters(targets: Any, logits: Any) -> Any:
        no_letter, characters = targets[:, -1], logits[:, :-1]
        odds = ops.logsumexp(characters, axis=-1) - logits[:, -1]
        shares = targets[:, :-1] / ops.maximum(1 - targets[:, -1:], 1e-6)
        which = masked_cross_entropy(shares, characters)
        whether = (1 - no_letter) * ops.softplus(-odds) + no_letter * ops.softplus(odds)
        return (1 - no_letter) * which + whether

    return with_non_letters if labels[-1] == NOT_A_LETTER else masked_cross_entropy


def multiply_adds(model: Any) -> int:
    """Count the multiply-adds of one glyph's way through the convolutions and dense layers."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if hasattr(layer, "kernel")
    )
