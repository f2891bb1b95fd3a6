"""Trains the CNN, validates after each epoch, keeps the best one, and resumes what was stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
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
from lettermill.training.fitting import checkpoint, network
from lettermill.training.fitting.batches import Batch, batches, drawn_ahead, steps_per_epoch
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, Arrays, Checkpoint, Identity
from lettermill.training.fitting.epoch_progress import Report, bar
from lettermill.training.fitting.network_weights import read_weights
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.letters.sources import Letters
from lettermill.training.letters.split import classes_of
from lettermill.training.measure import measure
from lettermill.training.training_settings import CLASSES, TrainingSettings

# Read when TensorFlow is imported, which happens inside the functions below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_BATCH_GLYPHS = 512
"""Glyphs that Keras answers at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Epoch:
    """One row of history.csv. `loss` and `accuracy` are measured on augmented glyphs, with dropout."""

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
    """The result of a training."""

    model: Any
    """The Keras model, with the weights of the kept epoch."""

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
    size: network.Size = "large",
    teacher: Teacher | None = None,
    start: Path | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train the CNN from random weights, from those of a trained network, or from a checkpoint.

    Training ends after the settings' epochs, when the validation loss has not fallen for `patience` epochs,
    or, on Ctrl-C, after the running batch.

    Args:
        letters: the training part.
        validation: measured after each epoch to choose the one that is kept; None keeps the last.
        settings: what decides the model beside the data.
        report: called with one line per epoch.
        labels: the classes, in the order of the outputs.
        size: which of the CNN's two networks.
        teacher: a network whose answer is half of each target; None trains on the labels alone.
        start: a file of weights to begin with. Batch normalisation stays as it is then: the statistics of a
            few letters would replace those of all that the network has seen. None for random weights.
        folder: where a checkpoint is written after each epoch; None writes none.
        resume: continue from the folder's checkpoint if there is one.

    Raises:
        UsageProblem: the folder has a checkpoint and `resume` is False, or the checkpoint was written with
            other settings.
        BadData: the checkpoint was written with other letters.
        ModelProblem: the checkpoint or the weights are damaged, or of another network.
        KeyboardInterrupt: Ctrl-C came before the end of the first epoch.
    """
    file = folder / CHECKPOINT_FILE if folder else None
    identity = Identity.of(settings, labels, letters, validation, teacher, start=start)
    saved = _saved(file, identity, resume, report)
    run = _Run(_compiled(settings, labels, size, start), settings, labels, validation, identity, file)
    if saved and file:
        run.restore(saved, file)
        report(f"resuming after epoch {len(run.history)} of {settings.epochs}")
    drawn = drawn_ahead(batches(letters, settings, labels, len(run.history) + 1, teacher))
    with contextlib.closing(drawn):
        stopped = run.train(drawn, report)
    if not run.history:
        report("Stopped before the end of the first epoch: nothing was written.")
        raise KeyboardInterrupt
    if not stopped and len(run.history) < settings.epochs:
        report(f"the validation loss has not fallen for {settings.patience} epochs: training ends")
    model = _plain(run.best, labels, size)
    if start is not None:
        _move_half_way_back(model, network.build(len(labels), size), start)
    return Trained(model, run.history, kept_epoch(run.history), stopped)


def _move_half_way_back(model: Any, other: Any, start: Path) -> None:
    """Set weights to the mean of what they are and what they began with.

    So a network learns a few letters without forgetting the others (Wortsman et al. 2022, arXiv:2109.01903).
    """
    read_weights(other, start)
    model.set_weights(
        [(one + before) / 2 for one, before in zip(model.get_weights(), other.get_weights(), strict=True)]
    )


@dataclasses.dataclass(slots=True, eq=False)
class _Run:
    """A training in progress."""

    model: Any
    """The compiled Keras model."""

    settings: TrainingSettings
    labels: tuple[str, ...]
    validation: Letters | None
    identity: Identity

    file: Path | None
    """The checkpoint; None writes none."""

    history: list[Epoch] = dataclasses.field(default_factory=list)

    best: Arrays = dataclasses.field(default_factory=list)
    """The weights of the epoch that is kept so far."""

    def restore(self, saved: Checkpoint, file: Path) -> None:
        """Set the model, the history and the best weights to those of a checkpoint."""
        _set_state(self.model, saved.state, file)
        self.history = [Epoch(**row) for row in saved.history]
        self.best = saved.best

    def train(self, drawn: Iterator[Batch], report: Report) -> bool:
        """Train epoch after epoch; return whether Ctrl-C ended the training."""
        settings, history = self.settings, self.history
        steps = steps_per_epoch(settings)
        glyphs = steps * settings.batch
        shown = bar(glyphs * settings.epochs, glyphs * len(history), settings.epochs, report)
        with ctrl_c() as stopped, shown as (advance, say):
            while not stopped() and not _ended(history, settings):
                started = time.monotonic()
                number = len(history) + 1
                each = functools.partial(advance, number, settings.batch)
                learnt = _train_epoch(self.model, itertools.islice(drawn, steps), stopped, each)
                if learnt is None:
                    break
                loss, accuracy, error = _validated(self.model, self.validation, self.labels)
                history.append(Epoch(number, *learnt, loss, accuracy, time.monotonic() - started, error))
                say(_line(history[-1], settings))
                self._keep()
            return stopped() and not _ended(history, settings)

    def _keep(self) -> None:
        """Keep the weights if the last epoch is the best, and write the checkpoint."""
        if kept_epoch(self.history) == len(self.history):
            self.best = self.model.get_weights()
        if self.file is not None:
            rows = [dataclasses.asdict(row) for row in self.history]
            checkpoint.write(Checkpoint(self.identity, rows, _state(self.model), self.best), self.file)


def _saved(file: Path | None, identity: Identity, resume: bool, report: Report) -> Checkpoint | None:
    """Return the checkpoint to resume from; None if the training starts with the first epoch."""
    if file is None or not file.exists():
        if resume and file is not None:
            report(f"no checkpoint in {display_path(file.parent)}: starting with the first epoch")
        return None
    if not resume:
        raise UsageProblem(
            f"{display_path(file)} belongs to a training that has not ended",
            "Continue it with --resume, choose another --out, or delete that file to start anew.",
        )
    found = checkpoint.read(file)
    identity.check(found.identity, file)
    return found


def _train_epoch(
    model: Any,
    epoch: Iterator[Batch],
    stopped: Callable[[], bool],
    advance: Callable[[float, float], None],
) -> tuple[float, float] | None:
    """Train on the batches of one epoch.

    Args:
        model: the compiled model.
        epoch: its batches.
        stopped: tells whether Ctrl-C was pressed.
        advance: is called after each batch with the epoch's mean loss and accuracy so far.

    Returns:
        The mean loss and accuracy; None if Ctrl-C came, because what the model has learnt since the last
        checkpoint is then given up.
    """
    sums, done = np.zeros(2), 0  # of loss and accuracy: Keras returns those of each batch
    for done, batch in enumerate(epoch, start=1):
        logs = model.train_on_batch(*batch, return_dict=True)
        sums += logs["loss"], logs["accuracy"]
        advance(*(sums / done).tolist())
        if stopped():
            return None
    loss, accuracy = (sums / done).tolist()
    return loss, accuracy


def _plain(weights: Arrays, labels: tuple[str, ...], size: network.Size) -> Any:
    """Return a model with these weights, without optimizer and loss: any Keras can open its file."""
    model = network.build(len(labels), size)
    model.set_weights(weights)
    return model


def best_epoch(history: list[Epoch]) -> int:
    """Return the number of the epoch with the lowest validation loss; the last where none was measured."""
    losses = np.array([row.validation_loss for row in history])
    return len(history) if np.isnan(losses).all() else int(np.nanargmin(losses)) + 1


def kept_epoch(history: list[Epoch]) -> int:
    """Return the number of the epoch that is kept: the last within a standard error of the best.

    This is the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984). A few
    hundred letters cannot tell the late epochs apart, and the learning rate falls until the end: of the
    epochs that validation cannot tell apart, the last is most likely the best on other letters.
    """
    best = history[best_epoch(history) - 1]
    if math.isnan(best.validation_loss):
        return len(history)
    bound = best.validation_loss + (0.0 if math.isnan(best.validation_error) else best.validation_error)
    return max(row.epoch for row in history if row.validation_loss <= bound)


def logits_of(model: Any, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a Keras model's outputs for glyphs (uint8, n×28×28): float32, n×classes."""
    parts = [
        model.predict_on_batch(glyphs[start : start + _BATCH_GLYPHS])
        for start in range(0, len(glyphs), _BATCH_GLYPHS)
    ]
    return np.concatenate(parts).astype(np.float32, copy=False)


def _compiled(
    settings: TrainingSettings, labels: tuple[str, ...], size: network.Size, start: Path | None
) -> Any:
    """Build the network with its initial weights, its optimizer and its loss."""
    import keras

    keras.utils.set_random_seed(settings.seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()  # Costs nothing measurable on CPUs.
    model = network.build(len(labels), size)
    if start is not None:
        read_weights(model, start)
        for layer in model.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    steps = settings.epochs * steps_per_epoch(settings)
    warm_up = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=settings.learning_rate, warmup_steps=warm_up
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


def _variables(model: Any) -> list[Any]:
    """List what training changes: weights, the seeds of dropout, the optimizer's moments."""
    return [*model.variables, *model.optimizer.variables]


def _state(model: Any) -> list[NDArray[Any]]:
    return [variable.numpy() for variable in _variables(model)]


def _set_state(model: Any, state: list[NDArray[Any]], file: Path) -> None:
    variables = _variables(model)
    if [array.shape for array in state] != [tuple(variable.shape) for variable in variables]:
        raise ModelProblem(
            f"{display_path(file)} belongs to another network",
            "Delete it and train from the beginning.",
        )
    for variable, array in zip(variables, state, strict=True):
        variable.assign(array)


def _ended(history: list[Epoch], settings: TrainingSettings) -> bool:
    """Tell whether all epochs are done, or `patience` epochs brought no lower validation loss."""
    done = len(history)
    return done >= settings.epochs or bool(history and done - best_epoch(history) >= settings.patience)


def _validated(model: Any, validation: Letters | None, labels: tuple[str, ...]) -> tuple[float, float, float]:
    """Return loss, accuracy and the standard error of the loss; NaN if there are no validation letters."""
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
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """Only note the first Ctrl-C; let a second one interrupt as usual.

    Yields:
        A function that tells whether Ctrl-C was pressed.
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
    """Write history.csv: one row per epoch."""
    import pandas as pd

    pd.DataFrame([dataclasses.asdict(row) for row in rows]).to_csv(path, index=False, float_format="%.5f")
