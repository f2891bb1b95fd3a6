"""The command `lettermill evaluate`: measures a model file on labelled letters, source by source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from lettermill.training.letters.data_folders import data_option

if TYPE_CHECKING:
    from lettermill.jobs.inputs.model import Model
    from lettermill.jobs.settings import Alphabet
    from lettermill.training.fitting.fit import Epoch
    from lettermill.training.letters.sources import Letters
    from lettermill.training.letters.split import Split
    from lettermill.training.measure import Answers
    from lettermill.training.reports.training_report import NotLetters

    Measured = Alphabet | Literal["all"]

_NON_LETTERS = 5000


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
    type=click.Choice(["letters", "digits", "alnum", "all"]),
    help="Which letters are measured, and what may be answered; by default capitals, and all classes of a "
    "model that was trained on others.",
)
@click.option(
    "--compare",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="Another model, to see what changed from it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Takes a report: a page with plots and the worst errors as pictures, the numbers as JSON and CSV.",
)
def evaluate(
    folders: tuple[Path, ...],
    model: Path | None,
    alphabet: Measured | None,
    compare: Path | None,
    out: Path | None,
) -> None:
    """Measure a model on labelled letters: accuracy, loss and calibration for each source.

    The figures say something about letters only that the model was not trained on.
    """
    from lettermill.jobs.inputs.model import MODEL_FILE, installed_model_folder, load_model
    from lettermill.training.letters import published
    from lettermill.training.reports import training_report as report
    from lettermill.worker.reading.classifier import Classifier

    if out is not None:
        report.check_folder(out)
    folder = model or installed_model_folder()
    chosen = load_model(folder)
    other = load_model(compare) if compare else None
    characters = _characters(chosen, alphabet)
    letters = _measurable(published.letters_to_measure(folders, chosen.card, click.echo), characters)
    answers = answers_of(chosen, letters, characters)
    measured = report.headline(answers)
    click.echo(report.table_text(measured))
    compared = None
    if other:
        others = answers_of(other, letters, characters)
        compared = report.Other(_name(other), others, report.headline(others))
        click.echo(f"\nthe same letters with {compared.name}:\n{report.table_text(compared.measured)}")
        click.echo(f"\n{report.change_text(answers, others)}")
    if out is not None:
        report.write(
            out,
            answers,
            measured,
            title=f"Letters read by {_name(chosen)}",
            about=f"{len(letters):,} labelled letters; what could be answered: {characters}. The figures say "
            "something only about letters that the model was not trained on.",
            data=report.Data("The letters", letters.glyphs, letters.labels, letters.sources),
            network=folder / MODEL_FILE,
            probabilities=Classifier(chosen, characters).probabilities,
            compared=compared,
            not_letters=not_letters_of(chosen, letters),
        )
        click.echo(f"\nreport      {out / report.PAGE_FILE}")


def _classes(model: Model) -> str:
    """Return the characters that a model can answer."""
    return "".join(label for label in model.card["labels"] if len(label) == 1)


def _tells_case(classes: str) -> bool:
    return any(label.islower() for label in classes)


def _characters(model: Model, alphabet: Measured | None) -> str:
    """Return the characters that may be answered."""
    from lettermill.jobs.settings import ALPHABETS, LETTERS

    classes = _classes(model)
    if alphabet is None:
        usual = set(LETTERS) <= set(classes) and not _tells_case(classes)
        alphabet = "letters" if usual else "all"
    return classes if alphabet == "all" else ALPHABETS[alphabet]


def _measurable(letters: Letters, characters: str) -> Letters:
    """Keep the letters of the characters that a person wrote."""
    import numpy as np

    from lettermill.jobs.errors import BadData
    from lettermill.training.letters.sources import written

    kept = letters[np.isin(letters.labels, list(characters)) & written(letters)]
    if not len(kept):
        raise BadData(f"the data hold none of {characters}", "Choose another --alphabet or --data.")
    return kept


def answers_of(model: Model, letters: Letters, characters: str) -> Answers:
    """Read letters as the network of a job of these characters does at first look.

    Args:
        model: network and card, checked against each other.
        letters: labelled with the characters.
        characters: what may be answered.

    Raises:
        ModelProblem: the model file is missing or damaged, or does not know the characters.
    """
    import numpy as np

    from lettermill.training.measure import Answers
    from lettermill.worker.reading.classifier import Classifier

    probabilities = Classifier(model, characters).probabilities(letters.glyphs).astype(np.float64)
    classes = np.array([characters.index(label) for label in letters.labels.tolist()], dtype=np.int64)
    return Answers(tuple(characters), probabilities, classes, letters.glyphs, letters.sources)


def answers_by_kind(model: Model, letters: Letters) -> Answers:
    """Read letters as jobs do that know what stands in a field: letters among letters, digits among digits.

    Where a model tells upper from lower case (EMNIST's balanced and byclass splits) figures are published
    over all classes, and so are these.

    Args:
        model: network and card.
        letters: labelled with the model's classes.
    """
    import numpy as np

    classes = _classes(model)
    answers = answers_of(model, letters, classes)
    if _tells_case(classes):
        return answers
    for is_digit in (False, True):
        kind = "".join(label for label in classes if label.isdigit() == is_digit)
        own = np.isin(letters.labels, list(kind))
        if own.any():
            columns = [classes.index(label) for label in kind]
            within = np.zeros((int(own.sum()), len(classes)))
            within[:, columns] = answers_of(model, letters[own], kind).probabilities
            answers.probabilities[own] = within
    return answers


def report_of_training(model_folder: Path, parts: Split, history: Sequence[Epoch]) -> None:
    """Write MODEL_DIR/report.

    It tells of the test letters in full (of the validation letters where no test is held out), and beside
    them the figures of the validation letters, the epochs, and what was trained on.

    Args:
        model_folder: MODEL_DIR, the network and its card in place.
        parts: the letters.
        history: a row an epoch.
    """
    from lettermill.jobs.inputs.model import MODEL_FILE, load_model
    from lettermill.training.measure import figures
    from lettermill.training.reports import training_report as report
    from lettermill.worker.reading.classifier import Classifier

    model = load_model(model_folder)
    classes = _classes(model)
    answers, name, beside = answers_by_kind(model, parts.validation), "validation", {}
    if len(parts.test):
        beside = {"validation letters": figures(answers)}
        answers, name = answers_by_kind(model, parts.test), "test"
    report.write(
        model_folder / report.REPORT_FOLDER,
        answers,
        {**report.headline(answers), **beside},
        title=f"Training of {_name(model)}",
        about=f"The {len(answers):,} {name} letters, on which the CNN was not trained"
        f"{', and which chose nothing' if name == 'test' else ''}. Classes: {classes}"
        f"{'' if _tells_case(classes) else '; letters are read among letters, digits among digits'}.",
        data=report.Data("What was trained on", parts.train.glyphs, parts.train.labels, parts.train.sources),
        network=model_folder / MODEL_FILE,
        probabilities=Classifier(model, classes).probabilities,
        history=history,
        not_letters=not_letters_of(model, parts.test if len(parts.test) else parts.validation),
    )


def not_letters_of(model: Model, letters: Letters) -> NotLetters | None:
    """Measure how well a model tells letters from what is made of them and is none.

    Args:
        model: network and card.
        letters: letters that it was not trained on; as many non-letters are made of them.

    Returns:
        None where the model has no output for that.
    """
    import numpy as np

    from lettermill.training.fitting.non_letters import KINDS, non_letter_glyphs
    from lettermill.training.reports.training_report import NotLetters
    from lettermill.worker.reading.classifier import Classifier

    classifier = Classifier(model, _classes(model))
    if not classifier.has_reject_class:
        return None
    count = min(len(letters), _NON_LETTERS)
    glyphs, kinds = non_letter_glyphs(letters.canvases, count, np.random.default_rng(0))
    return NotLetters(
        classifier.classify(letters.glyphs).reject.astype(np.float64),
        classifier.classify(glyphs).reject.astype(np.float64),
        np.array(KINDS)[kinds],
    )


def _name(model: Model) -> str:
    return f"{model.folder.resolve().name} ({model.card['sha256'][:8]})"
