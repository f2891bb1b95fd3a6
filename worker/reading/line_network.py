"""Runs the line network: the grey line as it was scanned in, the probability of each character at each step.

The network reads a whole line without cutting it (connectionist temporal classification, Graves 2006): at
each time step it gives a probability for each character, and for "nothing begins here" (the blank).
"""

from __future__ import annotations

import copy

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.segmentation.line_image import LINE_ROWS, LINE_VERSION, STEP_COLUMNS
from lettermill.worker.reading.litert_network import silenced_standard_error

WIDEST_COLUMNS = 2048
"""A line image wider than this is read in pieces of this width."""

_OVERLAP_COLUMNS = 256
"""Pieces share twice the columns that a time step can see, so that nothing is seen cut."""

_WIDTH_STEP = 64
"""Line images are padded to a multiple of this, so that the network is laid out for few widths."""


class LineNetwork:
    """The line network: line images in, probabilities out.

    An instance must be used by one thread at a time.

    Args:
        content: the bytes of a `line.tflite`.
        card: the part of the model's card that describes it.
        characters: those that may be answered, in the order of the columns.

    Raises:
        ModelProblem: the bytes are no such network, or it was trained on line images of another version.
    """

    def __init__(self, content: bytes, card: dict[str, object], characters: str) -> None:
        labels = [str(label) for label in card["labels"]]  # type: ignore[attr-defined]
        if card["line_version"] != LINE_VERSION:
            raise ModelProblem(
                f"the line network was trained on lines of version {card['line_version']}, "
                f"this Lettermill makes version {LINE_VERSION}",
                "Train it again with this version: lettermill train --fields.",
            )
        missing = sorted(set(characters) - set(labels))
        if missing:
            raise ModelProblem(f"the line network does not know {' '.join(missing)}")
        self._labels = labels
        self._answer(characters)
        try:
            with silenced_standard_error():
                self._interpreter = Interpreter(model_content=content, num_threads=1)
                self._input = self._interpreter.get_input_details()[0]["index"]
                self._output = self._interpreter.get_output_details()[0]["index"]
                outputs = self._run(np.zeros((LINE_ROWS, _WIDTH_STEP), np.uint8)).shape[-1]
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelProblem(f"the line network cannot be loaded: {error}") from error
        if outputs != len(labels) + 1:
            raise ModelProblem(f"the line network has {outputs} outputs, its card {len(labels)} labels")

    def _answer(self, characters: str) -> None:
        """Set the characters that may be answered."""
        self.characters = characters
        self._columns = [self._labels.index(character) for character in characters] + [len(self._labels)]

    def narrowed(self, characters: str) -> LineNetwork:
        """Return the same network, which answers with some of the characters."""
        other = copy.copy(self)
        other._answer(characters)
        return other

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Read a line image.

        Args:
            image: uint8, 32×w, as `line_image` makes it.

        Returns:
            float64, w/2×(characters + 1): at each step the probability of each character, and in the last
            column of the blank; rows sum to 1. The probabilities of other characters are left out of the sum.
        """
        logits = self._logits(image)[:, self._columns].astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        steps = image.shape[1] // STEP_COLUMNS
        if image.shape[1] <= WIDEST_COLUMNS:
            return self._run(image)[:steps]
        pieces = []
        start, first = 0, 0
        while first < steps:
            piece = image[:, start : start + WIDEST_COLUMNS]
            end = (start + piece.shape[1]) // STEP_COLUMNS
            last = end if end == steps else end - _OVERLAP_COLUMNS // 2 // STEP_COLUMNS
            read = self._run(piece)
            pieces.append(read[first - start // STEP_COLUMNS : last - start // STEP_COLUMNS])
            first, start = last, start + WIDEST_COLUMNS - _OVERLAP_COLUMNS
        return np.concatenate(pieces)

    def _run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        width = image.shape[1]
        padded = np.zeros((1, LINE_ROWS, width + -width % _WIDTH_STEP, 1), np.uint8)
        padded[0, :, :width, 0] = image
        self._interpreter.resize_tensor_input(self._input, padded.shape)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._input, padded)
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        return np.asarray(logits[0])
