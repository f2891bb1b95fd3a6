"""Measures a model file on labelled letters, source by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from jobs.errors import BadData
from jobs.models import MODEL_FILE, Model
from jobs.settings import ALPHABETS, Alphabet
from training.export import onnx_logits
from training.measure import masked_softmax, measure
from training.settings import LABELS
from training.sources import Letters
from training.split import classes_of

_CONFUSIONS = 10


def evaluate(model: Model, letters: Letters, alphabet: Alphabet) -> Iterator[str]:
    """Yield a line of figures for each source, and the most frequent confusions.

    Args:
        model: network and card, checked against each other.
        letters: what to measure on; labels outside the alphabet are left out.
        alphabet: the characters that may be answered.

    Raises:
        BadData: no letter has a label of the alphabet.
        ModelProblem: the model file is missing or damaged.
    """
    characters = ALPHABETS[alphabet]
    letters = letters[np.isin(letters.labels, list(characters))]
    if not len(letters):
        raise BadData(f"no letters of the alphabet {alphabet!r} in the data", "Choose another --alphabet.")
    _ = model.network  # refuses a file that its card does not describe
    logits, classes = onnx_logits(model.folder / MODEL_FILE, letters.glyphs), classes_of(letters)
    temperature = float(model.card["temperature"])
    for source in np.unique(letters.sources).tolist():
        own = letters.sources == source
        measured = measure(logits[own], classes[own], temperature, characters)
        yield (
            f"{source}: {measured.count} glyphs  accuracy {measured.accuracy:.4f}  loss {measured.loss:.4f}  "
            f"calibration error {measured.calibration_error:.4f}"
        )
    answers = masked_softmax(logits, temperature, characters).argmax(axis=1)
    wrong = Counter(
        (LABELS[is_], LABELS[read]) for is_, read in zip(classes, answers, strict=True) if is_ != read
    )
    for (is_, read), count in wrong.most_common(_CONFUSIONS):
        yield f"{is_} read as {read}: {count}"
