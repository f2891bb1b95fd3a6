"""A training that is stopped, resumed, or does not fit its folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import BadData, LettermillError, ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import load_model
from lettermill.training import recipe
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE
from lettermill.training.fitting.network import open_model
from lettermill.training.letters.split import Split
from lettermill.training.training_settings import TrainingSettings
from tests.drawn_letters import drawn_letters
from tests.support import wait_for

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.usefixtures("small_network"),
]

SETTINGS = TrainingSettings(epochs=3, glyphs_per_epoch=256)


@pytest.fixture(scope="module")
def parts() -> Split:
    faces = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
    other = drawn_letters("two", (cv2.FONT_HERSHEY_TRIPLEX,))
    return Split(drawn_letters("one", faces), other, other)


def interrupt_after(line: str) -> Callable[[str], None]:
    """Press Ctrl-C when a line of progress begins so."""
    return lambda said: signal.raise_signal(signal.SIGINT) if said.startswith(line) else None


@pytest.fixture(scope="module")
def stopped(parts: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODEL_DIR whose training was stopped after the first of three epochs; not to be changed."""
    folder = tmp_path_factory.mktemp("stopped") / "model"
    with pytest.raises(KeyboardInterrupt):
        recipe.train_model(parts, SETTINGS, folder, interrupt_after("epoch 1/"))
    return folder


def test_ctrl_c_writes_the_best_so_far(stopped: Path, parts: Split) -> None:
    model = load_model(stopped)
    assert model.network  # its checksum is that of the card
    assert model.card["epochs"] == {"trained": 1, "kept": 1}
    assert model.card["figures"]["test"]["all_classes"]["glyphs"] == len(parts.test)
    assert (stopped / CHECKPOINT_FILE).exists() and not (stopped / ".new").exists()


def test_an_ended_training_is_not_resumed(stopped: Path, parts: Split, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "model"))
    (folder / CHECKPOINT_FILE).unlink()
    with pytest.raises(UsageProblem, match="nothing to resume"):
        recipe.train_model(parts, SETTINGS, folder, lambda line: None, resume=True)


def test_ctrl_c_before_the_first_epoch_ends_writes_nothing(parts: Split, tmp_path: Path) -> None:
    def press() -> None:
        wait_for(lambda: any("batches" in thread.name for thread in threading.enumerate()))
        os.kill(os.getpid(), signal.SIGINT)

    lines: list[str] = []
    endless = dataclasses.replace(SETTINGS, glyphs_per_epoch=1_000_000)
    person = threading.Thread(target=press)
    person.start()
    with pytest.raises(KeyboardInterrupt):
        recipe.train_model(parts, endless, tmp_path / "model", lines.append)
    person.join()
    assert "Stopped before the end of the first epoch: nothing was written." in lines
    assert not (tmp_path / "model").exists()
    assert not any("batches" in thread.name for thread in threading.enumerate())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damaged(folder: Path) -> None:
    content = bytearray((folder / CHECKPOINT_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / CHECKPOINT_FILE).write_bytes(content)


def cut_off(folder: Path) -> None:
    (folder / CHECKPOINT_FILE).write_bytes((folder / CHECKPOINT_FILE).read_bytes()[:-1000])


def unharmed(folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("harm", "changes", "share", "resume", "error", "match"),
    [
        (damaged, {}, 1, True, ModelProblem, "is damaged"),
        (cut_off, {}, 1, True, ModelProblem, "is damaged"),
        (unharmed, {"seed": 8, "epochs": 5}, 1, True, UsageProblem, "other settings: epochs, seed"),
        (unharmed, {}, 2, True, BadData, "other letters"),
        (unharmed, {}, 1, False, UsageProblem, "has not ended"),
    ],
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(
    stopped: Path,
    parts: Split,
    tmp_path: Path,
    harm: Callable[[Path], None],
    changes: dict[str, Any],
    share: int,
    resume: bool,
    error: type[LettermillError],
    match: str,
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "model"))
    harm(folder)
    before = contents(folder)
    fewer = dataclasses.replace(parts, train=parts.train[np.arange(0, len(parts.train), share)])
    settings = dataclasses.replace(SETTINGS, **changes)
    with pytest.raises(error, match=match) as caught:
        recipe.train_model(fewer, settings, folder, lambda line: None, resume=resume)
    assert CHECKPOINT_FILE in caught.value.what and caught.value.next_step
    assert contents(folder) == before


def test_a_damaged_keras_model_is_not_opened(stopped: Path, tmp_path: Path) -> None:
    card = load_model(stopped).card
    content = bytearray((stopped / "model.keras").read_bytes())
    content[-30] ^= 1
    (tmp_path / "model.keras").write_bytes(content)
    for path in (tmp_path / "model.keras", tmp_path / "nowhere.keras"):
        with pytest.raises(ModelProblem, match=path.name):
            open_model(path, card["keras_sha256"])
