"""A recipe holds what decides a reading, and its settings name all of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.settings import Settings


def test_the_settings_have_the_digests(tmp_path: Path, model: Model) -> None:
    (tmp_path / "words.txt").write_text("ANNA\n")
    words = read_word_list(tmp_path / "words.txt", Settings().characters)
    recipe = ReadingRecipe(Settings(dpi=200), model, words)
    assert (recipe.settings.dpi, recipe.settings.lexicon, recipe.settings.template) == (
        200,
        words.digest,
        None,
    )
    assert ReadingRecipe(recipe.settings, model).settings == Settings(dpi=200)


def test_an_alphabet_that_the_model_does_not_know(model: Model) -> None:
    ReadingRecipe(Settings(), model).check_alphabet()
    other = dataclasses.replace(model, card={**model.card, "labels": ["A", "B"]})
    with pytest.raises(ModelProblem, match="does not know C D"):
        ReadingRecipe(Settings(), other).check_alphabet()


def test_a_model_whose_network_is_gone(tmp_path: Path, model: Model) -> None:
    model.check()
    with pytest.raises(ModelProblem, match="cannot read the model"):
        dataclasses.replace(model, folder=type(model.folder)(tmp_path)).check()
