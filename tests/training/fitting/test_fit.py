"""The training loop: cut off and resumed, stopped, ended early; what it keeps and what it refuses."""

from __future__ import annotations

import dataclasses
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lettermill import cli
from lettermill.jobs.errors import BadData, LettermillError, ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import load_model
from lettermill.segmentation.glyph import normalise
from lettermill.training import recipe
from lettermill.training.fitting import fit
from lettermill.training.fitting.batches import batches, drawn_ahead
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE
from lettermill.training.fitting.fit import Epoch, best_epoch, kept_epoch
from lettermill.training.fitting.network import open_model
from lettermill.training.letters import sources
from lettermill.training.letters.sources import Letters, canvas_of
from lettermill.training.letters.split import Split, classes_of, split
from lettermill.training.measure import measure
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings
from tests.support import Starter, wait_for

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SETTINGS = TrainingSettings(epochs=3, glyphs_per_epoch=256)


def drawn_letters(source: str, faces: tuple[int, ...]) -> Letters:
    """Draw every label once in each face."""
    images = []
    for face in faces:
        for label in LABELS:
            image = np.zeros((60, 60), np.uint8)
            cv2.putText(image, label, (14, 46), face, 1.6, 255, 3, cv2.LINE_AA)
            images.append(image)
    count = len(images)
    return Letters(
        np.stack([normalise(image) for image in images]),
        np.stack([canvas_of(image) for image in images]),
        np.array(LABELS * len(faces)),
        np.full(count, source),
        np.full(count, ""),
    )


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


def assert_same(weights: list[Any], others: list[Any]) -> None:
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


def weights_in(folder: Path) -> list[Any]:
    card = load_model(folder).card
    weights: list[Any] = open_model(folder / "model.keras", card["keras_sha256"]).get_weights()
    return weights


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


def test_a_killed_training_goes_on_to_the_same_model(tmp_path: Path, start: Starter) -> None:
    for seed, name in enumerate(("one", "two")):
        letters = drawn_letters(name, (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)[seed : seed + 1])
        np.savez(tmp_path / f"{name}.npz", x=letters.canvases, y=letters.labels)
    words = ["train", "--data", tmp_path, "--epochs", 8, "--glyphs-per-epoch", 512, "--validate-on", "two"]
    process = start(*words, "--out", tmp_path / "killed")
    wait_for((tmp_path / "killed" / CHECKPOINT_FILE).exists)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "handprint.json").exists()
    arguments = [*map(str, words), "--out", str(tmp_path / "killed"), "--resume"]
    result = CliRunner().invoke(cli.lettermill, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "resuming after epoch" in result.output
    assert not (tmp_path / "killed" / CHECKPOINT_FILE).exists()
    settings = TrainingSettings(epochs=8, glyphs_per_epoch=512, validate_on="two")
    both = split(sources.load(sources.find([tmp_path])[0]), settings)
    undisturbed = fit.train(both.train, both.validation, settings, lambda line: None)
    assert_same(weights_in(tmp_path / "killed"), undisturbed.model.get_weights())


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


def test_the_best_epoch_is_kept_and_the_training_ends_early(parts: Split) -> None:
    # To answer these wrong labels is what training unlearns: the loss rises when it has begun to work.
    wrong = dataclasses.replace(parts.train, labels=np.roll(parts.train.labels, 1))
    settings = dataclasses.replace(SETTINGS, epochs=40, patience=2)
    lines: list[str] = []
    trained = fit.train(parts.train, wrong, settings, lines.append)
    assert len(trained.history) == best_epoch(trained.history) + 2 < 40
    assert "the validation loss has not fallen for 2 epochs: training ends" in lines
    losses = [row.validation_loss for row in trained.history]
    kept = trained.history[trained.kept - 1]
    assert (
        kept.validation_loss
        <= min(losses) + trained.history[best_epoch(trained.history) - 1].validation_error
    )
    again = measure(fit.logits_of(trained.model, wrong.glyphs), classes_of(wrong), labels=CLASSES)
    assert again.loss == pytest.approx(kept.validation_loss, rel=1e-4)


def test_an_epochs_figures_are_those_of_all_its_batches(
    parts: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    seen = []
    plain = keras.Model.train_on_batch

    def noted(*words: Any, **options: Any) -> Any:
        logs = plain(*words, **options)
        seen.append((logs["loss"], logs["accuracy"]))
        return logs

    monkeypatch.setattr(keras.Model, "train_on_batch", noted)
    settings = TrainingSettings(epochs=2, glyphs_per_epoch=256, batch=32)
    history = fit.train(parts.train, None, settings, lambda line: None).history
    assert len(seen) == 16 and seen[6] != seen[7]
    for row, batches_of_it in zip(history, (seen[:8], seen[8:]), strict=True):
        assert (row.loss, row.accuracy) == pytest.approx(tuple(np.mean(batches_of_it, axis=0)))


@given(st.lists(st.floats(0, 9), min_size=1))
def test_kept_is_the_last_within_an_error_of_the_lowest_and_the_last_where_none_was_measured(
    losses: list[float],
) -> None:
    history = [Epoch(place, 0, 0, loss, 0, 0) for place, loss in enumerate(losses, start=1)]
    assert best_epoch(history) == losses.index(min(losses)) + 1
    unsure = [dataclasses.replace(row, validation_error=1.0) for row in history]
    assert kept_epoch(unsure) == max(row.epoch for row in history if row.validation_loss <= min(losses) + 1)
    blind = [dataclasses.replace(row, validation_loss=float("nan")) for row in history]
    assert kept_epoch(blind) == len(losses)


def test_an_epochs_batches_do_not_depend_on_earlier_ones(parts: Split) -> None:
    settings = TrainingSettings(batch=8, glyphs_per_epoch=16)
    whole, second = batches(parts.train, settings), batches(parts.train, settings, first_epoch=2)
    first = [next(whole) for _ in range(2)]
    for _ in range(2):
        for one, other in zip(next(whole), next(second), strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0][0], next(batches(parts.train, settings, first_epoch=2))[0])


def counted(limit: int, drawn: list[int]) -> Iterator[Any]:
    for number in range(limit):
        drawn.append(number)
        yield number
    raise RuntimeError("no more")


def test_drawing_ahead_keeps_the_order_and_hands_errors_on() -> None:
    taken, ahead = [], drawn_ahead(counted(20, []))
    with pytest.raises(RuntimeError, match="no more"):
        taken.extend(ahead)
    assert taken == list(range(20))
    assert list(drawn_ahead(iter([]))) == []


def test_drawing_ahead_is_bounded_and_ends_when_closed() -> None:
    drawn: list[int] = []
    ahead = drawn_ahead(counted(1000, drawn))
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    ahead.close()
    assert len(drawn) <= 3 + 5
    assert not any("batches" in thread.name for thread in threading.enumerate())


BAR = """
from lettermill.training.fitting.progress import bar
with bar(1000, 0, 5) as advance:
    for _ in range(3):
        advance(2, 128, 0.5, 0.75)
"""


def test_a_terminal_gets_a_bar() -> None:
    terminal, end = pty.openpty()
    subprocess.run([sys.executable, "-c", BAR], stderr=end, check=True, timeout=60)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "epoch 2/5" in shown and "loss 0.500 accuracy 75.0%" in shown
    assert "glyphs/s" in shown and "left" in shown


def test_anything_else_gets_none() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True, timeout=60)
    assert done.stderr == b"" and done.stdout == b""
