"""Glyphs to ranked characters: the CNN through ONNX Runtime, masked to an alphabet and calibrated."""

from __future__ import annotations

from collections.abc import Iterator

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
        self._is_character = np.array([label != NOT_A_LETTER for label in labels])
        self._characters = characters
        self._temperature = float(model.card["temperature"])
        self.tells_non_letters = labels[-1] == NOT_A_LETTER
        """Whether the network has an output for what is no letter."""

    def probabilities(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the calibrated probability of each character.

        Args:
            glyphs: uint8, n×28×28, as `segmentation.glyph.normalise` makes them.

        Returns:
            float32, n×(number of characters), rows sum to 1: softmax of the allowed logits over the
            card's temperature (Guo et al. 2017, arXiv:1706.04599).
        """
        answers = np.empty((len(glyphs), len(self._characters)), np.float32)
        for start, logits in self._logits(glyphs):
            scaled = logits[:, self._allowed] / self._temperature
            scaled -= scaled.max(axis=1, keepdims=True)
            odds = np.exp(scaled)
            answers[start : start + BATCH] = odds / odds.sum(axis=1, keepdims=True)
        return answers

    def non_letter(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how likely each glyph is no single character: half of one, several, a rule, a blot.

        All characters that the network knows count, whatever the alphabet. The probability is that of a
        tenth of non-letters, as in training; it is not calibrated.

        Args:
            glyphs: uint8, n×28×28.

        Returns:
            float32, n; zeros where the network has no output for it.
        """
        answers = np.zeros(len(glyphs), np.float32)
        if self.tells_non_letters:
            for start, logits in self._logits(glyphs):
                none = logits[:, -1:]
                odds = np.exp(np.minimum(logits[:, self._is_character] - none, 80)).sum(axis=1)
                answers[start : start + BATCH] = 1 / (1 + odds)
        return answers

    def _logits(self, glyphs: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield batches of outputs, each with the index of its first glyph."""
        for start in range(0, len(glyphs), BATCH):
            yield start, self._session.run(None, {self._input: glyphs[start : start + BATCH]})[0]

    def rank(self, glyphs: list[NDArray[np.uint8]]) -> list[tuple[tuple[str, float], ...]]:
        """Return the best three characters of each glyph with their confidence, best first.

        Args:
            glyphs: uint8 arrays, 28×28 each; may be empty.
        """
        if not glyphs:
            return []
        probabilities = self.probabilities(np.stack(glyphs))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :CHOICES]
        return [
            tuple((self._characters[index], round(float(row[index]), 6)) for index in best)
            for row, best in zip(probabilities, order, strict=True)
        ]
