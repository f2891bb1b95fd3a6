"""Measures a model on labelled letters, as jobs read them, and writes the report of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import MODEL_FILE, Model, load_model
from lettermill.jobs.settings import ALPHABETS, LETTERS, Alphabet
from lettermill.training.fitting.reject_class import KINDS, non_letter_glyphs
from lettermill.training.letters.sources import Letters, written
from lettermill.training.letters.split import Split
from lettermill.training.measure import Answers, Figures, RejectScores, figures
from lettermill.training.reports.report_content import LabelledGlyphs, OtherModel, Report, headline
from lettermill.training.reports.training_report import REPORT_FOLDER, write_report
from lettermill.worker.reading.classifier import Classifier

if TYPE_CHECKING:
    from lettermill.training.fitting.fit import Epoch

MeasuredAlphabet = Alphabet | Literal["all"]

_MOST_NON_LETTERS = 5000


def model_name(model: Model) -> str:
    """Return the name of a model's folder with the first digits of its checksum."""
    return f"{model.folder.resolve().name} ({model.card['sha256'][:8]})"


def answerable(model: Model, alphabet: MeasuredAlphabet | None) -> str:
    """Return the characters that may be answered.

    Args:
        model: network and card.
        alphabet: as given to `--alphabet`. None means capitals, or all classes of a model that lacks some
            capital or distinguishes case.
    """
    classes = _classes(model)
    if alphabet is None:
        usual = set(LETTERS) <= set(classes) and not _distinguishes_case(classes)
        alphabet = "letters" if usual else "all"
    return classes if alphabet == "all" else ALPHABETS[alphabet]


def measurable(letters: Letters, characters: str) -> Letters:
    """Keep the letters of the characters that a person wrote.

    Raises:
        BadData: there are none.
    """
    kept = letters[np.isin(letters.labels, list(characters)) & written(letters)]
    if not len(kept):
        raise BadData(f"the data hold none of {characters}", "Choose another --alphabet or --data.")
    return kept


def answers_of(model: Model, letters: Letters, characters: str) -> Answers:
    """Read letters as a job of these characters does, without test-time augmentation.

    Args:
        model: network and card, checked against each other.
        letters: labelled with the characters.
        characters: the characters that may be answered.

    Raises:
        ModelProblem: the model file is missing or damaged, or does not know the characters.
    """
    probabilities = Classifier(model, characters).probabilities(letters.glyphs).astype(np.float64)
    classes = np.array([characters.index(label) for label in letters.labels.tolist()], dtype=np.int64)
    return Answers(tuple(characters), probabilities, classes, letters.glyphs, letters.sources)


def answers_by_kind(model: Model, letters: Letters) -> Answers:
    """Read letters among letters and digits among digits, as jobs do that know what a field holds.

    If a model distinguishes case (EMNIST's balanced and byclass splits), the answers are over all classes,
    as the published figures are.

    Args:
        model: network and card.
        letters: labelled with the model's classes.
    """
    classes = _classes(model)
    answers = answers_of(model, letters, classes)
    if _distinguishes_case(classes):
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


def reject_scores_of(model: Model, letters: Letters) -> RejectScores | None:
    """Measure how well a model distinguishes letters from non-letters made of them.

    Args:
        model: network and card.
        letters: letters that it was not trained on; as many non-letters are made of them, up to 5,000.

    Returns:
        None if the model has no reject class.
    """
    classifier = Classifier(model, _classes(model))
    if not classifier.has_reject_class:
        return None
    count = min(len(letters), _MOST_NON_LETTERS)
    glyphs, kinds = non_letter_glyphs(letters.canvases, count, np.random.default_rng(0))
    return RejectScores(
        classifier.classify(letters.glyphs).reject.astype(np.float64),
        classifier.classify(glyphs).reject.astype(np.float64),
        np.array(KINDS)[kinds],
    )


def compared_with(model: Model, letters: Letters, characters: str) -> OtherModel:
    """Return another model's answers about the same letters, for a report of what changed."""
    answers = answers_of(model, letters, characters)
    return OtherModel(model_name(model), answers, headline(answers))


def evaluation_report(
    model: Model,
    network: Path,
    letters: Letters,
    answers: Answers,
    measured: dict[str, Figures],
    compared: OtherModel | None,
) -> Report:
    """Return what `lettermill evaluate --out` reports.

    Args:
        model: network and card.
        network: the network file.
        letters: what was measured.
        answers: the model's answers about them.
        measured: the headline figures of the answers.
        compared: another model's answers, if one was named.
    """
    characters = "".join(answers.labels)
    return Report(
        title=f"Letters read by {model_name(model)}",
        about=f"{len(letters):,} labelled letters; possible answers: {characters}. The figures are "
        "meaningful only for letters that the model was not trained on.",
        answers=answers,
        measured=measured,
        data=LabelledGlyphs("The letters", letters.glyphs, letters.labels, letters.sources),
        network=network,
        probabilities=Classifier(model, characters).probabilities,
        compared=compared,
        reject_scores=reject_scores_of(model, letters),
    )


def report_of_training(model_folder: Path, parts: Split, history: Sequence[Epoch]) -> None:
    """Write MODEL_DIR/report.

    It shows the test letters in full (the validation letters if no test part is held out), and beside them
    the figures of the validation letters, the epochs, and the training letters.

    Args:
        model_folder: MODEL_DIR, with the network and its card.
        parts: the letters.
        history: one row per epoch.
    """
    model = load_model(model_folder)
    classes = _classes(model)
    answers, name, beside = answers_by_kind(model, parts.validation), "validation", {}
    if len(parts.test):
        beside = {"validation letters": figures(answers)}
        answers, name = answers_by_kind(model, parts.test), "test"
    report = Report(
        title=f"Training of {model_name(model)}",
        about=f"The {len(answers):,} {name} letters, on which the CNN was not trained"
        f"{' and nothing was chosen' if name == 'test' else ''}. Classes: {classes}"
        f"{'' if _distinguishes_case(classes) else '; letters are read among letters, digits among digits'}.",
        answers=answers,
        measured={**headline(answers), **beside},
        data=LabelledGlyphs(
            "What was trained on", parts.train.glyphs, parts.train.labels, parts.train.sources
        ),
        network=model_folder / MODEL_FILE,
        probabilities=Classifier(model, classes).probabilities,
        history=history,
        reject_scores=reject_scores_of(model, parts.test if len(parts.test) else parts.validation),
    )
    write_report(model_folder / REPORT_FOLDER, report)


def _classes(model: Model) -> str:
    """Return the characters that a model can answer."""
    return "".join(label for label in model.card["labels"] if len(label) == 1)


def _distinguishes_case(classes: str) -> bool:
    return any(label.islower() for label in classes)
