"""Trains the CNN, watches validation, keeps the best epoch, and goes on where a training was cut off."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem, UsageProblem
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import checkpoint
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, Checkpoint, Identity
from lettermill.training.fitting.teachers import Teachers
from lettermill.training.letters.sources import Letters
from lettermill.training.letters.split import classes_of
from lettermill.training.training_settings import CLASSES, TrainingSettings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

Report = Callable[[str], None]

_ANSWERED_AT_ONCE = 512


@dataclasses.dataclass(frozen=True, slots=True)
class Epoch:
    """One row of history.csv; the training figures are measured on bent glyphs, with dropout."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
    validation_error: float = math.nan
    """The standard error of the validation loss: its standard deviation over the root of the count."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What a training ended with."""

    model: Any
    """The Keras model with the weights of the kept epoch."""

    history: list[Epoch]
    kept: int
    """The number of the kept epoch."""

    stopped: bool
    """Whether Ctrl-C ended it."""


def train(
    letters: Letters,
    validation: Letters | None,
    settings: TrainingSettings,
    report: Report,
    *,
    labels: tuple[str, ...] = CLASSES,
    teachers: Teachers | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train the CNN from random weights, or from a checkpoint.

    The training ends after the settings' epochs, when the validation loss has not fallen for `patience`
    epochs, or, with Ctrl-C, after the running batch.

    Args:
        letters: the training part.
        validation: is measured after each epoch and chooses the one that is kept; None keeps the last.
        settings: what decides which model comes out.
        report: is called with one line an epoch.
        labels: the classes, in the order of the outputs.
        teachers: networks whose mean answer is half of each target; None learns from labels alone.
        folder: takes a checkpoint after each epoch; None keeps none.
        resume: goes on from the folder's checkpoint if there is one.

    Raises:
        UsageProblem: the folder has a checkpoint and `resume` is not asked for, or it is of other settings.
        BadData: the checkpoint is of other letters.
        ModelProblem: the checkpoint is damaged.
        KeyboardInterrupt: Ctrl-C before the first epoch had ended.
    """
    from lettermill.training.fitting import network
    from lettermill.training.fitting.batches import batches, drawn_ahead, steps_per_epoch
    from lettermill.training.fitting.progress import bar

    file = folder / CHECKPOINT_FILE if folder else None
    identity = Identity.of(settings, labels, letters, validation, teachers)
    before = _begun(file, identity, resume, report)
    model = _compiled(settings, labels)
    history: list[Epoch] = []
    if before is not None and file is not None:
        history = [Epoch(**row) for row in before.history]
        _set_state(model, before.state, file)
        report(f"going on after epoch {len(history)} of {settings.epochs}")
    best = before.best if before is not None else []
    steps = steps_per_epoch(settings)
    glyphs = steps * settings.batch
    drawn = drawn_ahead(batches(letters, settings, labels, len(history) + 1, teachers))
    with (
        contextlib.closing(drawn),
        _ctrl_c() as stopped,
        bar(glyphs * settings.epochs, glyphs * len(history), settings.epochs) as advance,
    ):
        while not stopped() and not _ended(history, settings):
            started = time.monotonic()
            measured = np.zeros(2)  # the sums of loss and accuracy; Keras gives each batch's own
            for done, batch in enumerate(itertools.islice(drawn, steps), start=1):
                logs = model.train_on_batch(*batch, return_dict=True)
                measured += logs["loss"], logs["accuracy"]
                advance(len(history) + 1, settings.batch, *(measured / done).tolist())
                if stopped():
                    break
            if stopped():  # What the running epoch has learnt since the last checkpoint is given up.
                break
            loss, accuracy, error = _validated(model, validation, labels)
            seconds = time.monotonic() - started
            number, (own_loss, own_accuracy) = len(history) + 1, (measured / steps).tolist()
            history.append(Epoch(number, own_loss, own_accuracy, loss, accuracy, seconds, error))
            report(_line(history[-1], settings))
            if kept_epoch(history) == len(history):
                best = model.get_weights()
            if file is not None:
                rows = [dataclasses.asdict(row) for row in history]
                checkpoint.write(Checkpoint(identity, rows, _state(model), best), file)
        was_stopped = stopped() and not _ended(history, settings)
    if not history:
        report("Stopped before the first epoch had ended: nothing was written.")
        raise KeyboardInterrupt
    if not was_stopped and len(history) < settings.epochs:
        report(f"validation has not become better for {settings.patience} epochs: the training ends")
    # Without optimizer and loss, so that model.keras opens wherever Keras is.
    plain = network.build(len(labels))
    plain.set_weights(best)
    return Trained(plain, history, kept_epoch(history), was_stopped)


def best_epoch(history: list[Epoch]) -> int:
    """Return the number of the epoch with the lowest validation loss; the last where none was measured."""
    losses = np.array([row.validation_loss for row in history])
    return len(history) if np.isnan(losses).all() else int(np.nanargmin(losses)) + 1


def kept_epoch(history: list[Epoch]) -> int:
    """Return the number of the epoch that is kept: the last within a standard error of the best.

    A few hundred letters cannot tell the late epochs apart, and the learning rate falls until the last: of
    those that validation takes for equals the latest is the likeliest to be the best on other letters
    (the one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984).
    """
    best = history[best_epoch(history) - 1]
    if math.isnan(best.validation_loss):
        return len(history)
    bound = best.validation_loss + (0.0 if math.isnan(best.validation_error) else best.validation_error)
    return max(row.epoch for row in history if row.validation_loss <= bound)


def logits_of(model: Any, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs for glyphs: uint8 n×28×28 → float32 n×classes."""
    parts = [
        model.predict_on_batch(glyphs[start : start + _ANSWERED_AT_ONCE])
        for start in range(0, len(glyphs), _ANSWERED_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float32, copy=False)


def _compiled(settings: TrainingSettings, labels: tuple[str, ...]) -> Any:
    """Build the network with its first weights and what trains it."""
    import keras

    from lettermill.training.fitting import network
    from lettermill.training.fitting.batches import steps_per_epoch

    keras.utils.set_random_seed(settings.seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()  # costs nothing measurable on processors
    model = network.build(len(labels))
    steps = settings.epochs * steps_per_epoch(settings)
    warm_up = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=network.loss(labels, settings.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # twice as fast on CPUs without XLA
    )
    optimizer.build(model.trainable_variables)
    return model


def _begun(file: Path | None, identity: Identity, resume: bool, report: Report) -> Checkpoint | None:
    """Return the checkpoint to go on from; None begins with the first epoch."""
    if file is None or not file.exists():
        if resume and file is not None:
            report(f"no checkpoint in {display_path(file.parent)}: beginning with the first epoch")
        return None
    if not resume:
        raise UsageProblem(
            f"{display_path(file)} is of a training that has not ended",
            "Go on with it with --resume, choose another --out, or delete that file to begin anew.",
        )
    found = checkpoint.read(file)
    identity.check(found.identity, file)
    return found


def _variables(model: Any) -> list[Any]:
    """List what changes in training: weights, the seeds of the dropout, the optimizer's moments."""
    return [*model.variables, *model.optimizer.variables]


def _state(model: Any) -> list[NDArray[Any]]:
    return [variable.numpy() for variable in _variables(model)]


def _set_state(model: Any, state: list[NDArray[Any]], file: Path) -> None:
    variables = _variables(model)
    if [array.shape for array in state] != [tuple(variable.shape) for variable in variables]:
        raise ModelProblem(
            f"{display_path(file)} is of another network",
            "Delete it and train from the beginning.",
        )
    for variable, array in zip(variables, state, strict=True):
        variable.assign(array)


def _ended(history: list[Epoch], settings: TrainingSettings) -> bool:
    """Tell whether all epochs are done, or too many have brought nothing."""
    done = len(history)
    return done >= settings.epochs or bool(history and done - best_epoch(history) >= settings.patience)


def _validated(model: Any, validation: Letters | None, labels: tuple[str, ...]) -> tuple[float, float, float]:
    """Return the loss, the accuracy and the loss's standard error; NaN where nothing validates."""
    from lettermill.training.measure import measure

    if validation is None:
        return math.nan, math.nan, math.nan
    logits, classes = logits_of(model, validation.glyphs), classes_of(validation, labels)
    measured = measure(logits, classes, labels=labels)
    return measured.loss, measured.accuracy, measured.loss_error


def _line(row: Epoch, settings: TrainingSettings) -> str:
    line = f"epoch {row.epoch}/{settings.epochs}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}"
    if not np.isnan(row.validation_loss):
        line += f"  validation loss {row.validation_loss:.4f}  accuracy {row.validation_accuracy:.4f}"
    return f"{line}  {row.seconds:.0f} s"


@contextlib.contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C only be noted; the second one interrupts as usual.

    Yields:
        A function that tells whether there was one.
    """
    noted = False

    def note(number: int, frame: Any) -> None:
        nonlocal noted
        noted = True
        signal.signal(signal.SIGINT, usual)

    usual = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: noted
    finally:
        signal.signal(signal.SIGINT, usual)


def write_history(rows: list[Epoch], path: Path) -> None:
    """Write history.csv: one row an epoch."""
    import pandas as pd

    pd.DataFrame([dataclasses.asdict(row) for row in rows]).to_csv(path, index=False, float_format="%.5f")
