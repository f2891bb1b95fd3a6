"""The model that is exported answers as the one that was trained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

GLYPHS = np.random.default_rng(0).integers(0, 256, (16, 28, 28), np.uint8)


def trained(smallest_scale: float) -> Any:
    """Return the CNN with weights as a training might leave them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

        from lettermill.training.fitting.network import build

        keras.utils.set_random_seed(3)
        model = build(36)
    numbers = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    numbers.uniform(smallest_scale, 2, gamma.shape),
                    numbers.normal(0, 0.3, beta.shape),
                    numbers.normal(0, 0.3, mean.shape),
                    numbers.uniform(0.3, 3, variance.shape),
                ]
            )
    return model


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize("smallest_scale", [0.1, -2.0])
def test_a_folded_model_answers_as_before(smallest_scale: float) -> None:
    from lettermill.training.fitting.fold import folded

    model = trained(smallest_scale)
    before = np.asarray(model(GLYPHS, training=False))
    after = np.asarray(folded(model)(GLYPHS, training=False))
    assert np.abs(before).max() > 1
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(model(GLYPHS, training=False), before)  # the model itself is as it was


def test_normalisation_is_gone_but_where_pooling_forbids_it() -> None:
    from lettermill.training.fitting.fold import folded

    left = kinds(folded(trained(0.1)))
    assert "BatchNormalization" not in left
    assert "Rescaling" not in left
    assert "Dropout" not in left
    # Three of the six convolutions are pooled before they are normalised.
    assert kinds(folded(trained(-2.0))).count("BatchNormalization") == 3


def test_a_model_with_branches_stays_as_it_is() -> None:
    import keras

    from lettermill.training.fitting.fold import folded

    glyphs = keras.Input((28, 28), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(glyphs))
    model = keras.Model(glyphs, keras.layers.add([keras.layers.Dense(36)(x), keras.layers.Dense(36)(x)]))
    assert folded(model) is model
