"""Runs the CNN of a model file with LiteRT, on the calling thread only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem

BATCH_GLYPHS = 32
"""Glyphs per call of the network. A larger batch takes more memory and is not faster: see
docs/decisions/0004-reading-on-one-thread.md for the measurements."""

_STANDARD_ERROR = 2
"""Its file descriptor."""


class Network:
    """A network: glyphs in, one logit per class out.

    It computes mostly in int8, with a scale for each glyph, so the logits of a glyph do not depend on the
    other glyphs in the batch. It uses one thread: a worker runs one process per core, and more threads than
    cores slow all of them down. An instance must be used by one thread at a time.

    Args:
        content: the bytes of a file that `lettermill.training.fitting.litert_export.write_network` wrote.

    Raises:
        ModelProblem: the bytes are not such a file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with silenced_standard_error():
                self._interpreter = Interpreter(model_content=content, num_threads=1)
                input_, output = self._interpreter.get_input_details(), self._interpreter.get_output_details()
                self._input, self._output = input_[0]["index"], output[0]["index"]
                self.outputs = self._run(np.zeros((1, *input_[0]["shape"][1:]), input_[0]["dtype"])).shape[-1]
                """Logits per glyph, one for each class."""
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelProblem(f"the network cannot be loaded: {error}") from error

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify glyphs.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them; n may be 0.

        Returns:
            float32, n×classes: the network's outputs before the softmax.
        """
        logits = np.empty((len(glyphs), self.outputs), np.float32)
        for start in range(0, len(glyphs), BATCH_GLYPHS):
            batch = slice(start, start + BATCH_GLYPHS)
            logits[batch] = self._run(np.ascontiguousarray(glyphs[batch]))
        return logits

    def _run(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        # This takes a few µs, even if the shape changes.
        self._interpreter.resize_tensor_input(self._input, glyphs.shape)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._input, glyphs)
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        return logits


@contextlib.contextmanager
def silenced_standard_error() -> Iterator[None]:
    """Discard standard error: each process of LiteRT prints there which of its components it uses."""
    saved, null = os.dup(_STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STANDARD_ERROR)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(saved, _STANDARD_ERROR)
        os.close(saved)
