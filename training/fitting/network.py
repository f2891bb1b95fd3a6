"""Builds the CNN and its loss: three convolution stages with max-pooling, a dense layer, an output per class.

The layout is LeCun's (1998) with 3×3 kernels in pairs (Simonyan and Zisserman 2015) and batch normalisation
(Ioffe and Szegedy 2015), which the exported graph folds into the convolutions. The wide layers come where
the image is small, because a multiply-add gains most there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.segmentation.glyph import GLYPH_SIZE

INPUT_NAME = "glyphs"
OUTPUT_NAME = "logits"

Size = Literal["first", "large"]
"""Which of the CNN's two networks: `first` reads all glyphs, `large` those that it is not sure of."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    """Layers of a network.

    Attributes:
        convolutions: channels, kernel size in pixels, and whether max-pooling follows.
        hidden_units: of the dense layer.
    """

    convolutions: tuple[tuple[int, int, bool], ...]
    hidden_units: int


_LAYOUTS: dict[Size, _Layout] = {
    "first": _Layout(((16, 5, True), (28, 3, False), (32, 3, True), (64, 3, False), (72, 3, True)), 160),
    "large": _Layout(
        ((24, 5, True), (48, 3, False), (64, 3, True), (128, 3, False), (128, 3, False), (160, 3, True)), 256
    ),
}

_DROPOUT_SHARE = 0.2
_MOMENTUM = 0.95
"""Share of the old running mean that batch normalisation keeps at each step."""

_MASKED_LOGIT = 1e4
"""Subtracted from the logit of a class that is not allowed: its probability is 0, its logarithm finite."""

_LEAST_SHARE = 1e-6
"""Least value that targets are divided by."""


def build(classes: int, size: Size = "large") -> Any:
    """Build an untrained network of the CNN.

    Args:
        classes: the number of labels.
        size: which of the two networks.

    Returns:
        A Keras model: uint8 n×28×28 named "glyphs" in, float32 n×classes logits out.
    """
    import keras

    layers = keras.layers
    glyphs = keras.Input((GLYPH_SIZE, GLYPH_SIZE), dtype="uint8", name=INPUT_NAME)
    x = layers.Rescaling(1 / 255)(layers.Reshape((GLYPH_SIZE, GLYPH_SIZE, 1))(glyphs))
    layout = _LAYOUTS[size]
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    for number, (channels, kernel, pooled) in enumerate(layout.convolutions, start=1):
        x = layers.Conv2D(channels, kernel, name=f"convolution_{number}", **options)(x)
        if pooled:  # Before normalisation and ReLU: the same kind of function for a quarter of the work.
            x = layers.MaxPooling2D()(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"normalisation_{number}")(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(_DROPOUT_SHARE)(layers.Reshape((math.prod(x.shape[1:]),))(x))
    x = layers.Dense(layout.hidden_units, name="hidden", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM, name="hidden_normalisation")(x))
    x = layers.Dropout(_DROPOUT_SHARE)(x)
    return keras.Model(glyphs, layers.Dense(classes, name=OUTPUT_NAME)(x), name="handprint")


def kind(label: str) -> str:
    """Return what kind of character a class is: a digit, a capital or a lower-case letter."""
    return "digit" if label.isdigit() else "lower case" if label.islower() else "capital"


def loss(labels: Sequence[str], label_smoothing: float) -> Any:
    """Return the loss: the mean of two cross-entropies, over all classes and over the letter's own kind.

    A job's alphabet masks the classes. For a letter that might be a digit too (O and 0, S and 5, G and 6)
    a loss over all classes alone only asks that the two share the probability; what the letter is among
    letters, which most jobs ask, would be left to chance. So half of the loss is what a job of letters
    measures on a letter, and a job of digits on a digit. If all classes are of one kind, as in EMNIST's
    letters split, the two halves are equal.

    If the last label is the reject class ("not a letter"), its logit competes with the log of the summed
    exponentials of all others in a binary cross-entropy of its own, and the loss over characters counts for
    characters only. So masking by an alphabet never needs that output.

    Args:
        labels: the classes, in the order of the outputs.
        label_smoothing: the share of the target that is spread evenly over all allowed classes.

    Returns:
        A Keras loss for targets (float32, n×classes, at least half of each on the true class) and logits
        (float32, n×classes).
    """
    import keras

    ops = keras.ops
    kinds = np.array([kind(label) for label in labels if label != NOT_A_LETTER])
    same_kind = (kinds[:, None] == kinds).astype(np.float32)

    def cross_entropy(targets: Any, logits: Any, allowed: Any) -> Any:
        # Nothing is allowed for a glyph of the reject class.
        count = ops.maximum(ops.sum(allowed, axis=-1, keepdims=True), 1)
        smoothed = (1 - label_smoothing) * targets + label_smoothing * allowed / count
        return -ops.sum(smoothed * ops.log_softmax(logits + (allowed - 1) * _MASKED_LOGIT, axis=-1), axis=-1)

    def masked_cross_entropy(targets: Any, logits: Any) -> Any:
        everything = ops.ones_like(targets)
        own_kind = ops.cast(ops.matmul(targets, same_kind) >= 0.5, targets.dtype)
        among_kind = targets * own_kind
        among_kind = among_kind / ops.maximum(ops.sum(among_kind, axis=-1, keepdims=True), _LEAST_SHARE)
        return (cross_entropy(targets, logits, everything) + cross_entropy(among_kind, logits, own_kind)) / 2

    def with_reject_class(targets: Any, logits: Any) -> Any:
        rejected, characters = targets[:, -1], logits[:, :-1]
        log_odds = ops.logsumexp(characters, axis=-1) - logits[:, -1]
        shares = targets[:, :-1] / ops.maximum(1 - targets[:, -1:], _LEAST_SHARE)
        which = masked_cross_entropy(shares, characters)
        whether = (1 - rejected) * ops.softplus(-log_odds) + rejected * ops.softplus(log_odds)
        return (1 - rejected) * which + whether

    return with_reject_class if labels[-1] == NOT_A_LETTER else masked_cross_entropy


def multiply_adds(model: Any) -> int:
    """Count the multiply-adds of the convolutions and dense layers for one glyph."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if hasattr(layer, "kernel")
    )
