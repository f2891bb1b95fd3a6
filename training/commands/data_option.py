"""Defines the option `--data`, which `train` and `evaluate` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def data_option(required: bool) -> Callable[[Any], Any]:
    """Return the option.

    Args:
        required: whether the command needs it.
    """
    return click.option(
        "--data",
        "folders",
        required=required,
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="A folder of training sets: npz, zip with labels.csv, EMNIST's IDX files, Kaggle's A–Z csv, "
        "pen strokes, fonts, or one sub-folder of images per class. Repeat it for more folders.",
    )
