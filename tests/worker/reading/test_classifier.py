"""The classifier masks and calibrates, gives the same in any batch, and refuses a model that does not fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, FIRST_FILE, MODEL_FILE, installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, DIGITS, LETTERS
from lettermill.worker.reading.classifier import Classification, Classifier, concatenate
from lettermill.worker.reading.litert_network import BATCH_GLYPHS, Network
from tests.random_cnn import random_cnn

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


@pytest.fixture(scope="module")
def glyphs() -> np.ndarray:
    """Noise, strokes, and bars of any darkness, some faint: what is rounded for one would show in another."""
    numbers = np.random.default_rng(3)
    glyphs = numbers.integers(0, 256, (300, 28, 28), np.uint8)
    glyphs[::2, :, 10:18] = numbers.integers(0, 256, (150, 1, 1))
    glyphs[::2, :, :10] = glyphs[::2, :, 18:] = 0
    for glyph in glyphs[1::4]:
        glyph[:] = 0
        corners = numbers.integers(4, 24, (4, 1, 2)).astype(np.int32)
        cv2.polylines(glyph, [corners], False, 255, 3, cv2.LINE_AA)
    glyphs[::5] //= 16
    return glyphs


@pytest.mark.parametrize("characters", ALPHABETS.values())
def test_probabilities_are_over_the_alphabet(characters: str, glyphs: np.ndarray) -> None:
    answers = Classifier(load_model(installed_model_folder()), characters).probabilities(glyphs)
    assert answers.shape == (300, len(characters))
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_a_mask_only_takes_characters_away(glyphs: np.ndarray) -> None:
    model = load_model(installed_model_folder())
    both = Classifier(model, LETTERS + DIGITS).probabilities(glyphs)
    letters = Classifier(model, LETTERS).probabilities(glyphs)
    part = both[:, :26]
    assert np.allclose(part / part.sum(axis=1, keepdims=True), letters, atol=1e-4)


def test_a_glyph_is_read_the_same_in_any_batch(glyphs: np.ndarray) -> None:
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    together, none, _ = classifier.classify(glyphs)
    best = classifier.best_probability(glyphs, 2)
    closely = classifier.classify_augmented(glyphs)[0]
    order = np.random.default_rng(4).permutation(len(glyphs))
    for size in (1, 2, BATCH_GLYPHS - 1, BATCH_GLYPHS + 1, 100):
        for start in range(0, min(len(glyphs), 5 * size), size):
            own = order[start : start + size]
            answers = classifier.classify(glyphs[own])
            np.testing.assert_array_equal(answers[0], together[own])
            np.testing.assert_array_equal(answers[1], none[own])
            np.testing.assert_array_equal(classifier.best_probability(glyphs[own], 2), best[own])
            np.testing.assert_array_equal(classifier.classify_augmented(glyphs[own])[0], closely[own])


def test_only_doubtful_glyphs_are_augmented(glyphs: np.ndarray) -> None:
    classifier = Classifier(load_model(installed_model_folder()), LETTERS + DIGITS)
    once, closely = classifier.classify(glyphs), classifier.classify_augmented(glyphs)
    same = (once[0] == closely[0]).all(axis=1) & (once[1] == closely[1])
    assert 0 < same.sum() < len(glyphs)
    # A glyph without a likely class is doubtful at any temperature.
    assert not same[np.maximum(once[0].max(axis=1), once[1]) < 0.4].any()
    np.testing.assert_array_equal(classifier.classify_augmented(glyphs[same])[0], once[0][same])


def test_the_ranking_is_three_characters_best_first(glyphs: np.ndarray) -> None:
    classifier = Classifier(load_model(installed_model_folder()), DIGITS)
    for ranking in classifier.rank(classifier.probabilities(glyphs[:10])):
        sure = [confidence for _, confidence in ranking]
        assert len(ranking) == 3
        assert sure == sorted(sure, reverse=True)
        assert {character for character, _ in ranking} <= set(DIGITS)
    assert classifier.rank(classifier.probabilities(glyphs[:0])) == []


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    model = load_model(installed_model_folder())
    other = dataclasses.replace(model, card={**model.card, "glyph_version": -1})
    with pytest.raises(ModelProblem, match="version"):
        Classifier(other, LETTERS)
    with pytest.raises(ModelProblem, match="Ä"):
        Classifier(model, "AÄ")

    folder = tmp_path / "model"
    shutil.copytree(model.folder, folder)
    (folder / MODEL_FILE).write_bytes(b"damaged")
    with pytest.raises(ModelProblem, match="not the network"):
        Classifier(load_model(folder), LETTERS)
    card = {**model.card, "sha256": hashlib.sha256(b"damaged").hexdigest()}
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(ModelProblem, match="cannot be loaded"):
        Classifier(load_model(folder), LETTERS)
    (folder / CARD_FILE).write_text("{}")
    with pytest.raises(ModelProblem, match="lacks"):
        load_model(folder)


def test_a_network_of_other_classes_is_refused() -> None:
    model = load_model(installed_model_folder())
    fewer = dataclasses.replace(model, card={**model.card, "labels": model.card["labels"][:-1]})
    with pytest.raises(ModelProblem, match="37 outputs, its card 36 labels"):
        Classifier(fewer, LETTERS)


def test_a_first_network_reads_what_it_is_sure_of(glyphs: np.ndarray, tmp_path: Path) -> None:
    """The CNN's first network is here another one; a bound of 2 leaves all glyphs to the large one."""
    model = load_model(installed_model_folder())
    shutil.copytree(model.folder, tmp_path / "model")
    first = random_cnn(1)
    (tmp_path / "model" / FIRST_FILE).write_bytes(first)
    answers = {}
    for bound in (0.0, 2.0):
        described = {"sha256": hashlib.sha256(first).hexdigest(), "sure_above": bound}
        (tmp_path / "model" / CARD_FILE).write_text(json.dumps({**model.card, "first_network": described}))
        answers[bound] = Classifier(load_model(tmp_path / "model"), LETTERS).probabilities(glyphs)
    alone = {**model.card, "first_network": None}
    large = Classifier(dataclasses.replace(model, card=alone), LETTERS).probabilities(glyphs)
    np.testing.assert_array_equal(answers[2.0], large)
    letters = [model.card["labels"].index(letter) for letter in LETTERS]
    odds = np.exp(Network(first).logits(glyphs)[:, letters] / model.card["temperature"])
    np.testing.assert_allclose(answers[0.0], odds / odds.sum(axis=1, keepdims=True), rtol=1e-4)


def test_classifications_are_split_and_joined_in_order(glyphs: np.ndarray) -> None:
    whole = Classifier(load_model(installed_model_folder()), LETTERS).classify(glyphs[:7])
    groups = whole.split([3, 0, 4])
    assert (
        [len(group.probabilities) for group in groups] == [len(group.reject) for group in groups] == [3, 0, 4]
    )
    again = concatenate(groups)
    assert isinstance(again, Classification)
    np.testing.assert_array_equal(again.probabilities, whole.probabilities)
    np.testing.assert_array_equal(again.reject, whole.reject)


def test_a_model_without_a_reject_class_rejects_nothing(
    glyphs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    assert classifier.has_reject_class
    assert classifier.classify(glyphs).reject.max() > 0
    monkeypatch.setattr(classifier, "has_reject_class", False)
    assert not classifier.classify(glyphs).reject.any()
