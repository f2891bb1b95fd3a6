"""Writes CNNs of random weights, for tests of what is done with their answers."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from lettermill.training.fitting.litert_export import write_network
from lettermill.training.fitting.network import build


@functools.cache
def random_cnn(seed: int, classes: int = 37, contrast: float = 1.0) -> bytes:
    """Return the bytes of a network for LiteRT; its outputs differ more, the larger the contrast is."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(classes, "first")
    output = model.layers[-1]
    output.set_weights([contrast * values for values in output.get_weights()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handprint.tflite"
        write_network(model, path)
        return path.read_bytes()
