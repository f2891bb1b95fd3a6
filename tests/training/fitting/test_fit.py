"""The training loop: which epoch is kept, when it ends, what an epoch reports."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.errors import BadData
from lettermill.training.fitting import checkpoint, fit, network
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE
from lettermill.training.fitting.fit import Epoch, best_epoch, kept_epoch
from lettermill.training.fitting.litert_export import write_network
from lettermill.training.fitting.network_weights import named_weights, write_weights
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.letters.split import Split, classes_of
from lettermill.training.measure import masked_softmax, measure
from lettermill.training.training_settings import CLASSES, TrainingSettings
from tests.drawn_letters import drawn_letters

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


def test_the_size_decides_which_network_is_trained(parts: Split) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    for size in ("first", "large"):
        trained = fit.train(parts.train, None, settings, lambda line: None, size=size)
        assert trained.model.count_params() == network.build(len(CLASSES), size).count_params()
    assert network.build(37, "first").count_params() != network.build(37, "large").count_params()


def test_a_teacher_s_answers_are_learnt(parts: Split) -> None:
    """Of letters of one class that the teacher takes for another, half of the target is the other one."""
    only = parts.train[parts.train.labels == "A"]
    teacher = Teacher(sure_of("B"), CLASSES)
    assert teacher.answers(only.glyphs)[:, CLASSES.index("B")].min() > 0.99
    settings = dataclasses.replace(SETTINGS, epochs=2, glyphs_per_epoch=512, learning_rate=0.01)
    shares = {}
    for name, one in (("taught", teacher), ("alone", None)):
        model = fit.train(only, None, settings, lambda line: None, size="first", teacher=one).model
        probabilities = masked_softmax(fit.logits_of(model, only.glyphs), 1.0, labels=CLASSES)
        shares[name] = probabilities[:, CLASSES.index("B")].mean()
    assert shares["taught"] > 2 * shares["alone"]


def sure_of(label: str) -> bytes:
    """Return the bytes of a network that reads every glyph as one label."""
    model = network.build(len(CLASSES), "first")
    weights, biases = model.layers[-1].get_weights()
    biases[CLASSES.index(label)] = 20
    model.layers[-1].set_weights([weights * 0, biases])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "teacher.tflite"
        write_network(model, path)
        return path.read_bytes()


def test_a_checkpoint_belongs_to_its_teacher(parts: Split, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    options: dict[str, Any] = {"size": "first", "folder": tmp_path}
    teacher = Teacher(sure_of("B"), CLASSES)
    fit.train(parts.train, None, settings, lambda line: None, teacher=teacher, **options)
    fit.train(parts.train, None, settings, lambda line: None, teacher=teacher, resume=True, **options)
    for other in (None, Teacher(sure_of("C"), CLASSES)):
        with pytest.raises(BadData, match="other letters"):
            fit.train(parts.train, None, settings, lambda line: None, teacher=other, resume=True, **options)


def test_a_training_further_ends_half_way_and_keeps_the_normalisation(parts: Split, tmp_path: Path) -> None:
    first = fit.train(parts.train, None, SETTINGS, lambda line: None, size="first").model
    start = tmp_path / "first.weights.npz"
    write_weights(first, start)
    settings = dataclasses.replace(SETTINGS, epochs=1, glyphs_per_epoch=1024, learning_rate=0.01)
    options: dict[str, Any] = {"size": "first", "start": start, "folder": tmp_path / "further"}
    trained = fit.train(parts.test, None, settings, lambda line: None, **options)
    before, after = named_weights(first), named_weights(trained.model)
    for name, variable in before.items():
        same = after[name].value.numpy() == variable.value.numpy().astype(np.float16)
        assert same.all() if "normalisation" in name else not same.any()
    saved = checkpoint.read(tmp_path / "further" / CHECKPOINT_FILE).best
    for end, name in zip(saved, after, strict=True):
        middle = (end + before[name].value.numpy().astype(np.float16)) / 2
        np.testing.assert_allclose(after[name].value.numpy(), middle, rtol=1e-3, atol=1e-4)
    write_weights(trained.model, start)
    with pytest.raises(BadData, match="other letters"):
        fit.train(parts.test, None, settings, lambda line: None, resume=True, **options)


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
