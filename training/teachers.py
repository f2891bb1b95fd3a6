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

from jobs.errors import BadData
from jobs.files import shown
from jobs.models import NOT_A_LETTER
from training import export
from training.checkpoint import open_model
from training.network import INPUT_NAME, OUTPUT_NAME

UNSEEN = "without_"
"""Begins the name of a network's folder, before the source that it was trained without."""


class Teachers:
    """Answers as the mean of several networks, through ONNX Runtime on one thread."""

    def __init__(self, networks: Mapping[Path, str], labels: tuple[str, ...]) -> None:
        """Load the networks that `lettermill train --leave-one-out` left.

        Args:
            networks: Keras models with their SHA-256, as `training.leave_one_out.networks` lists them: the
                folder of each is named after the source that it has not seen.
            labels: the classes that they must have.

        Raises:
            ModelProblem: one is missing or damaged.
            BadData: one has other classes.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._has_non_letter = labels[-1] == NOT_A_LETTER
        self._sessions = []
        self._unseen = [file.parent.name.removeprefix(UNSEEN) for file in networks]
        hashes = hashlib.sha256()
        with tempfile.TemporaryDirectory() as scratch:
            for file, sha256 in networks.items():
                model = open_model(file, sha256)
                if model.output_shape[-1] != len(labels):
                    raise BadData(
                        f"{shown(file)} has {model.output_shape[-1]} classes, not {len(labels)}",
                        "Teachers must be trained by the same version and for the same classes.",
                    )
                onnx = Path(scratch) / "teacher.onnx"
                export.write_onnx(model, onnx)
                hashes.update(onnx.read_bytes())
                self._sessions.append(onnxruntime.InferenceSession(onnx.read_bytes(), options))
        self._digest = hashes.hexdigest()

    def digest(self) -> str:
        """Return a digest of all networks."""
        return self._digest

    def __len__(self) -> int:
        return len(self._sessions)

    def answers(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean probability of each class.

        Args:
            glyphs: uint8, n×28×28.

        Returns:
            float32, n×classes; rows sum to 1. That of "not a letter" is the binary one, and the others share
            the rest.
        """
        answers = [
            self._answer(session.run([OUTPUT_NAME], {INPUT_NAME: glyphs})[0]) for session in self._sessions
        ]
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def logits_of_unseen(self, glyphs: NDArray[np.uint8], source: str) -> list[NDArray[np.float32]]:
        """Return the outputs of the networks that have not seen a source; of all where each has."""
        own = [
            session for session, unseen in zip(self._sessions, self._unseen, strict=True) if unseen == source
        ]
        return [session.run([OUTPUT_NAME], {INPUT_NAME: glyphs})[0] for session in own or self._sessions]

    def _answer(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        characters = logits[:, :-1] if self._has_non_letter else logits
        powers = np.exp(characters - characters.max(axis=1, keepdims=True))
        total = powers.sum(axis=1, keepdims=True)
        if not self._has_non_letter:
            return np.asarray(powers / total)
        odds = characters.max(axis=1, keepdims=True) + np.log(total) - logits[:, -1:]
        is_letter = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        return np.concatenate([is_letter * powers / total, 1 - is_letter], axis=1)
