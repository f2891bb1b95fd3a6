"""The command `lettermill train`; what is heavy is imported when it runs."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import click

from jobs.errors import MissingExtra
from training.data_folders import data_option, load
from training.settings import TrainingSettings

_DEFAULTS = TrainingSettings()


@click.command()
@data_option
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="Takes handprint.onnx, its card handprint.json, curves, history and the Keras model.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=_DEFAULTS.epochs,
    show_default=True,
    help="Fixed in advance: the last one is kept.",
)
@click.option(
    "--seed",
    type=int,
    default=_DEFAULTS.seed,
    show_default=True,
    help="Decides the first weights, the order of glyphs and how they are bent.",
)
@click.option(
    "--glyphs-per-epoch",
    type=click.IntRange(1),
    default=_DEFAULTS.glyphs_per_epoch,
    show_default=True,
    help="An epoch draws this many glyphs, however many there are.",
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
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="leave_one_out.json of the same settings: its temperature and table go into the card.",
)
def train(
    folders: tuple[Path, ...],
    out: Path,
    epochs: int,
    seed: int,
    glyphs_per_epoch: int,
    validate_on: str,
    test_on: str,
    leave_one_out: bool,
    left_out: Path | None,
) -> None:
    """Train the CNN on labelled letters and write it as a model for `--model`.

    Each epoch reports loss and accuracy on training and validation data; the test data is measured once,
    at the end.
    """
    _require_extra()
    from training import leave_one_out as loo
    from training import recipe

    settings = dataclasses.replace(
        _DEFAULTS,
        epochs=epochs,
        seed=seed,
        glyphs_per_epoch=glyphs_per_epoch,
        validate_on=validate_on,
        test_on=test_on,
    )
    figures = loo.read(left_out) if left_out else None
    letters = load(folders)
    if leave_one_out:
        results = []
        for result in loo.leave_one_out(letters, settings, click.echo):
            results.append(result)
            summary = loo.summary(results, settings)
            loo.write(summary, out)  # after each source, because a source takes minutes
        click.echo(loo.table(summary))
        click.echo(f"temperature {summary['temperature']}, written to {out / loo.RESULT_FILE}")
        return
    card = recipe.train_model(letters, settings, out, click.echo, figures)
    for name in ("validation", "test"):
        part = card["figures"][name]
        click.echo(f"{name}: {part['all_classes'] if part else 'no letters held out'}")
    click.echo(f"{out}: {card['bytes']:,} bytes, {card['multiply_adds']:,} multiply-adds a glyph")


def _require_extra() -> None:
    """Stop with advice where the libraries of the `train` extra are not installed."""
    missing = [name for name in ("tensorflow", "tf2onnx", "onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"training needs {', '.join(missing)}", "Install them with: pip install 'lettermill[train]'"
        )
