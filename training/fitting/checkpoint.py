"""Saves an unfinished training after each epoch, so that it resumes exactly where it was stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.training.training_settings import TrainingSettings

CHECKPOINT_FILE = "checkpoint.bin"
KERAS_FILE = "model.keras"

Arrays = list[NDArray[Any]]

_HASH_BYTES = 32


class _HasDigest(Protocol):
    """What a training depends on: letters, or a teacher."""

    def digest(self) -> str:
        """Return a SHA-256 of the content."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What decides the weights: trainings of the same identity end with the same weights."""

    settings: dict[str, Any]
    labels: list[str]
    data: str
    """A SHA-256 of the letters, of the teacher and of the weights to begin with."""

    @classmethod
    def of(
        cls,
        settings: TrainingSettings,
        labels: tuple[str, ...],
        *parts: _HasDigest | None,
        start: Path | None = None,
    ) -> Identity:
        """Return the identity of a training.

        Args:
            settings: of the training.
            labels: the classes.
            parts: training and validation letters, the teacher.
            start: the file of the weights to begin with; None for random ones.
        """
        digests = [part.digest() if part is not None else "none" for part in parts]
        if start is not None:
            digests.append(hashlib.sha256(start.read_bytes()).hexdigest())
        data = " ".join(digests)
        return cls(settings.to_json(), list(labels), hashlib.sha256(data.encode()).hexdigest())

    def check(self, other: Identity, path: Path) -> None:
        """Check that a file belongs to this training.

        Args:
            other: the identity in the file.
            path: the file, for the messages.

        Raises:
            UsageProblem: the file was written with other settings or classes.
            BadData: the file was written with other letters.
        """
        names = self.settings.keys() | other.settings.keys()
        different = sorted(name for name in names if self.settings.get(name) != other.settings.get(name))
        if different or self.labels != other.labels:
            what = ", ".join(different) or "the classes"
            raise UsageProblem(
                f"{display_path(path)} belongs to a training with other settings: {what}",
                "Repeat the options of that training, or give another --out for a new one.",
            )
        if self.data != other.data:
            raise BadData(
                f"{display_path(path)} belongs to a training with other letters",
                "Give --data the same files as before, or another --out for a new training.",
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after an epoch."""

    identity: Identity
    history: list[dict[str, Any]]
    """One row per epoch."""

    state: Arrays
    """All variables of network and optimizer, the state of the random generators included."""

    best: Arrays
    """The network's weights after the best epoch so far."""


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint atomically: the SHA-256 of what follows, then a NumPy archive."""
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
        ModelProblem: the file is damaged.
    """
    content = path.read_bytes()
    if hashlib.sha256(content[_HASH_BYTES:]).digest() != content[:_HASH_BYTES]:
        raise ModelProblem(
            f"{display_path(path)} is damaged: its checksum does not match its content",
            "Delete it and train from the beginning; the model files beside it are unchanged.",
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
