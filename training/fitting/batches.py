"""Draws balanced, augmented batches, the same ones for the same seed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.training.fitting.augment import augmented
from lettermill.training.fitting.non_letters import non_letters
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import SELF_LABELLED, Letters
from lettermill.training.letters.split import classes_of
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings

if TYPE_CHECKING:
    from lettermill.training.fitting.teachers import Teachers

Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]

_AHEAD = 4
"""Batches that are drawn before they are asked for: one would do, more even out the slow ones."""


def drawing_weights(letters: Letters, settings: TrainingSettings) -> NDArray[np.float64]:
    """Return how likely each letter is drawn: float64, n, with the sum 1.

    Every letter's class is as likely as any other, a digit's less; within a class a source's share is
    its count to the power `source_balance`. Of a published split all letters are as likely as each other:
    how frequent its classes are is part of it.
    """
    if settings.split:
        return np.full(len(letters), 1 / len(letters))
    classes = classes_of(letters)
    weights = np.zeros(len(letters))
    for number, label in enumerate(LABELS):
        of_class = classes == number
        share = settings.digit_share if label.isdigit() else 1.0
        sources = np.unique(letters.sources[of_class])
        counts = np.array([int((of_class & (letters.sources == source)).sum()) for source in sources])
        for source, count in zip(sources, counts, strict=True):
            of_source = count**settings.source_balance / (counts**settings.source_balance).sum()
            weights[of_class & (letters.sources == source)] = share * of_source / count
    return np.asarray(weights / weights.sum())


def steps_per_epoch(settings: TrainingSettings) -> int:
    """Return the number of batches in an epoch."""
    return max(1, settings.glyphs_per_epoch // settings.batch)


def batches(
    letters: Letters,
    settings: TrainingSettings,
    labels: Sequence[str] = CLASSES,
    first_epoch: int = 1,
    teachers: Teachers | None = None,
) -> Iterator[Batch]:
    """Draw batch after batch without end.

    The seed and the epoch's number alone decide an epoch's batches, so that a training that goes on at
    some epoch sees what it would have seen.

    Args:
        letters: the training part.
        settings: size and seed of the batches, and how far glyphs are bent.
        labels: the classes, in the order of the outputs. With "not a letter" a share of each batch is none:
            three quarters of it pieces that segmentation cut so, if there are any, the rest made from the
            letters.
        teachers: their answer about the bent glyph is half of its target; None for the label alone. Of
            self-labelled letters and of what is no letter they know less than the label does.
        first_epoch: where to begin, counted from 1.

    Yields:
        Glyphs (uint8, batch×28×28) and targets (float32, batch×classes).
    """
    weights = drawing_weights(letters, settings)
    pieces = letters.canvases[letters.labels == NO_LETTER]
    none = round(settings.batch * settings.non_letter_share) if NOT_A_LETTER in labels else 0
    own = np.char.endswith(letters.sources, SELF_LABELLED)
    classes, targets = classes_of(letters, labels), np.eye(len(labels), dtype=np.float32)
    for epoch in itertools.count(first_epoch):
        rng = np.random.default_rng((settings.seed, epoch))
        for chosen in rng.choice(len(letters), (steps_per_epoch(settings), settings.batch), p=weights):
            canvases, truth = letters.canvases[chosen], targets[classes[chosen]]
            if none:
                cut = 3 * none // 4 if len(pieces) else 0
                canvases[:cut] = pieces[rng.integers(max(1, len(pieces)), size=cut)]
                canvases[cut:none] = non_letters(canvases[none:], none - cut, rng)[0]
                truth[:none] = targets[-1]
            glyphs = augmented(canvases, rng, settings.augmentation)
            if teachers:
                taught = ~own[chosen]
                taught[:none] = False
                truth[taught] = (truth[taught] + teachers.answers(glyphs[taught])) / 2
            yield glyphs, truth


def drawn_ahead(drawn: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Draw a few batches ahead in one background thread: bending takes as long as a training step.

    The order stays the same, errors come out where the batch would have, and the thread ends when the
    iterator is closed.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        coming = deque(thread.submit(next, drawn, None) for _ in range(_AHEAD))
        try:
            while (batch := coming.popleft().result()) is not None:
                coming.append(thread.submit(next, drawn, None))
                yield batch
        finally:
            thread.shutdown(cancel_futures=True)
