"""Trains the CNN and reports each epoch's loss and accuracy."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.settings import LABELS, TrainingSettings
from training.sources import Letters
from training.split import classes_of

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Epoch:
    """One row of history.csv; the training figures are measured on bent glyphs, with dropout."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def train(
    letters: Letters, validation: Letters | None, settings: TrainingSettings, report: Report
) -> tuple[Any, list[Epoch]]:
    """Train the CNN from random weights for the settings' number of epochs.

    Args:
        letters: the training part.
        validation: is measured after each epoch and decides nothing; None measures nothing.
        settings: what decides which model comes out.
        report: is called with one line an epoch.

    Returns:
        The Keras model after the last epoch, and a row an epoch.
    """
    import keras

    from training import network
    from training.batches import batches, steps_per_epoch

    keras.utils.set_random_seed(settings.seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()  # costs nothing measurable on processors
    model = network.build(len(LABELS))
    steps = settings.epochs * steps_per_epoch(settings)
    warm_up = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=network.loss(settings.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # twice as fast on CPUs without XLA
    )
    watch = _history_of(keras, validation, settings, report)
    model.fit(
        batches(letters, settings),
        epochs=settings.epochs,
        steps_per_epoch=steps_per_epoch(settings),
        verbose=0,
        shuffle=False,  # the generator has drawn them at random
        callbacks=[watch],
    )
    # Without optimizer and loss, so that model.keras opens wherever Keras is.
    plain = network.build(len(LABELS))
    plain.set_weights(model.get_weights())
    return plain, watch.rows


def logits_of(model: Any, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs for glyphs: uint8 n×28×28 → float32 n×36."""
    return np.asarray(model.predict(glyphs, batch_size=512, verbose=0), dtype=np.float32)


def _history_of(keras: Any, validation: Letters | None, settings: TrainingSettings, report: Report) -> Any:
    """Return the callback that collects and reports epochs."""
    from training.measure import measure

    class History(keras.callbacks.Callback):  # type: ignore[misc]
        """Collects one row an epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.rows: list[Epoch] = []
            self._started = 0.0

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self._started = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            logs = logs or {}
            loss = accuracy = float("nan")
            if validation is not None:
                measured = measure(logits_of(self.model, validation.glyphs), classes_of(validation))
                loss, accuracy = measured.loss, measured.accuracy
            seconds = time.monotonic() - self._started
            row = Epoch(epoch + 1, logs["loss"], logs["accuracy"], loss, accuracy, seconds)
            self.rows.append(row)
            line = f"epoch {row.epoch}/{settings.epochs}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}"
            if validation is not None:
                line += f"  validation loss {loss:.4f}  accuracy {accuracy:.4f}"
            report(f"{line}  {seconds:.0f} s")

    return History()


def write_history(rows: list[Epoch], path: Path) -> None:
    """Write history.csv: one row an epoch."""
    import pandas as pd

    pd.DataFrame([dataclasses.asdict(row) for row in rows]).to_csv(path, index=False, float_format="%.5f")
