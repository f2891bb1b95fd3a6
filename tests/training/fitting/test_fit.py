"""The training loop: which epoch is kept, when it ends, what an epoch reports."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.training.fitting import fit
from lettermill.training.fitting.fit import Epoch, best_epoch, kept_epoch
from lettermill.training.letters.split import Split, classes_of
from lettermill.training.measure import measure
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
