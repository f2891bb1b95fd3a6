"""Holds everything that decides how the pages of a job are read."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec

from lettermill.jobs.inputs.context import ContextPack
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.word_list import WordList
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
