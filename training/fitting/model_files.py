"""Copies a model folder's files, and replaces those of another one all together."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from lettermill.jobs.inputs.model import CARD_FILE, FIRST_FILE, LINE_FILE, MODEL_FILE, REGION_FILE, load_model
from lettermill.training.fitting.network_weights import weights_file

_NETWORKS = (MODEL_FILE, FIRST_FILE, LINE_FILE, REGION_FILE)


def copy_model(source: Path, folder: Path) -> None:
    """Copy the networks, their weights and the card of a model.

    Args:
        source: MODEL_DIR.
        folder: created if it is missing.

    Raises:
        ModelProblem: the model is damaged.
    """
    load_model(source).check()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CARD_FILE, *_NETWORKS, *map(weights_file, _NETWORKS)):
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


@contextlib.contextmanager
def replaced_at_the_end(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends, its files replace those of the same names in `folder`."""
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        # The networks and the card come last, right after each other: readers refuse one without the other.
        for path in sorted(new.iterdir(), key=lambda path: path.name in {*_NETWORKS, CARD_FILE}):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
