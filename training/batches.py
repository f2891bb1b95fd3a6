"""Draws balanced, augmented batches, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.augment import augmented
from training.settings import LABELS, TrainingSettings
from training.sources import Letters
from training.split import classes_of

Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]


def drawing_weights(letters: Letters, settings: TrainingSettings) -> NDArray[np.float64]:
    """Return how likely each letter is drawn: float64, n, with the sum 1.

    Every letter's class is as likely as any other, a digit's less; within a class a source's share is
    its count to the power `source_balance`.
    """
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


def batches(letters: Letters, settings: TrainingSettings) -> Iterator[Batch]:
    """Draw batch after batch without end; the seed alone decides which.

    A plain generator, because its order cannot depend on how far a background thread has read ahead.

    Args:
        letters: the training part.
        settings: size and seed of the batches, and how far glyphs are bent.

    Yields:
        Glyphs (uint8, batch×28×28) and one-hot targets (float32, batch×36).
    """
    rng = np.random.default_rng(settings.seed)
    weights = drawing_weights(letters, settings)
    targets = np.eye(len(LABELS), dtype=np.float32)[classes_of(letters)]
    while True:
        for chosen in rng.choice(len(letters), (steps_per_epoch(settings), settings.batch), p=weights):
            yield augmented(letters.canvases[chosen], rng, settings.augmentation), targets[chosen]
