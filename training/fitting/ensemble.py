"""Averages several trained networks, whose mean answer a new network learns beside the labels.

This is ensemble distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531). The ensemble is the networks
that leave-one-out trained. Each was trained without one source, so for a letter of any source one network of
the ensemble has not seen that source, and all others have.
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
from lettermill.training.fitting.litert_export import write_network
from lettermill.training.fitting.network import open_model
from lettermill.worker.reading.litert_network import Network

UNSEEN = "without_"
"""Prefix of the folder of a network; the source that the network was trained without follows."""

_LARGEST_LOG_ODDS = 50
"""Log-odds are clipped to ± this before they are exponentiated, so that nothing overflows."""


class Ensemble:
    """Answers with the mean of several networks, each run on LiteRT as a reader runs it."""

    def __init__(self, networks: Mapping[Path, str], labels: tuple[str, ...]) -> None:
        """Load the networks that `lettermill train --leave-one-out` left.

        Args:
            networks: Keras models with their SHA-256, as `leave_one_out_report.network_hashes` lists them.
                The folder of each is named after the source that it has not seen.
            labels: the classes that they must have.

        Raises:
            ModelProblem: a network is missing or damaged.
            BadData: a network has other classes.
        """
        self._has_reject_class = labels[-1] == NOT_A_LETTER
        self._networks = []
        self._unseen = [file.parent.name.removeprefix(UNSEEN) for file in networks]
        hashes = hashlib.sha256()
        with tempfile.TemporaryDirectory() as scratch:
            for file, sha256 in networks.items():
                model = open_model(file, sha256)
                if model.output_shape[-1] != len(labels):
                    raise BadData(
                        f"{display_path(file)} has {model.output_shape[-1]} classes, not {len(labels)}",
                        "The networks of --left-out must be trained by the same version and for the same "
                        "classes.",
                    )
                written = Path(scratch) / "network.tflite"
                write_network(model, written)
                hashes.update(written.read_bytes())
                self._networks.append(Network(written.read_bytes()))
        self._digest = hashes.hexdigest()

    def digest(self) -> str:
        """Return a SHA-256 of all networks."""
        return self._digest

    def __len__(self) -> int:
        return len(self._networks)

    def answers(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean probability of each class.

        Args:
            glyphs: uint8, n×28×28.

        Returns:
            float32, n×classes; rows sum to 1. The reject class has its binary probability; the characters
            share the rest.
        """
        answers = [self._answer(network.logits(glyphs)) for network in self._networks]
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def logits_of_unseen(self, glyphs: NDArray[np.uint8], source: str) -> list[NDArray[np.float32]]:
        """Return the outputs of each network that has not seen a source; of all if every one has seen it.

        Args:
            glyphs: uint8, n×28×28.
            source: the name of a source.

        Returns:
            One float32 n×classes array per network.
        """
        unseen = [
            network for network, name in zip(self._networks, self._unseen, strict=True) if name == source
        ]
        return [network.logits(glyphs) for network in unseen or self._networks]

    def _answer(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        characters = logits[:, :-1] if self._has_reject_class else logits
        powers = np.exp(characters - characters.max(axis=1, keepdims=True))
        total = powers.sum(axis=1, keepdims=True)
        if not self._has_reject_class:
            return np.asarray(powers / total)
        log_odds = characters.max(axis=1, keepdims=True) + np.log(total) - logits[:, -1:]
        is_letter = 1 / (1 + np.exp(-np.clip(log_odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)))
        return np.concatenate([is_letter * powers / total, 1 - is_letter], axis=1)
