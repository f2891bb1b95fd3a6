"""Writes a job's own copies of its model, word list, context and template, and loads them again.

A job is read with its copies alone. So each is checked when it is loaded: it must be the one that the job was
made with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lettermill.jobs.errors import BadData, ModelProblem
from lettermill.jobs.inputs.context import ContextPack
from lettermill.jobs.inputs.model import CARD_FILE, MODEL_FILE, Model, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:  # Few jobs have a template, and loading it takes longer than the rest.
    from lettermill.jobs.inputs.form_template import Template

MODEL_FOLDER = "model"
LEXICON_FILE = "lexicon.txt"
CONTEXT_FILE = "context.npz"
TEMPLATE_FOLDER, TEMPLATE_FILE = "template", "template.toml"

_SUBMIT_AGAIN = "Delete the job folder and submit the scans again."


def write_copies(folder: Place, recipe: ReadingRecipe) -> None:
    """Copy the inputs of a new job into its folder.

    Args:
        folder: the job folder.
        recipe: the inputs.

    Raises:
        OSError: the folder cannot be written to, or the model cannot be read.
        ModelProblem: the model's network is missing or damaged.
    """
    model, template = recipe.model, recipe.template
    (folder / MODEL_FOLDER / MODEL_FILE).write(model.network)
    for name, network in model.further_networks.items():
        (folder / MODEL_FOLDER / name).write(network)
    (folder / MODEL_FOLDER / CARD_FILE).write(model.folder.read(CARD_FILE))
    if recipe.lexicon:
        (folder / LEXICON_FILE).write(recipe.lexicon.content)
    if recipe.context:
        (folder / CONTEXT_FILE).write(recipe.context.content)
    if template:
        for name, content in template.files.items():
            (folder / TEMPLATE_FOLDER / name).write(content)
        (folder / TEMPLATE_FOLDER / TEMPLATE_FILE).write(template.content)


def load_model_copy(folder: Place, fingerprint: str) -> Model:
    """Load a job's model.

    Args:
        folder: the job folder.
        fingerprint: of the model that the job was made with.

    Raises:
        ModelProblem: the card is missing, damaged, or that of another model.
    """
    path = folder / MODEL_FOLDER
    model = load_model(path)
    if model.fingerprint != fingerprint:
        raise ModelProblem(
            f"the model in {display_path(path)} is not the one that the job was made with", _SUBMIT_AGAIN
        )
    return model


def load_lexicon_copy(folder: Place, settings: Settings) -> WordList | None:
    """Load a job's word list; None where the job has none.

    Args:
        folder: the job folder.
        settings: of the job, with the digest of its word list.

    Raises:
        BadData: it is missing, or not the one that the job was made with.
    """
    if settings.lexicon is None:
        return None
    path = folder / LEXICON_FILE
    try:
        content = folder.read(LEXICON_FILE)
    except OSError:
        content = b""  # It fails the check below.
    words = WordList(path, content, settings.characters)
    if words.digest != settings.lexicon:
        raise BadData(
            f"the word list {display_path(path)} is gone, or not the one that the job was made with",
            _SUBMIT_AGAIN,
        )
    return words


def load_context_copy(folder: Place, settings: Settings) -> ContextPack | None:
    """Load a job's context; None where the job has none.

    Args:
        folder: the job folder.
        settings: of the job, with the digest of its context.

    Raises:
        BadData: it is missing, or not the one that the job was made with.
    """
    if settings.context is None:
        return None
    path = folder / CONTEXT_FILE
    try:
        context = ContextPack(folder.read(CONTEXT_FILE))
    except OSError:
        context = ContextPack(b"")  # It fails the check below.
    if context.digest != settings.context:
        raise BadData(
            f"the context {display_path(path)} is gone, or not the one that the job was made with",
            _SUBMIT_AGAIN,
        )
    return context


def load_template_copy(folder: Place, settings: Settings) -> Template | None:
    """Load a job's template; None where the job has none.

    Args:
        folder: the job folder.
        settings: of the job, with the digest of its template.

    Raises:
        BadData: it is missing, or not the one that the job was made with.
    """
    if settings.template is None:
        return None
    from lettermill.jobs.inputs.form_template import read_template

    path = folder / TEMPLATE_FOLDER / TEMPLATE_FILE
    template = read_template(path)
    if template.digest != settings.template:
        raise BadData(
            f"the template {display_path(path)} is not the one that the job was made with", _SUBMIT_AGAIN
        )
    return template
