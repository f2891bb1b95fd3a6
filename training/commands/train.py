"""The command `lettermill train`; what is heavy is imported when it runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lettermill.jobs.errors import UsageProblem
from lettermill.training.commands.data_option import data_option
from lettermill.training.commands.extra import require_extra
from lettermill.training.training_settings import FURTHER_SETTINGS, SPLITS, TrainingSettings

if TYPE_CHECKING:
    from lettermill.training.letters.sources import Found, Letters
    from lettermill.training.letters.split import Split

_DEFAULTS = TrainingSettings()

_MINUTES = 20.0
"""How long the line network is trained on, unless --minutes says otherwise."""


@click.command()
@data_option(required=False)
@click.option(
    "--fields",
    "fields",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FOLDER",
    help="Train both networks further on images of fields whose text is known: a folder, or a zip file. Each "
    "seventh field is held out and measured. With --data, lines that are made from its glyphs, pen strokes "
    "and fonts are mixed in for the line network. Repeat it for more folders.",
)
@click.option(
    "--truth",
    "truths",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="What is written on the images of --fields, as for `score`: the columns file (path below the "
    "folder) and label. Give it once for each --fields, in the same order, or never if each has a "
    "labels.csv.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=_MINUTES,
    show_default=True,
    help="How long the line network is trained.",
)
@click.option(
    "--start",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="The model that is trained further; by default the one that comes with Lettermill.",
)
@click.option(
    "--further",
    is_flag=True,
    help="Train the CNN of --start further on the letters of --data and --corrections, instead of a new one "
    "from the beginning: for a few hundred letters.",
)
@click.option(
    "--line-network",
    "from_scratch",
    is_flag=True,
    help="Train the line network from the beginning, on lines made from --data and on --fields, and keep the "
    "CNN.",
)
@click.option(
    "--corrections",
    "reviewed",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="JOB",
    help="A job whose letters people decided in `lettermill review JOB`, to train on them too. Repeat it for "
    "more jobs.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="Where the model is written: handprint.tflite and first.tflite, their card handprint.json, a "
    "report, the history and the Keras model.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    show_default=f"{_DEFAULTS.epochs}; 2 with --further",
    help="The most epochs to train the CNN; the last one within a standard error of the lowest validation "
    "loss is kept.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=_DEFAULTS.seed,
    show_default=True,
    help="Decides the initial weights, the order of the glyphs and their augmentation.",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=_DEFAULTS.patience,
    show_default=True,
    help="End after this many epochs without a lower validation loss.",
)
@click.option(
    "--glyphs-per-epoch",
    type=click.IntRange(1),
    show_default=f"{_DEFAULTS.glyphs_per_epoch}; 12000 with --further",
    help="How many glyphs an epoch draws, however many there are.",
)
@click.option(
    "--split",
    "split_name",
    type=click.Choice(SPLITS),
    help="Train on this split of EMNIST as published, with its classes and its test file, and on nothing "
    "else. It need not be given if the data hold a single split and nothing else.",
)
@click.option(
    "--validate-on",
    default="",
    metavar="SOURCE",
    help="A whole source to validate on; by default sites of UNIPEN and writers of Chars74K that are "
    "held out.",
)
@click.option(
    "--test-on",
    default="",
    metavar="SOURCE",
    help="A whole source to test on; by default other sites and writers that are held out.",
)
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Write no model: train once per source without it, and measure its capitals.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue a training that was stopped or killed after its last complete epoch.",
)
def train(
    folders: tuple[Path, ...],
    fields: tuple[Path, ...],
    truths: tuple[Path, ...],
    minutes: float,
    start: Path | None,
    further: bool,
    from_scratch: bool,
    reviewed: tuple[Path, ...],
    out: Path,
    epochs: int | None,
    seed: int,
    patience: int,
    glyphs_per_epoch: int | None,
    split_name: str | None,
    validate_on: str,
    test_on: str,
    leave_one_out: bool,
    resume: bool,
) -> None:
    """Train a model for `--model`, or train one further on letters and fields of your own.

    A model has two networks: the CNN names single letters, the line network reads whole lines. --data trains
    a new CNN and keeps the line network; --fields trains both further, --further the CNN alone.

    Each epoch reports loss and accuracy on training and validation data. The test data is measured once, at
    the end. Ctrl-C ends the training and writes the best epoch so far; a second Ctrl-C writes nothing.

    \b
    Example:
      lettermill train --fields our-fields --truth our-fields.csv --out models/ours
      lettermill train --further --data our-letters --data others --validate-on others --out models/ours
    """
    require_extra("tensorflow", "training")
    require_extra("scipy", "training")
    if fields or from_scratch:
        if reviewed or split_name or validate_on or test_on or leave_one_out or further:
            raise UsageProblem(
                "--fields and --line-network train on fields and lines, the other options on letters",
                "Leave out --further, --corrections, --split, --validate-on, --test-on and --leave-one-out; "
                "train on letters first, then give that folder as --start.",
            )
        _train_on_fields(folders, fields, truths, minutes, seed, start, from_scratch, out, resume)
        return
    if truths or (start and not further):
        raise UsageProblem(
            "--truth belongs to --fields, and --start to --fields or --further",
            "Give --fields FOLDER, or --further, too.",
        )
    if further and (split_name or leave_one_out):
        raise UsageProblem("a CNN is not trained further on splits", "Leave out --split and --leave-one-out.")
    if not folders and not (further and reviewed):
        raise UsageProblem("nothing to train on", "Give --data FOLDER, or --fields FOLDER --truth FILE.csv.")
    from lettermill.training.letters import published
    from lettermill.training.letters.split import split

    usual = FURTHER_SETTINGS if further else _DEFAULTS
    settings = dataclasses.replace(
        usual,
        epochs=epochs or usual.epochs,
        seed=seed,
        patience=patience,
        glyphs_per_epoch=glyphs_per_epoch or usual.glyphs_per_epoch,
        validate_on=validate_on,
        test_on=test_on,
    )
    found = _find(folders, reviewed)
    if further:
        parts = split(_load(found, settings), settings, click.echo)
        _train_further(parts, settings, start, out, resume)
        return
    settings = dataclasses.replace(settings, split=published.chosen_split(found, split_name or ""))
    if settings.split:
        if leave_one_out or validate_on or test_on or reviewed:
            raise UsageProblem(
                "a split of EMNIST comes with its own test letters and is trained on alone",
                "Leave out --validate-on, --test-on, --leave-one-out and --corrections.",
            )
        parts = published.read_split(found, settings.split, click.echo)
    elif leave_one_out:
        _leave_one_out(_load(found, settings), settings, out, resume)
        return
    else:
        parts = split(_load(found, settings), settings, click.echo)
    _train_model(parts, settings, out, resume)


def _find(folders: tuple[Path, ...], reviewed: tuple[Path, ...]) -> list[Found]:
    """List the training sets of the folders and of reviewed jobs; report the files that are ignored."""
    from lettermill.training.letters import sources
    from lettermill.training.letters.reviewed_letters import reviewed_set

    found, ignored = sources.find(folders) if folders else ([], [])
    found += [reviewed_set(job) for job in reviewed]
    sources.report_ignored(ignored, click.echo)
    return found


def _load(found: list[Found], settings: TrainingSettings) -> Letters:
    from lettermill.training.letters import sources
    from lettermill.training.letters.split import part_of

    return sources.load(found, click.echo, lambda letters: part_of(letters, settings))


def _train_model(parts: Split, settings: TrainingSettings, out: Path, resume: bool) -> None:
    """Train a model and print its figures."""
    from lettermill.training import recipe

    card = recipe.train_model(parts, settings, out, click.echo, resume)
    for name in ("validation", "test"):
        part = card["figures"][name]
        click.echo(f"{name}: {part['all_classes'] if part else 'no letters held out'}")
    click.echo(f"{out}: {card['bytes']:,} bytes, {card['multiply_adds']:,} multiply-adds per glyph")


def _train_further(
    parts: Split, settings: TrainingSettings, start: Path | None, out: Path, resume: bool
) -> None:
    """Train a model's CNN further and print its figures before and after."""
    from lettermill.jobs.inputs.model import installed_model_folder
    from lettermill.training import recipe

    card = recipe.train_model_further(
        parts, settings, start or installed_model_folder(), out, click.echo, resume
    )
    for name, after in card["figures"].items():
        before = card["figures_before"][name]
        if after is None:
            click.echo(f"{name}: no letters held out")
            continue
        for characters in ("all_classes", "capitals_among_letters"):
            if after[characters]:
                click.echo(f"{name}, {characters.replace('_', ' ')}: {before[characters]} before")
                click.echo(f"{name}, {characters.replace('_', ' ')}: {after[characters]} after")
    if _wrong(card["figures"]) > _wrong(card["figures_before"]):
        click.echo("the new model reads more of these letters wrong: keep the one before")
    click.echo(f"{out}: written")


def _wrong(figures: dict[str, Any]) -> int:
    """Return the number of letters of all parts that are read wrong."""
    parts = [part["all_classes"] for part in figures.values() if part]
    counts: list[int] = [round((1 - part["accuracy"]) * part["glyphs"]) for part in parts]
    return sum(counts)


def _leave_one_out(letters: Letters, settings: TrainingSettings, out: Path, resume: bool) -> None:
    """Train once per source without it, and write the figures."""
    from lettermill.training.fitting.leave_one_out import train_without_each_source
    from lettermill.training.reports.leave_one_out_report import (
        RESULT_FILE,
        summary,
        table,
        write_reports,
        write_summary,
    )
    from lettermill.training.reports.report_text import table_text
    from lettermill.training.reports.training_report import REPORT_FOLDER, check_folder

    check_folder(out / REPORT_FOLDER)
    results = []
    for result in train_without_each_source(letters, settings, out, click.echo, resume):
        results.append(result)
        values = summary(results, settings)
        write_summary(values, out)  # After each source, because a source takes minutes.
    measured = write_reports(results, out)
    click.echo(table(values))
    click.echo(table_text(measured))
    click.echo(f"temperature {values['temperature']}, written to {out / RESULT_FILE}")


def _train_on_fields(
    folders: tuple[Path, ...],
    fields: tuple[Path, ...],
    truths: tuple[Path, ...],
    minutes: float,
    seed: int,
    start: Path | None,
    from_scratch: bool,
    out: Path,
    resume: bool,
) -> None:
    """Train on fields and lines, and print the size of the line network."""
    from lettermill.jobs.inputs.model import LINE_FILE, installed_model_folder
    from lettermill.training.fitting.field_training import train_on_fields
    from lettermill.training.fitting.line_fit import (
        FURTHER_LEARNING_RATE,
        SCRATCH_LEARNING_RATE,
        LineSettings,
    )
    from lettermill.training.lines.line_feed import LineOrigins

    if truths and len(truths) != len(fields):
        raise UsageProblem(
            f"{len(fields)} times --fields and {len(truths)} times --truth",
            "Give --truth once for each --fields, in the same order, or never if each has a labels.csv.",
        )
    if not folders and not fields:
        raise UsageProblem("nothing to make lines from", "Give --data FOLDER, --fields FOLDER, or both.")
    card = train_on_fields(
        LineOrigins(folders, tuple(zip(fields, truths or (None,) * len(fields), strict=True))),
        LineSettings(minutes, SCRATCH_LEARNING_RATE if from_scratch else FURTHER_LEARNING_RATE, seed),
        start or installed_model_folder(),
        out,
        from_scratch=from_scratch,
        resume=resume,
        report=click.echo,
    )
    section = card["line_network"]
    click.echo(f"{out / LINE_FILE}: {section['bytes']:,} bytes, {section['parameters']:,} parameters")
