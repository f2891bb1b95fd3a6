"""Writes a trained model as ONNX, and checks that ONNX Runtime answers as Keras does."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.errors import ModelProblem
from training.fold import folded
from training.network import INPUT_NAME, OUTPUT_NAME

_OPSET = 17
_TOLERANCE = 1e-4


def write_onnx(model: Any, path: Path) -> None:
    """Convert a Keras model to ONNX with a free batch size, its normalisation folded into its weights.

    Args:
        model: uint8 n×28×28 in, float32 n×classes out.
        path: the file to write.
    """
    import onnx
    import tensorflow as tf

    with warnings.catch_warnings():
        # tf2onnx still names np.object, which NumPy announces to come back with another meaning.
        warnings.filterwarnings("ignore", message=".*np.object.*", category=FutureWarning)
        import tf2onnx

        signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name=INPUT_NAME)]
        plain = folded(model)
        function = tf.function(lambda glyphs: plain(glyphs, training=False), input_signature=signature)
        converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=_OPSET)
    _name_by_order(converted.graph)
    converted.graph.name = model.name
    onnx.checker.check_model(converted)
    partial = path.with_suffix(".partial")
    partial.write_bytes(converted.SerializeToString(deterministic=True))
    partial.replace(path)


def onnx_logits(path: Path, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs of an ONNX file for glyphs: uint8 n×28×28 → float32 n×classes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    parts = [
        session.run([OUTPUT_NAME], {INPUT_NAME: glyphs[start : start + 256]})[0]
        for start in range(0, len(glyphs), 256)
    ]
    return np.concatenate(parts).astype(np.float32, copy=False)


def check_agreement(path: Path, glyphs: NDArray[np.uint8], logits: NDArray[np.float32]) -> float:
    """Return the largest difference between ONNX Runtime's outputs and Keras's.

    Args:
        path: the ONNX file.
        glyphs: uint8, n×28×28, one or more.
        logits: float32, n×classes: Keras's outputs for them.

    Raises:
        ModelProblem: the two differ by more than rounding, or are no numbers.
    """
    if not np.isfinite(logits).all():
        raise ModelProblem(
            "the training went astray: the network's outputs are no numbers",
            "The model files are as they were. Train again with another --seed.",
        )
    difference = float(np.abs(onnx_logits(path, glyphs) - logits).max())
    if difference > _TOLERANCE:
        raise ModelProblem(
            f"{path}: ONNX Runtime's outputs differ from Keras's by {difference:.2g}",
            "The conversion went wrong: install the versions that the model card names and train again.",
        )
    return difference


def _name_by_order(graph: Any) -> None:
    """Name nodes and values by their order, so that the same weights always give the same bytes.

    The converter's names count how many models the process has built.
    """
    names = {INPUT_NAME: INPUT_NAME, graph.output[0].name: OUTPUT_NAME}
    for number, node in enumerate(graph.node):
        node.name = f"{number:02}_{node.op_type}"
        node.input[:] = [
            names.setdefault(name, f"{node.name}_in{place}") for place, name in enumerate(node.input)
        ]
        node.output[:] = [names.setdefault(name, node.name) for name in node.output]
    graph.output[0].name = OUTPUT_NAME
    used = {names[weights.name]: weights for weights in graph.initializer}
    for name, weights in used.items():
        weights.name = name
    in_order = [used[name] for name in sorted(used)]
    del graph.initializer[:]
    graph.initializer.extend(in_order)
    graph.doc_string = ""
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
