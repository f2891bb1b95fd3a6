"""A model measured on labelled letters, as jobs read them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import NOT_A_LETTER, Model, installed_model_folder, load_model
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.fitting.fit import Epoch
from lettermill.training.letters.sources import FONTS
from lettermill.training.letters.split import Split
from lettermill.training.measure import non_letter_probability
from lettermill.training.reports import evaluation
from lettermill.training.reports.evaluation import (
    answerable,
    answers_by_kind,
    measurable,
    reject_scores_of,
    report_of_training,
)
from lettermill.worker.reading.cascade import load_cnn
from tests.drawn_letters import drawn_letters, letters_of, some_letters
from tests.report_pages import Page, figures_of

FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def test_reading_and_training_agree_on_what_is_no_letter() -> None:
    letters = drawn_letters("one", FACES[:2])
    model = load_model(installed_model_folder())
    scores = reject_scores_of(model, letters)
    assert scores is not None and len(scores.kinds) == len(scores.others) == len(letters)
    expected = non_letter_probability(load_cnn(model).logits(letters.glyphs))
    np.testing.assert_allclose(scores.letters, expected, atol=1e-5)
    assert np.ptp(scores.letters) > 0


def test_the_report_of_a_training(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(installed_model_folder(), model)
    parts = Split(letters_of("one", FACES[0]), letters_of("two", FACES[1]), letters_of("three", FACES[2]))
    history = [Epoch(1, 2.0, 0.4, 1.5, 0.5, 3.0), Epoch(2, 1.0, 0.7, 0.9, 0.8, 3.0)]
    report_of_training(model, parts, history)
    values = figures_of(model / "report")
    assert list(values["figures"]) == ["all letters", "validation letters"]
    assert [row["validation_loss"] for row in values["history"]] == [1.5, 0.9]
    assert values["data"] == {
        "name": "What was trained on",
        "counts": {"one": dict.fromkeys(sorted(LETTERS + DIGITS), 1)},
    }
    for row in values["confusions"]:  # letters are read among letters
        assert row["is"].isdigit() == row["read"].isdigit()
    assert cv2.imread(str(model / "report" / "curves.png")) is not None
    assert "36 test letters" in Page(model / "report").text


def labelled_by(*labels: str) -> Model:
    """The model that comes with Lettermill, if it had these classes."""
    model = load_model(installed_model_folder())
    return dataclasses.replace(model, card={**model.card, "labels": list(labels)})


def test_which_characters_may_be_answered() -> None:
    usual = load_model(installed_model_folder())
    assert answerable(usual, None) == answerable(usual, "letters") == LETTERS
    assert answerable(usual, "digits") == DIGITS and answerable(usual, "all") == LETTERS + DIGITS
    assert answerable(labelled_by(*"ABC", NOT_A_LETTER), None) == "ABC"  # some capital is missing
    assert answerable(labelled_by(*LETTERS, "a"), None) == LETTERS + "a"  # it distinguishes case


def test_only_written_letters_of_the_characters_are_measured() -> None:
    letters = some_letters()
    assert measurable(letters, "7").labels.tolist() == ["7"]
    drawn = dataclasses.replace(letters, sources=np.full(len(letters), FONTS))
    with pytest.raises(BadData, match="the data hold none of A"):
        measurable(drawn, "A")


def test_digits_are_read_among_digits() -> None:
    letters = drawn_letters("one", FACES[:1])
    answers = answers_by_kind(load_model(installed_model_folder()), letters)
    digits = np.isin(letters.labels, list(DIGITS))
    places = [answers.labels.index(label) for label in DIGITS]
    assert answers.probabilities[np.ix_(~digits, places)].sum() == 0
    np.testing.assert_allclose(answers.probabilities[np.ix_(digits, places)].sum(axis=1), 1, rtol=1e-5)


def test_a_model_without_reject_class_has_no_reject_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    without = SimpleNamespace(has_reject_class=False)
    monkeypatch.setattr(evaluation, "Classifier", lambda model, characters: without)
    assert reject_scores_of(load_model(installed_model_folder()), some_letters()) is None
