"""Runs the region network: a page in, what the ink of each small block belongs to out."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.segmentation.region_image import REGION_STEP_PIXELS, REGION_VERSION
from lettermill.segmentation.regions import Region
from lettermill.worker.reading.litert_network import silenced_standard_error

_SIDE_STEP_PIXELS = 32
"""Images are padded with paper to multiples of this."""

_PAPER = 255


class RegionNetwork:
    """The region network.

    An instance must be used by one thread at a time.

    Args:
        content: the bytes of a `regions.tflite`.
        card: the part of the model's card that describes it.

    Raises:
        ModelProblem: the bytes are no such network, or it was trained on images of another version.
    """

    def __init__(self, content: bytes, card: dict[str, object]) -> None:
        if card["region_version"] != REGION_VERSION:
            raise ModelProblem(
                f"the region network was trained on pages of version {card['region_version']}, "
                f"this Lettermill makes version {REGION_VERSION}",
                "Use the model that comes with this version.",
            )
        try:
            with silenced_standard_error():
                self._interpreter = Interpreter(model_content=content, num_threads=1)
                self._input = self._interpreter.get_input_details()[0]["index"]
                self._output = self._interpreter.get_output_details()[0]["index"]
                outputs = self._run(np.zeros((_SIDE_STEP_PIXELS, _SIDE_STEP_PIXELS), np.uint8)).shape[-1]
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelProblem(f"the region network cannot be loaded: {error}") from error
        if outputs != len(Region):
            raise ModelProblem(f"the region network has {outputs} outputs, not {len(Region)}")

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Tell what the ink on a page belongs to.

        Args:
            image: uint8, h×w, as `region_image` makes it.

        Returns:
            float32, 4×⌈h/4⌉×⌈w/4⌉: for each `Region` the probability that ink in that block belongs to it;
            they sum to 1, and mean nothing where there is no ink.
        """
        logits = self._run(image)
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        odds /= odds.sum(axis=-1, keepdims=True)
        height, width = (-(-side // REGION_STEP_PIXELS) for side in image.shape)
        return np.ascontiguousarray(odds[:height, :width].transpose(2, 0, 1))

    def _run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape
        step = _SIDE_STEP_PIXELS
        padded = np.full((1, height + -height % step, width + -width % step, 1), _PAPER, np.uint8)
        padded[0, :height, :width, 0] = image
        self._interpreter.resize_tensor_input(self._input, padded.shape)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._input, padded)
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        return np.asarray(logits[0])
