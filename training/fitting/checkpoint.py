"""Keeps an unfinished training on disk, so that it can go on after a kill as if nothing had happened."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.training.letters.sources import Letters
from lettermill.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from lettermill.training.fitting.teachers import Teachers

CHECKPOINT_FILE = "checkpoint.bin"
KERAS_FILE = "model.keras"

Arrays = list[NDArray[Any]]

_HASH_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What a training is about: with the same identity the same weights come out."""

    settings: dict[str, Any]
    labels: list[str]
    data: str
    """A digest of the letters."""

    @classmethod
    def of(
        cls, settings: TrainingSettings, labels: tuple[str, ...], *parts: Letters | Teachers | None
    ) -> Identity:
        """Return the identity of a training on some parts of the letters, by some teachers."""
        data = " ".join(part.digest() if part is not None else "none" for part in parts)
        return cls(settings.to_json(), list(labels), hashlib.sha256(data.encode()).hexdigest())

    def check(self, other: Identity, path: Path) -> None:
        """Check that a file's training is this one.

        Args:
            other: what the file says.
            path: the file.

        Raises:
            UsageProblem: it was made with other settings or classes.
            BadData: it was made with other letters.
        """
        names = self.settings.keys() | other.settings.keys()
        different = sorted(name for name in names if self.settings.get(name) != other.settings.get(name))
        if different or self.labels != other.labels:
            what = ", ".join(different) or "the classes"
            raise UsageProblem(
                f"{display_path(path)} is of a training with other settings: {what}",
                "Give the options of that training again, or another --out for a new one.",
            )
        if self.data != other.data:
            raise BadData(
                f"{display_path(path)} is of a training with other letters",
                "Give --data the same files as then, or another --out for a new training.",
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training after one of its epochs."""

    identity: Identity
    history: list[dict[str, Any]]
    """A row an epoch."""

    state: Arrays
    """All variables of network and optimizer, the state of its chance among them."""

    best: Arrays
    """The network's weights after the best epoch so far."""


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint whole: the SHA-256 of what follows, then a NumPy archive."""
    about = {"identity": dataclasses.asdict(checkpoint.identity), "history": checkpoint.history}
    content = io.BytesIO()
    arrays = {f"state_{place:03}": array for place, array in enumerate(checkpoint.state)}
    arrays |= {f"best_{place:03}": array for place, array in enumerate(checkpoint.best)}
    np.savez(content, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    with atomic_write(path) as file:
        file.buffer.write(hashlib.sha256(content.getbuffer()).digest())
        file.buffer.write(content.getbuffer())


def read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelProblem: it is damaged.
    """
    content = path.read_bytes()
    if hashlib.sha256(content[_HASH_BYTES:]).digest() != content[:_HASH_BYTES]:
        raise ModelProblem(
            f"{display_path(path)} is damaged: its checksum is of another content",
            "Delete it and train from the beginning; the model files beside it are as they were.",
        )
    with np.load(io.BytesIO(content[_HASH_BYTES:]), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(str(arrays.pop("about")))
    return Checkpoint(
        Identity(**about["identity"]),
        about["history"],
        [arrays[name] for name in sorted(arrays) if name.startswith("state_")],
        [arrays[name] for name in sorted(arrays) if name.startswith("best_")],
    )


def open_model(path: Path, sha256: str) -> Any:
    """Open a Keras model whose checksum is known.

    Args:
        path: `model.keras`.
        sha256: of the file, as the card (or a fold's outputs) says.

    Raises:
        ModelProblem: the file is missing or damaged, or of another version of Keras.
    """
    import keras

    advice = f"Fetch {display_path(path.parent)} again, or delete it and train again."
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelProblem(f"cannot read {display_path(path)}: {error.strerror}", advice) from error
    if found != sha256:
        raise ModelProblem(f"{display_path(path)} is damaged: its checksum is another than was noted", advice)
    try:
        return keras.models.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        raise ModelProblem(f"Keras cannot open {display_path(path)}: {error}", advice) from error
