"""The command `lettermill evaluate`: measures a model file on labelled letters, source by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.data_folders import data_option, load

if TYPE_CHECKING:
    from jobs.models import Model
    from jobs.settings import Alphabet
    from training.sources import Letters

_CONFUSIONS = 10


@click.command()
@data_option
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="A folder that `lettermill train` wrote; by default the model that comes with Lettermill.",
)
@click.option(
    "--alphabet",
    type=click.Choice(["letters", "digits", "alnum"]),
    default="letters",
    show_default=True,
    help="Which letters are measured, and what may be answered.",
)
def evaluate(folders: tuple[Path, ...], model: Path | None, alphabet: Alphabet) -> None:
    """Measure a model on labelled letters: accuracy, loss and calibration for each source.

    The figures say something about letters only that the model was not trained on.
    """
    from jobs.models import installed_model_folder, load_model

    chosen = load_model(model or installed_model_folder())
    for line in figures(chosen, load(folders), alphabet):
        click.echo(line)


def figures(model: Model, letters: Letters, alphabet: Alphabet) -> Iterator[str]:
    """Yield a line of figures for each source, and the most frequent confusions.

    Args:
        model: network and card, checked against each other.
        letters: what to measure on; labels outside the alphabet are left out.
        alphabet: the characters that may be answered.

    Raises:
        BadData: no letter has a label of the alphabet.
        ModelProblem: the model file is missing or damaged.
    """
    import numpy as np

    from jobs.errors import BadData
    from jobs.models import MODEL_FILE
    from jobs.settings import ALPHABETS
    from training.export import onnx_logits
    from training.measure import masked_softmax, measure
    from training.settings import LABELS
    from training.split import classes_of

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
