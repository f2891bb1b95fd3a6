"""Holds everything that decides how the pages of a job are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.context import ContextPack, read_context
from lettermill.jobs.inputs.model import Model, installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import WordList, read_word_list
from lettermill.jobs.settings import Settings

if TYPE_CHECKING:  # Few jobs have a template, and loading it takes longer than the rest.
    from lettermill.jobs.inputs.form_template import Template


@dataclasses.dataclass(frozen=True)
class ReadingRecipe:
    """The settings, the model, and the word list, the context and the template if there are any.

    Attributes:
        settings: as given, with the digests of the word list, the context and the template put in.
        model: the model that reads.
        lexicon: the words with which lines are read a second time.
        template: the form whose fields are read.
        context: what is likely to be written on the pages.
    """

    settings: Settings
    model: Model
    lexicon: WordList | None = None
    template: Template | None = None
    context: ContextPack | None = None

    def __post_init__(self) -> None:
        settings = msgspec.structs.replace(
            self.settings,
            lexicon=self.lexicon.digest if self.lexicon else None,
            context=self.context.digest if self.context else None,
            template=self.template.digest if self.template else None,
        )
        object.__setattr__(self, "settings", settings)

    def check_alphabet(self) -> None:
        """Check that the model knows every character that may be read.

        Raises:
            ModelProblem: it does not.
        """
        self.model.check_knows(self.settings.characters)


def make_recipe(
    *,
    model: Path | None = None,
    lexicon: Path | None = None,
    template: Path | None = None,
    context: str | Path | None = None,
    max_megapixels: float | None = None,
    max_megabytes: float | None = None,
    max_pages: int | None = None,
    page_seconds: float | None = None,
    **settings: Any,
) -> ReadingRecipe:
    """Return what the reading options of the command line say, by their names; None for what is usual.

    Args:
        model: the folder of another model.
        lexicon: the file of a word list.
        template: the file of a form's template; its fields say what the settings say of other pages.
        context: the name of a pack, the file of one, or a list of words.
        max_megapixels: as in `Limits`, like the next three.
        max_megabytes: see there.
        max_pages: see there.
        page_seconds: see there.
        settings: values of `Settings`: alphabet, layout, printed, dpi.

    Raises:
        UsageProblem: a value cannot be, or contradicts the template.
        BadData, ModelProblem: a file cannot be used.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    form = None
    if template:
        from lettermill.jobs.inputs.form_template import read_template

        form = read_template(template)
        of_pages: dict[str, Any] = {"lexicon": lexicon, "context": context}
        clashing: list[str] = [name for name in ("alphabet", "layout", "printed") if name in given]
        clashing += [name for name, value in of_pages.items() if value]
        if clashing:
            option = clashing[0]
            raise UsageProblem(
                f"{option} cannot be used with a template: each field of the template has its own",
                f"Leave {option} out.",
            )
        given["alphabet"] = "alnum"  # Each field has its own part of it.
    limits = {
        "max_megapixels": max_megapixels,
        "max_megabytes": max_megabytes,
        "max_pages": max_pages,
        "page_seconds": page_seconds,
    }
    given["limits"] = {name: value for name, value in limits.items() if value is not None}
    try:
        checked = msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        raise UsageProblem(f"no page can be read like this: {error}", "Correct the value.") from error
    if context and checked.alphabet == "digits":
        raise UsageProblem(
            "a context cannot be used with the alphabet digits: numbers have none", "Leave context out."
        )
    return ReadingRecipe(
        checked,
        load_model(model or installed_model_folder()),
        read_word_list(lexicon, checked.characters) if lexicon else None,
        form,
        read_context(str(context)) if context else None,
    )
