"""Defines the option `--data`, which `train` and `evaluate` share."""

from __future__ import annotations

from pathlib import Path

import click

data_option = click.option(
    "--data",
    "folders",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A folder of training sets: npz, zip with labels.csv, EMNIST's IDX files, Kaggle's A–Z csv, pen "
    "strokes, fonts, or one sub-folder of images per class. Repeat it for more folders.",
)
