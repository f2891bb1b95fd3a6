"""The options that say how pages are read, and the job that they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lettermill.jobs.commands.options import FOLDER, CommandFunction
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.context import PACKS
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe, make_recipe
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.make import Submission, make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.scans.find import common_folder
from lettermill.jobs.settings import (
    ALPHABETS,
    MAX_PAGE_SECONDS,
    MOST_MEGABYTES,
    MOST_MEGAPIXELS,
    Settings,
)
from lettermill.jobs.storage.place import Place

_DEFAULTS = Settings()


def _one_template(context: click.Context, option: click.Parameter, given: tuple[Path, ...]) -> Path | None:
    """Return the template; with the last of several, pages of the other forms would fail without a word.

    Raises:
        UsageProblem: there are several.
    """
    if len(given) > 1:
        raise UsageProblem(
            f"--template was given {len(given)} times, and a job reads the pages of one form",
            "Make a job for each form, of its own scans; pages of another form become FORM_NOT_FOUND.",
        )
    return given[0] if given else None


def reading_options(command: CommandFunction) -> CommandFunction:
    """Add the options that say how pages are read; `reading_recipe` takes their values."""
    limits = _DEFAULTS.limits
    for option in (
        click.option(
            "--alphabet",
            type=click.Choice([*ALPHABETS, "auto"], case_sensitive=False),
            default=_DEFAULTS.alphabet,
            show_default=True,
            help="Which characters are on the pages: A–Z (letters), 0–9 (digits) or both (alnum); or decide "
            "for each line (auto).",
        ),
        click.option(
            "--layout",
            type=click.Choice(["auto", "page", "line"], case_sensitive=False),
            default=_DEFAULTS.layout,
            show_default=True,
            help="Read each image as one line (line) or a page of lines (page), or decide per image (auto).",
        ),
        click.option(
            "--printed",
            type=click.Choice(["drop", "keep"], case_sensitive=False),
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
            multiple=True,
            callback=_one_template,
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
    if reading["template"]:
        command = click.get_current_context()
        for option in ("alphabet", "layout", "printed", "lexicon", "context"):
            if command.get_parameter_source(option) is not ParameterSource.DEFAULT:
                raise UsageProblem(
                    f"--{option} cannot be used with --template: each field of the template has its own",
                    f"Leave --{option} out.",
                )
    of_the_page = not reading["template"]  # A template's fields have their own.
    return make_recipe(
        model=reading["model_folder"],
        lexicon=reading["lexicon"],
        template=reading["template"],
        context=reading["context"],
        max_megapixels=reading["max_megapixels"],
        max_megabytes=reading["max_megabytes"],
        max_pages=reading["max_pages"],
        page_seconds=reading["page_seconds"],
        alphabet=reading["alphabet"] if of_the_page else None,
        layout=reading["layout"] if of_the_page else None,
        printed=reading["printed"] if of_the_page else None,
        dpi=reading["dpi"],
    )


def submit_scans(
    sources: Sequence[Place],
    out: Place,
    scans: Place | None,
    results: Place | None,
    reading: dict[str, Any],
    *,
    name: str,
    token: str = "",
    shared: bool,
    max_failures: int | None,
) -> tuple[Submission, Roots]:
    """Make a job of a folder or of files, or find the job that was made of them before.

    Args:
        sources: the scans: a folder, or files and folders.
        out: the folder that holds the job folders.
        scans: the value of --scans.
        results: the value of --results.
        reading: the values of the reading options by parameter name.
        name: the value of --name.
        token: the value of --token.
        shared: whether workers on other machines read the pages.
        max_failures: how many pages may fail before the job is stopped; None for any number.

    Returns:
        The job with its number of pages, and the roots below which workers find scans and results.

    Raises:
        UsageProblem: the options contradict each other, or a source does not exist.
        NoScans: there is nothing to read.
        BadData, ModelProblem: a file that is given cannot be used.
        ResultsNotWritable: the job folder cannot be made.
    """
    folder, only = common_folder(sources)
    recipe = reading_recipe(reading)
    roots = Roots(scans or folder, results or out)
    submission = make_job(
        folder,
        out,
        recipe,
        roots,
        only=only,
        name=name,
        client_token=token,
        shared=shared,
        max_failures=max_failures,
    )
    point_latest(submission.job)
    return submission, roots
