"""Folds a trained CNN's batch normalisation into its weights: the same answers with fewer layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def folded(model: Any) -> Any:
    """Return a model that computes the same, up to rounding, with fewer layers.

    After training, batch normalisation multiplies and adds per channel, and becomes part of the weights
    before it (Jacob et al. 2018, arXiv:1712.05877, section 3.2). With max-pooling between the two, that
    holds as long as no channel is multiplied by a negative number: the largest value stays the largest. The
    division by 255 becomes part of the first weights in the same way. Dropout does nothing after training
    and is removed.

    Args:
        model: a trained Keras model, as `lettermill.training.fitting.network.build` makes it.

    Returns:
        A Keras model with the same input and output. A layer that cannot be folded stays as it was; a model
        with branches is returned unchanged.
    """
    import keras

    kinds = keras.layers
    layers = [layer for layer in model.layers[1:] if not isinstance(layer, kinds.Dropout)]
    if any(isinstance(layer.input, list) for layer in layers) or len(model.outputs) > 1:
        return model
    entry = keras.Input(model.input_shape[1:], dtype=model.input.dtype, name=model.input.name)
    x, factor = entry, 1.0
    while layers:
        layer, *layers = layers
        if isinstance(layer, kinds.Rescaling) and not layer.offset and isinstance(layers[0], kinds.Conv2D):
            x, factor = keras.ops.cast(x, "float32"), float(layer.scale)
        elif isinstance(layer, kinds.Conv2D | kinds.Dense):
            scale, shift, layers = _without_normalisation(layers)
            x, factor = _weighted(layer, x, factor, scale, shift), 1.0
        else:
            x = layer(x)
    return keras.Model(entry, x, name=model.name)


def _without_normalisation(
    layers: list[Any],
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[Any]]:
    """Take the batch normalisation out of the layers that follow a weighted layer, if it can be folded.

    Args:
        layers: all layers after the weighted one.

    Returns:
        What the weighted layer's output is multiplied by, what is added then, and the layers that remain.
    """
    from keras.layers import BatchNormalization, MaxPooling2D, ReLU

    unchanged = np.ones(1, np.float32), np.zeros(1, np.float32), layers
    pools = [layer for layer in layers[:1] if isinstance(layer, MaxPooling2D)]
    following = layers[len(pools) : len(pools) + 2]
    if [type(layer) for layer in following] != [BatchNormalization, ReLU]:
        return unchanged
    normalisation, activation = following
    scale, shift = _scale_and_shift(normalisation)
    if pools and not (scale >= 0).all():
        return unchanged
    return scale, shift, [activation, *pools, *layers[len(pools) + 2 :]]


def _scale_and_shift(normalisation: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what batch normalisation multiplies each channel by, and what it adds then."""
    gamma, beta, mean, variance = normalisation.get_weights()
    scale = gamma / np.sqrt(variance + normalisation.epsilon)
    return scale, beta - mean * scale


def _weighted(
    layer: Any, x: Any, factor: float, scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> Any:
    """Apply a copy of a layer whose weights include: input × factor, and output × scale + shift."""
    kernel, *bias = layer.get_weights()
    copy = type(layer).from_config({**layer.get_config(), "use_bias": True})
    y = copy(x)
    own_bias = bias[0] if bias else np.zeros(kernel.shape[-1], np.float32)
    copy.set_weights([kernel * factor * scale, own_bias * scale + shift])
    return y
