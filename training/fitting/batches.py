"""Draws balanced, augmented training batches; the seed decides them."""

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
from lettermill.training.fitting.reject_class import made_non_letters
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import ALIGNED, Letters
from lettermill.training.letters.split import classes_of
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings

if TYPE_CHECKING:
    from lettermill.training.fitting.teacher import Teacher

Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]

_BATCHES_AHEAD = 4
"""Batches that are drawn before they are needed: one would do, more even out the slow ones."""

_CUT_SHARE = 3 / 4
"""Share of the reject class's glyphs that segmentation cut, if there are any; the rest is made of letters."""


def drawing_weights(letters: Letters, settings: TrainingSettings) -> NDArray[np.float64]:
    """Return the probability with which each letter is drawn: float64, n; the sum is 1.

    All classes of letters are equally likely, and digits less so. Within a class a source's share is its
    count to the power `source_balance`. In a published split every glyph is equally likely, because the
    frequency of its classes is part of the split.
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
    teacher: Teacher | None = None,
) -> Iterator[Batch]:
    """Draw batch after batch without end.

    Only the seed and the epoch's number decide an epoch's batches, so that a training resumed at some epoch
    draws the same batches as an uninterrupted one.

    Args:
        letters: the training part.
        settings: size and seed of the batches, and the strength of the augmentation.
        labels: the classes, in the order of the outputs. If the reject class is one, a share of each batch
            belongs to it: three quarters of that share components that segmentation cut wrongly, if there
            are any, and the rest made from letters.
        first_epoch: the epoch to start with, counted from 1.
        teacher: its answer for the augmented glyph is half of the target; None for the label alone. Aligned
            letters and the reject class keep their label, which knows more than the teacher.

    Yields:
        Glyphs (uint8, batch×28×28) and targets (float32, batch×classes).
    """
    weights = drawing_weights(letters, settings)
    wrongly_cut = letters.canvases[letters.labels == NO_LETTER]
    rejects = round(settings.batch * settings.non_letter_share) if NOT_A_LETTER in labels else 0
    cuts = int(rejects * _CUT_SHARE) if len(wrongly_cut) else 0
    aligned = np.char.endswith(letters.sources, ALIGNED)
    classes, targets = classes_of(letters, labels), np.eye(len(labels), dtype=np.float32)
    for epoch in itertools.count(first_epoch):
        rng = np.random.default_rng((settings.seed, epoch))
        for chosen in rng.choice(len(letters), (steps_per_epoch(settings), settings.batch), p=weights):
            canvases, truth = letters.canvases[chosen], targets[classes[chosen]]
            if rejects:
                canvases[:cuts] = wrongly_cut[rng.integers(max(1, len(wrongly_cut)), size=cuts)]
                canvases[cuts:rejects] = made_non_letters(canvases[rejects:], rejects - cuts, rng)[0]
                truth[:rejects] = targets[-1]
            glyphs = augmented(canvases, rng, settings.augmentation)
            if teacher:
                distilled = ~aligned[chosen]
                distilled[:rejects] = False
                truth[distilled] = (truth[distilled] + teacher.answers(glyphs[distilled])) / 2
            yield glyphs, truth


def drawn_ahead(drawn: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Draw a few batches ahead in one background thread: augmentation takes as long as a training step.

    The order is kept, an error is raised where its batch would have come, and the thread ends when the
    generator is closed.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        coming = deque(thread.submit(next, drawn, None) for _ in range(_BATCHES_AHEAD))
        try:
            while (batch := coming.popleft().result()) is not None:
                coming.append(thread.submit(next, drawn, None))
                yield batch
        finally:
            thread.shutdown(cancel_futures=True)
