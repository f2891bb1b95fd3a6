"""Folds a trained CNN's normalisation into its weights: the same answers from fewer steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def folded(model: Any) -> Any:
    """Return a model that computes the same, up to rounding, with fewer layers.

    After training, batch normalisation multiplies and adds by channel, and becomes part of the weights
    before it (Jacob et al. 2018, arXiv:1712.05877, section 3.2). Where max-pooling stands between the two
    that holds as long as no channel is multiplied by a negative number: the largest value stays the
    largest. Division by 255 becomes part of the first weights in the same way. Dropout does nothing after
    training and goes.

    Args:
        model: a trained Keras model, as `lettermill.training.fitting.network.build` makes it.

    Returns:
        A Keras model with the same input and output. What cannot be folded stays as it was, and so does a
        model with branches.
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
            scale, shift = np.ones(1, np.float32), np.zeros(1, np.float32)
            pools = layers[:1] if isinstance(next(iter(layers), None), kinds.MaxPooling2D) else []
            after = layers[len(pools) : len(pools) + 2]
            if [type(one) for one in after] == [kinds.BatchNormalization, kinds.ReLU]:
                normalisation, activation = after
                own_scale, own_shift = _scale_and_shift(normalisation)
                if not pools or (own_scale >= 0).all():
                    scale, shift = own_scale, own_shift
                    layers = [activation, *pools, *layers[len(pools) + 2 :]]
            x = _weighted(layer, x, factor, scale, shift)
            factor = 1.0
        else:
            x = layer(x)
    return keras.Model(entry, x, name=model.name)


def _scale_and_shift(normalisation: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what batch normalisation multiplies each channel by, and what it adds then."""
    gamma, beta, mean, variance = normalisation.get_weights()
    scale = gamma / np.sqrt(variance + normalisation.epsilon)
    return scale, beta - mean * scale


def _weighted(
    layer: Any, x: Any, factor: float, scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> Any:
    """Apply a layer with its weights, where input × factor → output × scale + shift is made part of them."""
    kernel, *bias = layer.get_weights()
    copy = type(layer).from_config({**layer.get_config(), "use_bias": True})
    y = copy(x)
    own_bias = bias[0] if bias else np.zeros(kernel.shape[-1], np.float32)
    copy.set_weights([kernel * factor * scale, own_bias * scale + shift])
    return y
