"""The classifier: masked, calibrated, the same whatever the batch, and clear about a wrong model."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import ModelProblem
from jobs.models import CARD_FILE, MODEL_FILE, installed_model_folder, load_model
from jobs.settings import ALPHABETS, DIGITS, LETTERS
from worker.classifier import Classifier


@pytest.fixture(scope="module")
def glyphs() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (300, 28, 28), np.uint8)


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
    together = classifier.probabilities(glyphs)
    alone = np.concatenate([classifier.probabilities(glyphs[i : i + 1]) for i in range(20)])
    assert np.allclose(together[:20], alone, atol=1e-5)


def test_the_ranking_is_three_characters_best_first(glyphs: np.ndarray) -> None:
    rankings = Classifier(load_model(installed_model_folder()), DIGITS).rank(list(glyphs[:10]))
    for ranking in rankings:
        sure = [confidence for _, confidence in ranking]
        assert len(ranking) == 3
        assert sure == sorted(sure, reverse=True)
        assert {character for character, _ in ranking} <= set(DIGITS)
    assert Classifier(load_model(installed_model_folder()), DIGITS).rank([]) == []


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
    import hashlib

    card = {**model.card, "sha256": hashlib.sha256(b"damaged").hexdigest()}
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(ModelProblem, match="cannot be loaded"):
        Classifier(load_model(folder), LETTERS)
    (folder / CARD_FILE).write_text("{}")
    with pytest.raises(ModelProblem, match="lacks"):
        load_model(folder)
