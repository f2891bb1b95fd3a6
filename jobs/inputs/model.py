"""Load and check the model that a job uses: the networks' files and their card.

A job copies its model into its own folder, so that all of its pages are read by the same networks on every
machine, even if the original is replaced while the job runs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

MODEL_FILE = "handprint.tflite"
CARD_FILE = "handprint.json"
FIRST_FILE = "first.tflite"
LINE_FILE = "line.tflite"
REGION_FILE = "regions.tflite"

NOT_A_LETTER = "not a letter"
"""The label of the reject class: ink that is not one character. It is the last label, and never an answer."""

_TRAIN = "Give a folder that `lettermill train --out` wrote, its files unchanged."
_FORMER_MODEL_FILE = "handprint.onnx"
_REQUIRED_KEYS = {"labels", "glyph_version", "temperature", "sha256"}
_FIRST_KEYS = {"sha256", "sure_above"}
_LINE_KEYS = {"labels", "line_version", "sha256"}
_REGION_KEYS = {"region_version", "sha256"}


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A model file and its card.

    Attributes:
        folder: where `handprint.tflite`, `first.tflite`, `line.tflite`, `regions.tflite` and `handprint.json`
            are.
        card: the card's values (labels, glyph version, temperature, figures, sha256, …).
    """

    folder: Place
    card: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Digest of what decides a reading: the networks, the labels, temperature and glyph version."""
        identity = {key: self.card[key] for key in sorted(_REQUIRED_KEYS)}
        if self.first_card:
            identity["first network"] = {key: self.first_card[key] for key in sorted(_FIRST_KEYS)}
        if self.line_card:
            deciding = ("calibration", "labels", "line_version", "sha256")
            identity["line network"] = {key: self.line_card.get(key) for key in deciding}
            if "field_calibration" in self.line_card:
                identity["fields"] = self.line_card["field_calibration"]
        if self.region_card:
            identity["region network"] = {key: self.region_card[key] for key in sorted(_REGION_KEYS)}
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def check_knows(self, characters: str) -> None:
        """Check that the model has a label for each of these characters.

        Raises:
            ModelProblem: one is missing.
        """
        missing = sorted(set(characters) - set(self.card["labels"]))
        if missing:
            raise ModelProblem(
                f"the model does not know {' '.join(missing)}",
                "Choose another --alphabet, or train a model with these characters.",
            )

    def check(self) -> None:
        """Check that the networks' files are there, and are those that the card describes.

        Raises:
            ModelProblem: as `network`.
        """
        _ = self.network, self.further_networks

    @property
    def first_card(self) -> dict[str, Any] | None:
        """What the card says of the CNN's first network; None if the large one reads all glyphs."""
        first: dict[str, Any] | None = self.card.get("first_network")
        return first

    @property
    def line_card(self) -> dict[str, Any] | None:
        """What the card says of the line network; None if the model has none."""
        line: dict[str, Any] | None = self.card.get("line_network")
        return line

    @property
    def region_card(self) -> dict[str, Any] | None:
        """What the card says of the region network; None if the model has none."""
        region: dict[str, Any] | None = self.card.get("region_network")
        return region

    @property
    def further_networks(self) -> dict[str, bytes]:
        """The bytes of the networks' files beside the CNN's `handprint.tflite`, by the name of the file.

        Raises:
            ModelProblem: a file is missing, or not the one that the card describes.
        """
        networks = {
            FIRST_FILE: self.first_network,
            LINE_FILE: self.line_network,
            REGION_FILE: self.region_network,
        }
        return {name: content for name, content in networks.items() if content is not None}

    @property
    def first_network(self) -> bytes | None:
        """The bytes of the file of the CNN's first network; None if the model has none.

        Raises:
            ModelProblem: the file is missing, or not the one that the card describes.
        """
        return self._read(FIRST_FILE, self.first_card)

    @property
    def line_network(self) -> bytes | None:
        """The bytes of the line network's file; None if the model has none.

        Raises:
            ModelProblem: the file is missing, or not the one that the card describes.
        """
        return self._read(LINE_FILE, self.line_card)

    @property
    def region_network(self) -> bytes | None:
        """The bytes of the region network's file; None if the model has none.

        Raises:
            ModelProblem: the file is missing, or not the one that the card describes.
        """
        return self._read(REGION_FILE, self.region_card)

    def _read(self, name: str, card: dict[str, Any] | None) -> bytes | None:
        """Return the bytes of a network's file; None if the card does not describe it."""
        if card is None:
            return None
        path = self.folder / name
        try:
            network = self.folder.read(name)
        except OSError as error:
            raise ModelProblem(
                f"cannot read the network {display_path(path)}: {error.strerror}", _TRAIN
            ) from error
        return _checked(network, card["sha256"], path)

    @property
    def network(self) -> bytes:
        """The network file's bytes.

        Raises:
            ModelProblem: the file is missing, of an earlier version, or not the one that the card describes.
        """
        path = self.folder / MODEL_FILE
        try:
            network = self.folder.read(MODEL_FILE)
        except OSError as error:
            if (self.folder / _FORMER_MODEL_FILE).exists():
                raise ModelProblem(
                    f"the model in {display_path(self.folder)} is of a former Lettermill: its network is "
                    f"{_FORMER_MODEL_FILE}, this version reads {MODEL_FILE}",
                    "A folder for --model: train it again, or convert it as docs/training.md says. A job: "
                    "run its scans again with this Lettermill, or finish it with the one that made it.",
                ) from error
            raise ModelProblem(
                f"cannot read the model {display_path(path)}: {error.strerror}", _TRAIN
            ) from error
        return _checked(network, self.card["sha256"], path)


def _checked(network: bytes, sha256: str, path: Place) -> bytes:
    """Return a network's bytes if they are those that its card describes.

    Raises:
        ModelProblem: they are others.
    """
    if hashlib.sha256(network).hexdigest() != sha256:
        raise ModelProblem(f"{display_path(path)} is not the network that its card describes", _TRAIN)
    return network


def installed_model_folder() -> Path:
    """Return the folder of the model that comes with Lettermill; `worker` is only located, not imported."""
    spec = importlib.util.find_spec("lettermill.worker")
    if spec is None or spec.origin is None:
        raise ModelProblem(
            "the package lettermill.worker, which has the model, is not installed",
            "Install Lettermill again.",
        )
    return Path(spec.origin).parent / "model"


def load_model(folder: Path | Place) -> Model:
    """Read a model's card.

    Args:
        folder: a folder with `handprint.tflite` and `handprint.json`, as `lettermill train` writes it.

    Raises:
        ModelProblem: the card is missing or damaged.
    """
    folder = locate(folder)
    path = folder / CARD_FILE
    try:
        card = json.loads(folder.read(CARD_FILE))
        if not card.keys() >= _REQUIRED_KEYS:
            raise ValueError("the card lacks labels, glyph_version, temperature or sha256")
        if "first_network" in card and not card["first_network"].keys() >= _FIRST_KEYS:
            raise ValueError("the card's first_network lacks sha256 or sure_above")
        if "line_network" in card and not card["line_network"].keys() >= _LINE_KEYS:
            raise ValueError("the card's line_network lacks labels, line_version or sha256")
        if "region_network" in card and not card["region_network"].keys() >= _REGION_KEYS:
            raise ValueError("the card's region_network lacks region_version or sha256")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelProblem(f"cannot read the model's card {display_path(path)}: {error}", _TRAIN) from error
    return Model(folder, card)
