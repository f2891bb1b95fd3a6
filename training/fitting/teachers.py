"""An ensemble of trained networks whose mean answer a new one learns beside the labels.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531. The networks that leave-one-out trained serve as teachers:
about a source's letters four of five speak from having seen it, and the fifth as somebody who has not.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import litert_export as export
from lettermill.training.fitting.checkpoint import open_model
from lettermill.worker.reading.litert_network import Network

UNSEEN = "without_"
"""Begins the name of a network's folder, before the source that it was trained without."""


class Teachers:
    """Answers as the mean of several networks, each as a reader would run it."""

    def __init__(self, networks: Mapping[Path, str], labels: tuple[str, ...]) -> None:
        """Load the networks that `lettermill train --leave-one-out` left.

        Args:
            networks: Keras models with their SHA-256, as `leave_one_out.networks` lists them: the
                folder of each is named after the source that it has not seen.
            labels: the classes that they must have.

        Raises:
            ModelProblem: one is missing or damaged.
            BadData: one has other classes.
        """
        self._has_non_letter = labels[-1] == NOT_A_LETTER
        self._networks = []
        self._unseen = [file.parent.name.removeprefix(UNSEEN) for file in networks]
        hashes = hashlib.sha256()
        with tempfile.TemporaryDirectory() as scratch:
            for file, sha256 in networks.items():
                model = open_model(file, sha256)
                if model.output_shape[-1] != len(labels):
                    raise BadData(
                        f"{display_path(file)} has {model.output_shape[-1]} classes, not {len(labels)}",
                        "Teachers must be trained by the same version and for the same classes.",
                    )
                written = Path(scratch) / "teacher.tflite"
                export.write_network(model, written)
                hashes.update(written.read_bytes())
                self._networks.append(Network(written.read_bytes()))
        self._digest = hashes.hexdigest()

    def digest(self) -> str:
        """Return a digest of all networks."""
        return self._digest

    def __len__(self) -> int:
        return len(self._networks)

    def answers(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean probability of each class.

        Args:
            glyphs: uint8, n×28×28.

        Returns:
            float32, n×classes; rows sum to 1. That of "not a letter" is the binary one, and the others share
            the rest.
        """
        answers = [self._answer(network.logits(glyphs)) for network in self._networks]
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def logits_of_unseen(self, glyphs: NDArray[np.uint8], source: str) -> list[NDArray[np.float32]]:
        """Return the outputs of the networks that have not seen a source; of all where each has."""
        own = [
            network for network, unseen in zip(self._networks, self._unseen, strict=True) if unseen == source
        ]
        return [network.logits(glyphs) for network in own or self._networks]

    def _answer(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        characters = logits[:, :-1] if self._has_non_letter else logits
        powers = np.exp(characters - characters.max(axis=1, keepdims=True))
        total = powers.sum(axis=1, keepdims=True)
        if not self._has_non_letter:
            return np.asarray(powers / total)
        odds = characters.max(axis=1, keepdims=True) + np.log(total) - logits[:, -1:]
        is_letter = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        return np.concatenate([is_letter * powers / total, 1 - is_letter], axis=1)
