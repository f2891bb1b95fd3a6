"""Gives the answers of a trained network, from which a smaller one learns beside the labels.

This is distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.worker.reading.litert_network import Network

_LARGEST_LOG_ODDS = 50
"""Log-odds are clipped to ± this before they are exponentiated, so that nothing overflows."""


class Teacher:
    """A network's answers, as a reader runs it.

    Args:
        content: the bytes of the network's file.
        labels: its classes.

    Raises:
        ModelProblem: the bytes are no network.
    """

    def __init__(self, content: bytes, labels: tuple[str, ...]) -> None:
        self._network = Network(content)
        self._digest = hashlib.sha256(content).hexdigest()
        self._has_reject_class = labels[-1] == NOT_A_LETTER

    def digest(self) -> str:
        """Return a SHA-256 of the network."""
        return self._digest

    def answers(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class.

        Args:
            glyphs: uint8, n×28×28.

        Returns:
            float32, n×classes; rows sum to 1. The reject class has its binary probability; the characters
            share the rest.
        """
        logits = self._network.logits(glyphs)
        characters = logits[:, :-1] if self._has_reject_class else logits
        powers = np.exp(characters - characters.max(axis=1, keepdims=True))
        total = powers.sum(axis=1, keepdims=True)
        if not self._has_reject_class:
            return np.asarray(powers / total)
        log_odds = characters.max(axis=1, keepdims=True) + np.log(total) - logits[:, -1:]
        is_letter = 1 / (1 + np.exp(-np.clip(log_odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)))
        return np.concatenate([is_letter * powers / total, 1 - is_letter], axis=1)
