"""Exports a trained model to LiteRT, and checks that it answers there as in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting.fit import logits_of
from lettermill.training.fitting.fold import folded
from lettermill.training.fitting.network import INPUT_NAME, OUTPUT_NAME
from lettermill.training.fitting.network_weights import weights_file, write_weights
from lettermill.worker.reading.litert_network import Network

_LARGEST_DIFFERENCE_SHARE = 0.05
"""Root mean square of LiteRT's difference from Keras, as a share of the outputs; int8 rounding is less."""

_CHECKED_GLYPHS = 4_000
"""Glyphs on which the two are compared, at most."""


def write_network(model: Any, path: Path) -> None:
    """Convert a Keras model to LiteRT: normalisation folded into the weights, weights rounded to int8.

    Weights have one scale per channel. A layer with fewer than 1,024 weights, such as the first one, stays in
    float32. The others are computed with rounding on LiteRT: docs/decisions/0013-int8-weights.md.

    Args:
        model: a Keras model: uint8, n×28×28 in, float32, n×classes out.
        path: the file to write; its name ends with `.tflite`.
    """
    import tensorflow as tf

    folded(model).export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
    path.write_bytes(named(path.read_bytes(), INPUT_NAME, OUTPUT_NAME))


def export_network(model: Any, path: Path, glyphs: NDArray[np.uint8]) -> bytes:
    """Write a network for LiteRT and its weights, and check that it answers as in Keras.

    Args:
        model: the Keras model.
        path: the file to write; the weights are written beside it.
        glyphs: uint8, n×28×28, one or more, to check with.

    Returns:
        The file's bytes.

    Raises:
        ModelProblem: as `check_agreement` and `write_weights`.
    """
    write_network(model, path)
    write_weights(model, path.with_name(weights_file(path.name)))
    content = path.read_bytes()
    glyphs = glyphs[:_CHECKED_GLYPHS]
    check_agreement(Network(content), glyphs, logits_of(model, glyphs))
    return content


def check_agreement(network: Network, glyphs: NDArray[np.uint8], logits: NDArray[np.float32]) -> float:
    """Check that a network answers as Keras does, up to the rounding of its weights.

    Args:
        network: the exported network.
        glyphs: uint8, n×28×28, one or more.
        logits: float32, n×classes: Keras's outputs for them.

    Returns:
        The root mean square of the difference, as a share of that of Keras's outputs.

    Raises:
        ModelProblem: the two differ by more than rounding to 8 bits, or some outputs are not finite.
    """
    if not np.isfinite(logits).all():
        raise ModelProblem(
            "training diverged: the network's outputs are not finite numbers",
            "The model files are unchanged. Train again with another --seed.",
        )
    difference = float(np.linalg.norm(network.logits(glyphs) - logits) / np.linalg.norm(logits))
    if not difference <= _LARGEST_DIFFERENCE_SHARE:
        raise ModelProblem(
            f"LiteRT's outputs differ from Keras's by {difference:.2%}",
            "The model files are unchanged. The conversion went wrong: install the versions of "
            "constraints.txt and train again.",
        )
    return difference


def named(content: bytes, input_name: str, output_name: str) -> bytes:
    """Name only input and output, so that the same weights always give the same bytes.

    The converter's own names count the models that the process has built.

    Args:
        content: the bytes of a network for LiteRT.
        input_name: the name of its input.
        output_name: the name of its output.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = input_name
    graph.tensors[graph.outputs[0]].name = output_name
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
