"""Which model a job uses: the model file, its card, and the copy that a job keeps.

A job copies its model into its own folder, so that a model replaced in mid-job changes nothing: every
page of a job is read by the same network, on whichever machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.storage.atomic import display_path
from lettermill.jobs.storage.disk import Place, place

MODEL_FILE = "handprint.tflite"
CARD_FILE = "handprint.json"

NOT_A_LETTER = "not a letter"
"""The label of a model's output for what is no single character; it comes last and is never an answer."""

_TRAIN = f"Give a folder as `lettermill train --out` wrote it, its {MODEL_FILE} and {CARD_FILE} unchanged."
_FORMER_MODEL_FILE = "handprint.onnx"
_REQUIRED = {"labels", "glyph_version", "temperature", "sha256"}


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A model file and its card.

    Attributes:
        folder: where `handprint.tflite` and `handprint.json` are.
        card: the card's values (labels, glyph version, temperature, figures, sha256, …).
    """

    folder: Place
    card: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Digest of what decides a reading: the network, its labels, calibration and glyph version."""
        identity = {key: self.card[key] for key in sorted(_REQUIRED)}
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def check_knows(self, characters: str) -> None:
        """Check that the model can answer each of some characters.

        Raises:
            ModelProblem: it cannot.
        """
        missing = sorted(set(characters) - set(self.card["labels"]))
        if missing:
            raise ModelProblem(
                f"the model does not know {' '.join(missing)}",
                "Choose another --alphabet, or train a model with these characters.",
            )

    def check(self) -> None:
        """Check that the network file is there, and that it is the one of the card.

        Raises:
            ModelProblem: as `network`.
        """
        _ = self.network

    @property
    def network(self) -> bytes:
        """The network file's bytes.

        Raises:
            ModelProblem: the file is missing, of a former version, or not the one that the card describes.
        """
        path = self.folder / MODEL_FILE
        try:
            network = self.folder.read(MODEL_FILE)
        except OSError as error:
            if (self.folder / _FORMER_MODEL_FILE).exists():
                raise ModelProblem(
                    f"the model in {display_path(self.folder)} is of a former Lettermill: its network is "
                    f"{_FORMER_MODEL_FILE}, this one reads {MODEL_FILE}",
                    "A folder for --model: train it again, or convert it as docs/training.md says. A job: "
                    "run its scans again with this Lettermill, or finish it with the one that made it.",
                ) from error
            raise ModelProblem(
                f"cannot read the model {display_path(path)}: {error.strerror}", _TRAIN
            ) from error
        if hashlib.sha256(network).hexdigest() != self.card["sha256"]:
            raise ModelProblem(f"{display_path(path)} is not the network that its card describes", _TRAIN)
        return network


def installed_model_folder() -> Path:
    """Return the folder of the model that comes with Lettermill, found by name: nothing of it is imported."""
    spec = importlib.util.find_spec("lettermill.worker")
    if spec is None or spec.origin is None:
        raise ModelProblem(
            "the room `worker`, which has the model, is not installed", "Install Lettermill anew."
        )
    return Path(spec.origin).parent / "model"


def load_model(folder: Path | Place) -> Model:
    """Read a model's card.

    Args:
        folder: a folder with `handprint.tflite` and `handprint.json`, as `lettermill train` writes it.

    Raises:
        ModelProblem: the card is missing or damaged.
    """
    folder = place(folder)
    path = folder / CARD_FILE
    try:
        card = json.loads(folder.read(CARD_FILE))
        if not card.keys() >= _REQUIRED:
            raise ValueError("the card lacks labels, glyph_version, temperature or sha256")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelProblem(f"cannot read the model's card {display_path(path)}: {error}", _TRAIN) from error
    return Model(folder, card)
