"""Glyphs to ranked characters: the CNN through ONNX Runtime, masked to an alphabet and calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from jobs.errors import ModelProblem
from jobs.models import NOT_A_LETTER, Model
from segmentation.glyph import GLYPH_VERSION

BATCH = 64
"""Glyphs a call of the network. Memory grows with the batch and speed does not: see
docs/decisions/0004-reading-on-one-thread.md for what was measured."""

CHOICES = 3
"""How many characters are ranked: the best and two alternatives."""

_LARGEST_EXPONENT = 80.0

Ranking = tuple[tuple[str, float], ...]
"""Characters with their confidence, best first."""


class Classifier:
    """A network with its card, masked to an alphabet.

    The session runs on the calling thread alone: a worker is many processes, and threads times processes
    is the slowest way to use a machine.

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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model.network, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a class of its own for each kind of damage.
            raise ModelProblem(f"the network cannot be loaded: {error}") from error
        self._input = self._session.get_inputs()[0].name
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
        probabilities = np.empty((len(glyphs), len(self.characters)), np.float32)
        non_letter = np.zeros(len(glyphs), np.float32)
        for start in range(0, len(glyphs), BATCH):
            batch = slice(start, start + BATCH)
            logits: NDArray[Any] = self._session.run(None, {self._input: glyphs[batch]})[0]
            scaled = logits[:, self._allowed] / self._temperature
            scaled -= scaled.max(axis=1, keepdims=True)
            odds = np.exp(scaled)
            probabilities[batch] = odds / odds.sum(axis=1, keepdims=True)
            if self.tells_non_letters:
                against = np.exp(np.minimum(logits[:, :-1] - logits[:, -1:], _LARGEST_EXPONENT))
                non_letter[batch] = 1 / (1 + against.sum(axis=1))
        return probabilities, non_letter

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
        found = np.empty(len(glyphs), np.float32)
        last = -1 if self.tells_non_letters else None
        for start in range(0, len(glyphs), BATCH):
            batch = np.ascontiguousarray(glyphs[start : start + BATCH])
            logits: NDArray[Any] = self._session.run(None, {self._input: batch})[0]
            logits = logits / (calm * self._temperature)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            found[start : start + BATCH] = odds[:, :last].max(axis=1) / odds.sum(axis=1)
        return found

    def rank(self, glyphs: list[NDArray[np.uint8]]) -> list[Ranking]:
        """Return the best three characters of each glyph with their confidence, best first.

        Args:
            glyphs: uint8 arrays, 28×28 each; may be empty.
        """
        return self.ranked(self.probabilities(np.stack(glyphs))) if glyphs else []

    def ranked(self, probabilities: NDArray[np.float32]) -> list[Ranking]:
        """Return the best three characters of each row of probabilities, best first."""
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :CHOICES]
        return [
            tuple((self.characters[index], round(float(row[index]), 6)) for index in best)
            for row, best in zip(probabilities, order, strict=True)
        ]
