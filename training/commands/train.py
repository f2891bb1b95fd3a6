"""The command `lettermill train`; what is heavy is imported when it runs."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lettermill.jobs.errors import MissingExtra, UsageProblem
from lettermill.training.letters.data_folders import data_option
from lettermill.training.training_settings import SPLITS, TrainingSettings

if TYPE_CHECKING:
    from lettermill.training.letters.sources import Letters

_DEFAULTS = TrainingSettings()


@click.command()
@data_option
@click.option(
    "--corrections",
    "reviewed",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="JOB",
    help="Train on the letters that people decided in `lettermill review JOB`, too. Give it again for more.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="Takes handprint.tflite, its card handprint.json, a report, history and the Keras model.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=_DEFAULTS.epochs,
    show_default=True,
    help="At most; the last within a standard error of the lowest validation loss is kept.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=_DEFAULTS.seed,
    show_default=True,
    help="Decides the first weights, the order of glyphs and how they are bent.",
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
    default=_DEFAULTS.glyphs_per_epoch,
    show_default=True,
    help="An epoch draws this many glyphs, however many there are.",
)
@click.option(
    "--split",
    "split_name",
    type=click.Choice(SPLITS),
    help="Train on this split of EMNIST as published: its classes, its test file. Nothing else is read. "
    "Taken by itself where the data hold one split alone.",
)
@click.option(
    "--validate-on",
    default="",
    metavar="SOURCE",
    help="A whole source to validate on; by default writers of Chars74K that are held out.",
)
@click.option(
    "--test-on",
    default="",
    metavar="SOURCE",
    help="A whole source to test on; by default other writers of Chars74K that are held out.",
)
@click.option(
    "--leave-one-out",
    is_flag=True,
    help="Write no model: train once for each source without it, and measure its capitals.",
)
@click.option(
    "--left-out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="What --leave-one-out wrote: its networks teach this one, and its table goes into the card.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on after the last whole epoch of a training that was stopped or killed.",
)
def train(
    folders: tuple[Path, ...],
    reviewed: tuple[Path, ...],
    out: Path,
    epochs: int,
    seed: int,
    patience: int,
    glyphs_per_epoch: int,
    split_name: str | None,
    validate_on: str,
    test_on: str,
    leave_one_out: bool,
    left_out: Path | None,
    resume: bool,
) -> None:
    """Train the CNN on labelled letters and write it as a model for `--model`.

    Each epoch reports loss and accuracy on training and validation data; the test data is measured once,
    at the end. Ctrl-C ends the training and writes the best epoch so far; a second one writes nothing.
    """
    _require_extra()
    if leave_one_out and left_out:
        raise UsageProblem(
            "--left-out takes what an earlier --leave-one-out wrote",
            "Give --leave-one-out first, then train with --left-out.",
        )
    from lettermill.training import recipe
    from lettermill.training.letters import published, sources
    from lettermill.training.letters import reviewed_letters as corrections
    from lettermill.training.letters.split import part_of, split

    settings = dataclasses.replace(
        _DEFAULTS,
        epochs=epochs,
        seed=seed,
        patience=patience,
        glyphs_per_epoch=glyphs_per_epoch,
        validate_on=validate_on,
        test_on=test_on,
    )
    found, aside = sources.find(folders)
    found += [corrections.found(job) for job in reviewed]
    published.report_aside(aside, click.echo)
    settings = dataclasses.replace(settings, split=published.chosen_split(found, split_name or ""))
    if settings.split:
        if leave_one_out or left_out or validate_on or test_on or reviewed:
            raise UsageProblem(
                "a split of EMNIST comes with its own test letters, and nothing else is read",
                "Leave out --validate-on, --test-on, --leave-one-out, --left-out and --corrections.",
            )
        parts = published.read_split(found, settings.split, click.echo)
    else:
        letters = sources.load(found, click.echo, lambda letters: part_of(letters, settings))
        if leave_one_out:
            _leave_one_out(letters, settings, out, resume)
            return
        parts = split(letters, settings, click.echo)
    card = recipe.train_model(parts, settings, out, click.echo, left_out, resume)
    for name in ("validation", "test"):
        part = card["figures"][name]
        click.echo(f"{name}: {part['all_classes'] if part else 'no letters held out'}")
    click.echo(f"{out}: {card['bytes']:,} bytes, {card['multiply_adds']:,} multiply-adds a glyph")


def _leave_one_out(letters: Letters, settings: TrainingSettings, out: Path, resume: bool) -> None:
    """Train once for each source without it, and write the figures."""
    from lettermill.training.reports import leave_one_out as loo
    from lettermill.training.reports.training_report import REPORT_FOLDER, check_folder, table_text

    check_folder(out / REPORT_FOLDER)
    results = []
    for result in loo.leave_one_out(letters, settings, out, click.echo, resume):
        results.append(result)
        summary = loo.summary(results, settings)
        loo.write(summary, out)  # after each source, because a source takes minutes
    measured = loo.write_reports(results, out)
    click.echo(loo.table(summary))
    click.echo(table_text(measured))
    click.echo(f"temperature {summary['temperature']}, written to {out / loo.RESULT_FILE}")


def _require_extra() -> None:
    """Stop with advice where the `train` extra is not installed."""
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtra(
            "training needs tensorflow", "Install it with: pip install '.[train]' (in a clone)"
        )
