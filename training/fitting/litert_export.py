"""Writes a trained model for LiteRT, and checks that it answers there as in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting.fold import folded
from lettermill.training.fitting.network import INPUT_NAME, OUTPUT_NAME
from lettermill.worker.reading.litert_network import Network

_TOLERANCE = 0.05


def write_network(model: Any, path: Path) -> None:
    """Convert a Keras model for LiteRT, with normalisation folded into the weights and these rounded to int8.

    Weights have a scale for each channel; a layer with fewer than 1,024, as the first one, stays in float32.
    What the others compute on LiteRT rounds as it goes: docs/decisions/0013-int8-weights.md.

    Args:
        model: uint8 n×28×28 in, float32 n×classes out.
        path: the file to write; its name ends with `.tflite`.
    """
    import tensorflow as tf

    folded(model).export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
    path.write_bytes(_named(path.read_bytes()))


def check_agreement(network: Network, glyphs: NDArray[np.uint8], logits: NDArray[np.float32]) -> float:
    """Return how far a network's outputs are from Keras's: the root of the mean square, as a share of theirs.

    Args:
        network: as it was written.
        glyphs: uint8, n×28×28, one or more.
        logits: float32, n×classes: Keras's outputs for them.

    Raises:
        ModelProblem: the two differ by more than rounding to 8 bits, or are no numbers.
    """
    if not np.isfinite(logits).all():
        raise ModelProblem(
            "the training went astray: the network's outputs are no numbers",
            "The model files are as they were. Train again with another --seed.",
        )
    difference = float(np.linalg.norm(network.logits(glyphs) - logits) / np.linalg.norm(logits))
    if not difference <= _TOLERANCE:
        raise ModelProblem(
            f"LiteRT's outputs differ from Keras's by {difference:.2%}",
            "The model files are as they were. The conversion went wrong: install the versions of "
            "constraints.txt and train again.",
        )
    return difference


def _named(content: bytes) -> bytes:
    """Name input and output alone, so that the same weights always give the same bytes.

    The converter's names count how many models the process has built.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = INPUT_NAME
    graph.tensors[graph.outputs[0]].name = OUTPUT_NAME
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
