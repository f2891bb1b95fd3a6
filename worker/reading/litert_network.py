"""The CNN of a model file, run by LiteRT on the calling thread alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem

BATCH = 32
"""Glyphs a call of the network. Memory grows with the batch and speed does not: see
docs/decisions/0004-reading-on-one-thread.md for what was measured."""

_STANDARD_ERROR = 2


class Network:
    """A network: glyphs in, one number a class out.

    It computes in int8 for the most part, with a scale for each glyph, so what it says of a glyph does not
    hang on those beside it. It takes one thread, for a worker is many processes, and threads times processes
    is the slowest way to use a machine; and it must be used by one thread at a time.

    Args:
        content: bytes of a file as `lettermill.training.fitting.litert_export.write_network` writes it.

    Raises:
        ModelProblem: they are no such file.
    """

    def __init__(self, content: bytes) -> None:
        try:
            with _nothing_printed():
                self._interpreter = Interpreter(model_content=content, num_threads=1)
                entry, out = self._interpreter.get_input_details(), self._interpreter.get_output_details()
                self._entry, self._exit = entry[0]["index"], out[0]["index"]
                self.outputs = self._run(np.zeros((1, *entry[0]["shape"][1:]), entry[0]["dtype"])).shape[-1]
                """How many numbers it gives a glyph."""
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelProblem(f"the network cannot be loaded: {error}") from error

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's outputs.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them; n may be 0.

        Returns:
            float32, n×classes.
        """
        logits = np.empty((len(glyphs), self.outputs), np.float32)
        for start in range(0, len(glyphs), BATCH):
            batch = slice(start, start + BATCH)
            logits[batch] = self._run(np.ascontiguousarray(glyphs[batch]))
        return logits

    def _run(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.resize_tensor_input(self._entry, glyphs.shape)  # A few µs, even where it changes.
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._entry, glyphs)
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._exit)
        return logits


@contextlib.contextmanager
def _nothing_printed() -> Iterator[None]:
    """Send standard error nowhere: LiteRT tells there, in each process, which of its parts it uses."""
    kept, nowhere = os.dup(_STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STANDARD_ERROR)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
