"""A training of both networks: what it writes, and how it is stopped, resumed, or does not fit its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
from lettermill.jobs.inputs.model import FIRST_FILE, load_model
from lettermill.training import recipe
from lettermill.training.fitting import fit
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE
from lettermill.training.fitting.litert_export import write_network
from lettermill.training.fitting.network import build, multiply_adds
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.letters.split import Split, classes_of
from lettermill.training.measure import measure
from lettermill.training.recipe import FIRST_FOLDER
from lettermill.training.training_settings import CLASSES, TrainingSettings
from lettermill.worker.reading.cascade import load_cnn
from lettermill.worker.reading.litert_network import Network
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
    assert model.first_card is None and not (stopped / FIRST_FILE).exists()
    assert model.network  # its checksum is that of the card
    assert model.card["epochs"] == {"trained": 1, "kept": 1}
    assert model.card["figures"]["test"]["all_classes"]["glyphs"] == len(parts.test)
    assert (stopped / CHECKPOINT_FILE).exists() and not (stopped / ".new").exists()


@pytest.fixture(scope="module")
def trained(parts: Split, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    """A MODEL_DIR whose training came to its end, the card's values, and what was said; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    lines: list[str] = []
    return folder, recipe.train_model(parts, SETTINGS, folder, lines.append), lines


def test_the_large_network_is_trained_and_then_the_first(
    trained: tuple[Path, dict[str, Any], list[str]],
) -> None:
    folder, card, lines = trained
    model = load_model(folder)
    model.check()
    others = {"line_network", "region_network"}
    written = {key: value for key, value in model.card.items() if key not in others}
    assert written == json.loads(json.dumps(card))
    content, first = model.first_network, card["first_network"]
    assert content is not None and content != model.network
    assert first["sha256"] == hashlib.sha256(content).hexdigest() and first["bytes"] == len(content)
    assert first["epochs"]["trained"] == card["epochs"]["trained"] == 3
    for size, described in (("first", first), ("large", card)):
        network = build(len(CLASSES), size)
        assert described["parameters"] == network.count_params()
        assert described["multiply_adds"] == multiply_adds(network)
    assert first["multiply_adds"] < card["multiply_adds"]
    ready = next(place for place, line in enumerate(lines) if line.startswith("the large network is ready"))
    epochs = [place for place, line in enumerate(lines) if line.startswith("epoch ")]
    assert len(epochs) == 6 and epochs[2] < ready < epochs[3]
    assert {path.name for path in folder.iterdir()} == {
        *("regions.tflite", "handprint.tflite", "first.tflite", "line.tflite", "handprint.json"),
        *("handprint.weights.npz", "first.weights.npz", "line.weights.npz"),
        *("model.keras", "history.csv", "report"),
    }


def test_the_figures_are_those_of_both_networks_together(
    trained: tuple[Path, dict[str, Any], list[str]], parts: Split
) -> None:
    folder, card, _ = trained
    logits = load_cnn(load_model(folder)).logits(parts.test.glyphs)
    measured = measure(logits, classes_of(parts.test), card["temperature"], labels=CLASSES)
    found = card["figures"]["test"]["all_classes"]
    assert (found["accuracy"], found["loss"]) == (round(measured.accuracy, 4), round(measured.loss, 4))


def test_the_first_network_learns_from_the_large_one(
    trained: tuple[Path, dict[str, Any], list[str]], parts: Split
) -> None:
    model = load_model(trained[0])
    teacher = Teacher(model.network, CLASSES)
    same = fit.train(
        parts.train, parts.validation, SETTINGS, lambda line: None, size="first", teacher=teacher
    )
    write_network(same.model, trained[0].parent / "same.tflite")
    assert (trained[0].parent / "same.tflite").read_bytes() == model.first_network


@pytest.fixture(scope="module")
def stopped_in_the_first(parts: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODEL_DIR whose training was stopped after an epoch of the first network; not to be changed."""
    folder = tmp_path_factory.mktemp("stopped") / "model"
    seen: list[str] = []

    def press(said: str) -> None:
        seen.extend([said] if said.startswith("epoch 1/") else [])
        if len(seen) == 2 and said == seen[-1]:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        recipe.train_model(parts, SETTINGS, folder, press)
    return folder


def test_ctrl_c_in_the_first_network_writes_both(
    stopped_in_the_first: Path, trained: tuple[Path, dict[str, Any], list[str]]
) -> None:
    model = load_model(stopped_in_the_first)
    model.check()
    assert model.network == load_model(trained[0]).network
    assert model.first_card is not None and model.first_card["epochs"] == {"trained": 1, "kept": 1}
    for folder in (stopped_in_the_first, stopped_in_the_first / FIRST_FOLDER):
        assert (folder / CHECKPOINT_FILE).exists()


def test_ctrl_c_between_the_networks_keeps_what_the_large_one_has_learnt(
    parts: Split, tmp_path: Path
) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        recipe.train_model(parts, settings, tmp_path, interrupt_after("the large network is ready"))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    lines: list[str] = []
    recipe.train_model(parts, settings, tmp_path, lines.append, resume=True)
    assert "resuming after epoch 1 of 1" in lines
    assert sum(line.startswith("epoch 1/1") for line in lines) == 1
    load_model(tmp_path).check()


def test_a_training_stopped_in_the_first_network_resumes_there(
    stopped_in_the_first: Path,
    parts: Split,
    trained: tuple[Path, dict[str, Any], list[str]],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(stopped_in_the_first, tmp_path / "model"))
    lines: list[str] = []
    recipe.train_model(parts, SETTINGS, folder, lines.append, resume=True)
    assert [line for line in lines if line.startswith("resuming")] == [
        "resuming after epoch 3 of 3",
        "resuming after epoch 1 of 3",
    ]
    assert sum(line.startswith("epoch ") for line in lines) == 2
    for name in ("handprint.tflite", "first.tflite"):
        assert (folder / name).read_bytes() == (trained[0] / name).read_bytes()
    assert not (folder / CHECKPOINT_FILE).exists() and not (folder / FIRST_FOLDER).exists()


def test_a_training_stopped_in_the_large_network_resumes_with_it(
    stopped: Path, parts: Split, trained: tuple[Path, dict[str, Any], list[str]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "model"))
    recipe.train_model(parts, SETTINGS, folder, lambda line: None, resume=True)
    for name in ("handprint.tflite", "first.tflite"):
        assert (folder / name).read_bytes() == (trained[0] / name).read_bytes()


def test_a_new_training_forgets_the_first_network_of_a_former_one(
    stopped_in_the_first: Path, parts: Split, tmp_path: Path
) -> None:
    """As the message about a checkpoint says: delete that file to start anew."""
    folder = Path(shutil.copytree(stopped_in_the_first, tmp_path / "model"))
    (folder / CHECKPOINT_FILE).unlink()
    (folder / FIRST_FOLDER / "ours.txt").write_text("not of a training")
    settings = dataclasses.replace(SETTINGS, epochs=1, seed=8)
    recipe.train_model(parts, settings, folder, lambda line: None)
    assert [path.name for path in (folder / FIRST_FOLDER).iterdir()] == ["ours.txt"]


def networks_that_differ(folder: Path, difference: float) -> tuple[Network, Network]:
    """Two networks with sure answers, alike but for the weights of their outputs."""
    import keras

    keras.utils.set_random_seed(5)
    model, numbers = build(len(CLASSES), "first"), np.random.default_rng(6)
    weights, biases = model.layers[-1].get_weights()
    both = []
    for name, noise in (("first", 0.0), ("large", difference)):
        changed = 20 * (weights + noise * numbers.normal(0, weights.std(), weights.shape))
        model.layers[-1].set_weights([changed, biases])
        write_network(model, folder / f"{name}.tflite")
        both.append(Network((folder / f"{name}.tflite").read_bytes()))
    return both[0], both[1]


def test_the_first_network_is_trusted_the_less_the_more_it_differs(parts: Split, tmp_path: Path) -> None:
    bounds, again = [], []
    for difference in (0.0, 0.05, 100.0):
        first, large = networks_that_differ(tmp_path, difference)
        bound, share = recipe._sure_above(first, large, parts, SETTINGS)
        bounds.append(bound)
        again.append(share)
    assert bounds[0] == 0.5 < bounds[1] < 1 < bounds[2]
    assert 0 < again[0] < again[1] < again[2] == 1


def test_a_first_network_that_is_never_sure_is_not_trusted(parts: Split, tmp_path: Path) -> None:
    """Whatever it answers, the large network answers the same."""
    import keras

    keras.utils.set_random_seed(5)
    write_network(build(len(CLASSES), "first"), tmp_path / "first.tflite")
    network = Network((tmp_path / "first.tflite").read_bytes())
    bound, share = recipe._sure_above(network, network, parts, SETTINGS)
    assert bound > 1 and share == 1


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
