"""The option `--data` of training's commands, and reading what it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.sources import Letters

data_option = click.option(
    "--data",
    "folders",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Training sets: npz, zip with labels.csv, EMNIST's IDX files, Kaggle's A–Z csv, or one sub-folder "
    "of images a class. Give it again for more folders.",
)


def load(folders: tuple[Path, ...]) -> Letters:
    """Read all training sets and say what was found."""
    from training import sources

    found, aside = sources.find(folders)
    letters = sources.load(found, click.echo)
    for path in aside:
        click.echo(f"{path.name}: left aside, not a format that training reads")
    return letters
