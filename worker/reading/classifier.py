"""Glyphs to ranked characters: the outputs of the CNN, masked to an alphabet and calibrated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import NOT_A_LETTER, Model
from lettermill.segmentation.glyph import GLYPH_VERSION, rotated
from lettermill.worker.reading.litert_network import Network

CHOICES = 3
"""How many characters are ranked: the best and two alternatives."""

SURE = 0.6
"""Share of the network's belief, at temperature 1, from which a glyph is not shown again."""

TURNS = (-7.0, 7.0)
"""Degrees by which a glyph is turned for a second look: as much as people's hands lean to either side."""

_LARGEST_EXPONENT = 80.0

Ranking = tuple[tuple[str, float], ...]
"""Characters with their confidence, best first."""


class Classifier:
    """A network with its card, masked to an alphabet.

    Args:
        model: network and card.
        characters: the characters that may be answered.

    Raises:
        ModelProblem: the network is damaged, has other glyphs than this version makes, or lacks one of
            the characters.
    """

    def __init__(self, model: Model, characters: str) -> None:
        labels: list[str] = model.card["labels"]
        if model.card["glyph_version"] != GLYPH_VERSION:
            raise ModelProblem(
                f"the model was trained on glyphs of version {model.card['glyph_version']}, "
                f"this Lettermill makes version {GLYPH_VERSION}",
                "Train it again with this version: lettermill train.",
            )
        model.check_knows(characters)
        self._network = Network(model.network)
        if self._network.outputs != len(labels):
            raise ModelProblem(
                f"the network has {self._network.outputs} outputs, its card {len(labels)} labels"
            )
        self._allowed = np.array([labels.index(character) for character in characters])
        self.characters = characters
        self._temperature = float(model.card["temperature"])
        self.tells_non_letters = labels[-1] == NOT_A_LETTER
        """Whether the network has an output for what is no letter."""

    def read(self, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the calibrated probability of each character, and how likely each glyph is none at all.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them.

        Returns:
            float32, n×(number of characters), rows sum to 1: softmax of the allowed logits over the
            card's temperature (Guo et al. 2017, arXiv:1706.04599).

            float32, n: how likely a glyph is half a letter, several, a rule or a blot, against all characters
            that the network knows, whatever the alphabet. It takes one glyph in seven for none, as
            training does, and is not calibrated. Zeros where the network has no output for it.
        """
        return self._answers(self._network.logits(glyphs))

    def read_closely(self, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `read`, with a second look where the network is in doubt.

        Such a glyph is shown turned to either side, too, and the mean of the outputs counts (test-time
        augmentation, as with the crops of Krizhevsky, Sutskever and Hinton 2012).
        """
        logits = self._network.logits(glyphs)
        belief = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        doubtful = np.flatnonzero(belief < SURE)
        if doubtful.size:
            looks = [self._network.logits(rotated(glyphs[doubtful], degrees)) for degrees in TURNS]
            logits[doubtful] = np.mean([logits[doubtful], *looks], axis=0)
        return self._answers(logits)

    def _answers(self, logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # np.take, for rows that lie apart are summed in another order when there is but one.
        scaled = np.take(logits, self._allowed, axis=1) / self._temperature
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        non_letter = np.zeros(len(logits), np.float32)
        if self.tells_non_letters:
            against = np.exp(np.minimum(logits[:, :-1] - logits[:, -1:], _LARGEST_EXPONENT))
            non_letter = 1 / (1 + against.sum(axis=1))
        return odds / odds.sum(axis=1, keepdims=True), non_letter

    def probabilities(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the first half of `read`."""
        return self.read(glyphs)[0]

    def likeness(self, glyphs: NDArray[np.uint8], calm: float) -> NDArray[np.float32]:
        """Return how surely each glyph is one character that the network knows, whatever the alphabet.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them.
            calm: how many times the card's temperature to use, for glyphs unlike those it was set on.

        Returns:
            float32, n: the probability of the likeliest character, "not a letter" being one of its rivals.
        """
        logits = self._network.logits(glyphs) / (calm * self._temperature)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        characters = odds[:, : -1 if self.tells_non_letters else None]
        return np.asarray(characters.max(axis=1) / odds.sum(axis=1))

    def ranked(self, probabilities: NDArray[np.float32]) -> list[Ranking]:
        """Return the best three characters of each row of probabilities, best first."""
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :CHOICES]
        return [
            tuple((self.characters[index], round(float(row[index]), 6)) for index in best)
            for row, best in zip(probabilities, order, strict=True)
        ]
