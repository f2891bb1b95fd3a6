"""A recipe holds what decides a reading, and its settings name all of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe, make_recipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.settings import Limits, Settings
from tests.support import ROOT

FORM = ROOT / "examples" / "form" / "form.toml"


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


def test_options_make_a_recipe_and_none_is_as_usual(tmp_path: Path, model: Model) -> None:
    (tmp_path / "words.txt").write_text("ANNA\n")
    assert make_recipe().settings == Settings()
    assert make_recipe(alphabet=None, dpi=None, max_pages=None).settings == Settings()
    folder = Path(str(model.folder))
    made = make_recipe(alphabet="digits", dpi=200, max_pages=7, model=folder, lexicon=None)
    assert made.settings == Settings(alphabet="digits", dpi=200, limits=Limits(max_pages=7))
    assert made.model.fingerprint == model.fingerprint
    assert make_recipe(lexicon=tmp_path / "words.txt").settings.summary == ("letters", "lexicon")


def test_a_template_says_what_options_say_of_other_pages(tmp_path: Path) -> None:
    made = make_recipe(template=FORM)
    assert (made.settings.summary, made.settings.alphabet) == (("form",), "alnum")
    for options in ({"alphabet": "alnum"}, {"layout": "page"}, {"printed": "keep"}, {"lexicon": tmp_path}):
        (name,) = options
        with pytest.raises(UsageProblem, match=f"{name} cannot be used with a template"):
            make_recipe(template=FORM, **options)


@pytest.mark.parametrize(
    ("options", "said"), [({"dpi": 5}, "dpi"), ({"max_pages": 0}, "max_pages"), ({"ink": 1}, "ink")]
)
def test_values_that_cannot_be(options: dict[str, int], said: str) -> None:
    with pytest.raises(UsageProblem, match=rf"no page can be read like this: .*{said}"):
        make_recipe(**options)
