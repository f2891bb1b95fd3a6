"""Runs the CNN's two networks: a small one reads all glyphs, a large one those that it is not sure of.

Most glyphs are easy, and the large network takes four times as long (Viola and Jones 2001 call such a chain a
cascade). Why: docs/decisions/0018-two-networks-plain-licences.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import Model
from lettermill.worker.reading.litert_network import Network


class Cascade:
    """Two networks that answer as one.

    Args:
        first: reads all glyphs.
        large: reads those of which the first is not sure.
        sure_above: the first is sure of a glyph if its best class has this probability or more.

    Raises:
        ModelProblem: the networks have different classes.
    """

    def __init__(self, first: Network, large: Network, sure_above: float) -> None:
        if first.outputs != large.outputs:
            raise ModelProblem(
                f"the first network has {first.outputs} outputs, the large one {large.outputs}"
            )
        self._first, self._large, self._sure_above = first, large, sure_above
        self.outputs = large.outputs
        """Logits per glyph, one for each class."""

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify glyphs: see `Network.logits`. A glyph's logits do not depend on the other glyphs."""
        logits = self._first.logits(glyphs)
        doubtful = np.flatnonzero(top_probability(logits) < self._sure_above)
        if doubtful.size:
            logits[doubtful] = self._large.logits(glyphs[doubtful])
        return logits


def top_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of each row's likeliest class, at temperature 1: float32, n."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(1 / odds.sum(axis=1))


def load_cnn(model: Model) -> Network | Cascade:
    """Load a model's CNN.

    Raises:
        ModelProblem: a network is missing, damaged, or another one than the card describes.
    """
    large = Network(model.network)
    if (content := model.first_network) is None or model.first_card is None:
        return large
    return Cascade(Network(content), large, float(model.first_card["sure_above"]))
