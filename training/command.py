"""The commands `lettermill train` and `lettermill evaluate`; what is heavy is imported when one runs."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs.errors import MissingExtra
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from jobs.settings import Alphabet
    from training.sources import Letters

_DEFAULTS = TrainingSettings()

_data = click.option(
    "--data",
    "folders",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Training sets: npz, zip with labels.csv, EMNIST's IDX files, Kaggle's A–Z csv, or one sub-folder "
    "of images a class. Give it again for more folders.",
)


@click.command()
@_data
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
    letters = _load(folders)
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


@click.command()
@_data
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="MODEL_DIR",
    help="A folder that `lettermill train` wrote; by default the model that comes with Lettermill.",
)
@click.option(
    "--alphabet",
    type=click.Choice(["letters", "digits", "alnum"]),
    default="letters",
    show_default=True,
    help="Which letters are measured, and what may be answered.",
)
def evaluate(folders: tuple[Path, ...], model: Path | None, alphabet: Alphabet) -> None:
    """Measure a model on labelled letters: accuracy, loss and calibration for each source.

    The figures say something about letters only that the model was not trained on.
    """
    from jobs.models import installed_model_folder, load_model
    from training import evaluation

    chosen = load_model(model or installed_model_folder())
    for line in evaluation.evaluate(chosen, _load(folders), alphabet):
        click.echo(line)


def _load(folders: tuple[Path, ...]) -> Letters:
    """Read all training sets and say what was found."""
    from training import sources

    found, aside = sources.find(folders)
    letters = sources.load(found, click.echo)
    for path in aside:
        click.echo(f"{path.name}: left aside, not a format that training reads")
    return letters


def _require_extra() -> None:
    """Stop with advice where the libraries of the `train` extra are not installed."""
    missing = [name for name in ("tensorflow", "tf2onnx", "onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"training needs {', '.join(missing)}", "Install them with: pip install 'lettermill[train]'"
        )
