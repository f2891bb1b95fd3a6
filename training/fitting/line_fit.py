"""Trains the line network for a given time, averages its weights, and resumes what was stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem, UsageProblem
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import checkpoint
from lettermill.training.fitting.checkpoint import Checkpoint, Identity
from lettermill.training.fitting.fit import ctrl_c
from lettermill.training.fitting.line_network_layers import BLANK, LINE_LABELS
from lettermill.training.fitting.network_weights import named_weights
from lettermill.training.lines.line_feed import LineBatch

# Read when TensorFlow is imported, which happens inside the functions below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LINE_CHECKPOINT_FILE = "line-checkpoint.bin"

SCRATCH_LEARNING_RATE = 1.5e-3
"""The highest rate for a network with random weights."""

FURTHER_LEARNING_RATE = 2e-4
"""The highest rate for a network that can read already."""

_WEIGHT_DECAY = 0.01
_CLIP_NORM = 5.0
_WARM_UP_STEPS = 300
_LAST_RATE_SHARE = 0.01
_MASKED_LOGIT = 30.0
"""Subtracted from the logit of a character that may not be answered."""

_AVERAGE_SHARE = 0.998
"""Share of the old average that is kept each time."""

_AVERAGE_STEPS, _REFRESH_STEPS = 4, 100
_REPORT_SECONDS, _CHECKPOINT_SECONDS = 60.0, 180.0

_NUMBERS = {character: number for number, character in enumerate(LINE_LABELS)}


@dataclasses.dataclass(frozen=True, slots=True)
class LineSettings:
    """Decides, together with the lines, how the line network is trained."""

    minutes: float
    """How long; the learning rate falls to a hundredth over this time, as a cosine."""

    learning_rate: float = FURTHER_LEARNING_RATE
    """The highest rate: it rises over the first 300 steps."""

    seed: int = 7
    """Decides the lines and the initial weights. How many steps fit into the time, the machine decides."""


@dataclasses.dataclass(slots=True)
class Progress:
    """How far a training is."""

    seconds: float = 0.0
    steps: int = 0
    lines: int = 0
    """Lines trained on, each as often as it was drawn."""


class Feed(Protocol):
    """Gives batches, and takes up new lines now and then."""

    def batch(self) -> LineBatch:
        """Draw a batch."""

    def refresh(self) -> None:
        """Take up the lines that were made meanwhile."""


class LineTrainer:
    """A line network in training, with its optimizer and the running average of its weights.

    Args:
        model: the Keras model; it is changed.
    """

    def __init__(self, model: Any) -> None:
        import keras
        import tensorflow as tf

        self.model = model
        self._optimizer = keras.optimizers.AdamW(
            SCRATCH_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, clipnorm=_CLIP_NORM
        )
        self._optimizer.build(model.trainable_variables)
        self._variables = list(named_weights(model).values())
        self._average = [variable.value.numpy().copy() for variable in self._variables]
        signature = [
            tf.TensorSpec([None, model.input_shape[1], None, 1], tf.uint8),
            tf.TensorSpec([None, BLANK + 1], tf.float32),
            tf.SparseTensorSpec([None, None], tf.int32),
        ]
        self._step = tf.function(self._learn, input_signature=signature)

    def step(self, batch: LineBatch, rate: float) -> float:
        """Learn from one batch; return its mean loss (nats a line) before the step."""
        import tensorflow as tf

        places = [(line, place) for line, text in enumerate(batch.texts) for place in range(len(text))]
        numbers = [_NUMBERS[character] for text in batch.texts for character in text]
        shape = [len(batch.texts), max(1, *map(len, batch.texts))]
        texts = tf.SparseTensor(
            np.array(places, np.int64).reshape(-1, 2), np.array(numbers, np.int32), np.array(shape, np.int64)
        )
        self._optimizer.learning_rate.assign(rate)
        return float(self._step(tf.constant(batch.images), tf.constant(batch.masks), texts))

    def _learn(self, images: Any, masks: Any, texts: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            logits = self.model(images, training=True) + (masks[:, None] - 1) * _MASKED_LOGIT
            count, steps = tf.shape(logits)[0], tf.shape(logits)[1]
            # TensorFlow's own kernel: a step takes 12 % less time than with Keras's loss.
            losses = tf.compat.v1.nn.ctc_loss(
                texts,
                logits,
                tf.fill([count], steps),
                time_major=False,
                ignore_longer_outputs_than_inputs=True,
            )
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self._optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def average(self, share: float) -> None:
        """Move the average of the weights towards the weights; `share` of the old average is kept."""
        for average, variable in zip(self._average, self._variables, strict=True):
            average *= share
            average += (1 - share) * variable.value.numpy()

    def use_average(self) -> None:
        """Set the weights to their average."""
        for variable, average in zip(self._variables, self._average, strict=True):
            variable.assign(average)

    def state(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return all variables of network and optimizer, and the average of the weights."""
        return [variable.value.numpy().copy() for variable in self._all()], [
            array.copy() for array in self._average
        ]

    def restore(self, state: list[NDArray[Any]], average: list[NDArray[Any]], file: Path) -> None:
        """Set everything to what `state` returned.

        Raises:
            ModelProblem: it belongs to another network.
        """
        if [array.shape for array in state] != [tuple(variable.shape) for variable in self._all()]:
            raise ModelProblem(
                f"{display_path(file)} belongs to another network", "Delete it and train from the beginning."
            )
        for variable, array in zip(self._all(), state, strict=True):
            variable.assign(array)
        self._average = [array.copy() for array in average]

    def _all(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables]


def rate_at(share: float, steps: int, highest: float) -> float:
    """Return the learning rate: it rises over the first steps, then falls as a cosine.

    Args:
        share: of the time that has passed.
        steps: that are done.
        highest: the highest rate.
    """
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return highest * min(1.0, steps / _WARM_UP_STEPS) * (fall * (1 - _LAST_RATE_SHARE) + _LAST_RATE_SHARE)


def train_lines(
    model: Any,
    feed: Feed,
    settings: LineSettings,
    file: Path,
    data: str,
    resume: bool,
    report: Callable[[str], None],
) -> Progress:
    """Train a line network until its time is over, and leave it with the average of its weights.

    Args:
        model: the Keras model with the weights to begin with; it is changed.
        feed: the lines.
        settings: how to train.
        file: the checkpoint, which is written every three minutes.
        data: describes the lines: a checkpoint of others is refused.
        resume: continue from the checkpoint, if there is one.
        report: called with a line of progress every minute.

    Raises:
        UsageProblem: there is a checkpoint and `resume` is False, or it was written with other settings.
        BadData: the checkpoint was written with other lines.
        ModelProblem: the checkpoint is damaged, or the loss is not a number any more.
        KeyboardInterrupt: Ctrl-C ended the training; a checkpoint has been written.
    """
    identity = Identity(
        dataclasses.asdict(settings), list(LINE_LABELS), hashlib.sha256(data.encode()).hexdigest()
    )
    trainer, progress = LineTrainer(model), Progress()
    if file.exists():
        progress = _resumed(trainer, identity, file, resume)
        report(f"resuming after {progress.seconds / 60:.1f} of {settings.minutes:g} minutes")
    elif resume:
        report(f"no checkpoint in {display_path(file.parent)}: starting from the beginning")
    before, started = progress.seconds, time.monotonic()
    reported = kept = started
    losses: list[float] = []
    with ctrl_c() as stopped:
        while progress.seconds < settings.minutes * 60 and not stopped():
            batch = feed.batch()
            share = progress.seconds / (settings.minutes * 60)
            losses.append(trainer.step(batch, rate_at(share, progress.steps, settings.learning_rate)))
            progress.steps += 1
            progress.lines += len(batch.texts)
            progress.seconds = before + time.monotonic() - started
            if not math.isfinite(losses[-1]):
                raise ModelProblem(
                    "the line network's training diverged: its loss is not a number",
                    "The model files are unchanged. Train again with another --seed.",
                )
            if progress.steps % _AVERAGE_STEPS == 0:
                trainer.average(min(_AVERAGE_SHARE, progress.steps / (progress.steps + 40)))
            if progress.steps % _REFRESH_STEPS == 0:
                feed.refresh()
            if time.monotonic() - reported > _REPORT_SECONDS:
                report(_line(progress, settings, losses))
                reported, losses = time.monotonic(), []
            if time.monotonic() - kept > _CHECKPOINT_SECONDS:
                _keep(trainer, progress, identity, file)
                kept = time.monotonic()
        if stopped():
            _keep(trainer, progress, identity, file)
            report("stopped: the same command with --resume continues the training")
            raise KeyboardInterrupt
    if losses:
        report(_line(progress, settings, losses))
    trainer.use_average()
    return progress


def _line(progress: Progress, settings: LineSettings, losses: list[float]) -> str:
    return (
        f"{progress.seconds / 60:.1f} of {settings.minutes:g} minutes  step {progress.steps}  "
        f"lines {progress.lines}  loss {np.mean(losses):.3f}"
    )


def _keep(trainer: LineTrainer, progress: Progress, identity: Identity, file: Path) -> None:
    """Write the checkpoint atomically."""
    checkpoint.write(Checkpoint(identity, [dataclasses.asdict(progress)], *trainer.state()), file)


def _resumed(trainer: LineTrainer, identity: Identity, file: Path, resume: bool) -> Progress:
    """Set a trainer to the state of a checkpoint."""
    if not resume:
        raise UsageProblem(
            f"{display_path(file)} belongs to a training that has not ended",
            "Continue it with --resume, choose another --out, or delete that file to start anew.",
        )
    found = checkpoint.read(file)
    identity.check(found.identity, file)
    trainer.restore(found.state, found.best, file)
    return Progress(**found.history[0])
