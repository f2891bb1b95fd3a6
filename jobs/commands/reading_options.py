"""The options that say how pages are read, and the job that they make."""

from __future__ import annotations

from typing import Any, cast

import click
from click.core import ParameterSource

from lettermill.jobs.commands.options import FOLDER, CommandFunction
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.context import PACKS, read_context
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.make import Submission, make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.settings import (
    ALPHABETS,
    MAX_PAGE_SECONDS,
    MOST_MEGABYTES,
    MOST_MEGAPIXELS,
    AlphabetChoice,
    Layout,
    Limits,
    Printed,
    Settings,
)
from lettermill.jobs.storage.place import Place

_DEFAULTS = Settings()


def reading_options(command: CommandFunction) -> CommandFunction:
    """Add the options that say how pages are read; `reading_recipe` takes their values."""
    limits = _DEFAULTS.limits
    for option in (
        click.option(
            "--alphabet",
            type=click.Choice([*ALPHABETS, "auto"]),
            default=_DEFAULTS.alphabet,
            show_default=True,
            help="Which characters are on the pages: A–Z (letters), 0–9 (digits) or both (alnum); or decide "
            "for each line (auto).",
        ),
        click.option(
            "--layout",
            type=click.Choice(["auto", "page", "line"]),
            default=_DEFAULTS.layout,
            show_default=True,
            help="Read each image as one line (line) or a page of lines (page), or decide per image (auto).",
        ),
        click.option(
            "--printed",
            type=click.Choice(["drop", "keep"]),
            default=_DEFAULTS.printed,
            show_default=True,
            help="Leave machine-printed text out (drop), or read it like hand-print (keep).",
        ),
        click.option(
            "--dpi",
            type=click.IntRange(50, 1200),
            default=_DEFAULTS.dpi,
            show_default=True,
            help="Resolution at which PDF pages are rendered, in dots per inch.",
        ),
        click.option(
            "--model",
            "model_folder",
            type=FOLDER,
            metavar="DIR",
            help="Use your own model: a folder that `lettermill train` wrote.",
        ),
        click.option(
            "--lexicon",
            type=FOLDER,
            metavar="FILE",
            help="A file of words that may be on the pages, one per line; lines.csv gets a column with the "
            "words that fit each line.",
        ),
        click.option(
            "--context",
            metavar="NAME|FILE",
            help="Where the ink leaves a choice, prefer what is likely in this context: the name of a pack "
            f"({', '.join(PACKS)}), or a file made by `lettermill context build` or of words, one per line.",
        ),
        click.option(
            "--template",
            type=FOLDER,
            metavar="FILE.toml",
            help="Read every page as a copy of this form; its fields go to fields.csv.",
        ),
        click.option(
            "--max-megapixels",
            type=click.FloatRange(min=0, min_open=True, max=MOST_MEGAPIXELS),
            default=limits.max_megapixels,
            show_default=True,
            help="Refuse larger pages.",
        ),
        click.option(
            "--max-megabytes",
            type=click.FloatRange(min=0, min_open=True, max=MOST_MEGABYTES),
            default=limits.max_megabytes,
            show_default=True,
            help="Refuse larger files.",
        ),
        click.option(
            "--max-pages",
            type=click.IntRange(min=1),
            default=limits.max_pages,
            show_default=True,
            help="Refuse files with more pages.",
        ),
        click.option(
            "--page-seconds",
            type=click.IntRange(1, MAX_PAGE_SECONDS),
            default=int(limits.page_seconds),
            show_default=True,
            help="Give up on a page that takes longer.",
        ),
    )[::-1]:
        command = option(command)
    return command


def reading_recipe(reading: dict[str, Any]) -> ReadingRecipe:
    """Return what the reading options say.

    Args:
        reading: the options' values by parameter name.

    Raises:
        UsageProblem: --template comes with an option for pages without one.
        BadData, ModelProblem: a file cannot be used.
    """
    template = read_template(reading["template"]) if reading["template"] else None
    if template:
        command = click.get_current_context()
        for option in ("alphabet", "layout", "printed", "lexicon", "context"):
            if command.get_parameter_source(option) is not ParameterSource.DEFAULT:
                raise UsageProblem(
                    f"--{option} cannot be used with --template: each field of the template has its own",
                    f"Leave --{option} out.",
                )
        reading["alphabet"] = "alnum"  # Each field has its own part of it.
    settings = Settings(
        alphabet=cast(AlphabetChoice, reading["alphabet"]),
        layout=cast(Layout, reading["layout"]),
        printed=cast(Printed, reading["printed"]),
        dpi=reading["dpi"],
        limits=Limits(
            reading["max_megapixels"], reading["max_megabytes"], reading["max_pages"], reading["page_seconds"]
        ),
    )
    model = load_model(reading["model_folder"] or installed_model_folder())
    lexicon = read_word_list(reading["lexicon"], settings.characters) if reading["lexicon"] else None
    if reading["context"] and settings.alphabet == "digits":
        raise UsageProblem(
            "--context cannot be used with --alphabet digits: numbers have none", "Leave --context out."
        )
    context = read_context(reading["context"]) if reading["context"] else None
    return ReadingRecipe(settings, model, lexicon, template, context)


def submit_folder(
    folder: Place,
    out: Place,
    scans: Place | None,
    results: Place | None,
    reading: dict[str, Any],
    token: str = "",
    *,
    shared: bool,
    max_failures: int | None,
) -> tuple[Submission, Roots]:
    """Make a job of a folder, or find the job that was made of it before.

    Args:
        folder: the scans.
        out: the folder that holds the job folders.
        scans: the value of --scans.
        results: the value of --results.
        reading: the values of the reading options by parameter name.
        token: the value of --token.
        shared: whether workers on other machines read the pages.
        max_failures: how many pages may fail before the job is stopped; None for any number.

    Returns:
        The job with its number of pages, and the roots below which workers find scans and results.

    Raises:
        UsageProblem: the options contradict each other.
        NoScans: there is nothing to read below the folder.
        BadData, ModelProblem: a file that is given cannot be used.
        ResultsNotWritable: the job folder cannot be made.
    """
    recipe = reading_recipe(reading)
    roots = Roots(scans or folder, results or out)
    submission = make_job(
        folder, out, recipe, roots, client_token=token, shared=shared, max_failures=max_failures
    )
    return submission, roots
