"""Writes a trained line network into a model folder: for LiteRT, as weights to train on, and in the card.

Run it with

    python -m lettermill.training.fitting.line_export WEIGHTS.h5 MODEL_DIR

to put weights that Keras saved into a folder that has a card already.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, LINE_FILE, load_model
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.segmentation.line_image import LINE_ROWS, LINE_VERSION
from lettermill.training.fitting.line_network_layers import (
    INPUT_NAME,
    LINE_LABELS,
    OUTPUT_NAME,
    build,
)
from lettermill.training.fitting.litert_export import named
from lettermill.training.fitting.model_card import write_card
from lettermill.training.fitting.network_weights import weights_file, write_weights
from lettermill.worker.reading.line_network import LineNetwork

_LARGEST_DIFFERENCE = 0.05
"""Root mean square of the difference of LiteRT's probabilities from Keras's; int8 rounding gives less."""

_CHECKED_COLUMNS = 256


def export_line_network(model: Any, folder: Path, about: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write a line network into a model folder and describe it in the folder's card.

    The network and the card come last, right after each other, when all is written and checked.

    Args:
        model: the Keras model, as `build` builds it.
        folder: MODEL_DIR, with its card.
        about: further values for the card's section, such as what it was trained on and measured on.

    Returns:
        The card's section.

    Raises:
        ModelProblem: LiteRT does not answer as Keras does, or the card is missing or damaged.
    """
    card = load_model(folder).card
    new = folder / ".new-line"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        content = converted(model, new / LINE_FILE)
        section = {
            "labels": list(LINE_LABELS),
            "line_version": LINE_VERSION,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "parameters": int(model.count_params()),
            **(about or {}),
        }
        section["difference_from_keras"] = round(check_agreement(model, content, section), 5)
        write_weights(model, folder / weights_file(LINE_FILE))
        write_card({**card, "line_network": section}, new / CARD_FILE)
        (new / LINE_FILE).replace(folder / LINE_FILE)
        (new / CARD_FILE).replace(folder / CARD_FILE)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return section


def converted(model: Any, path: Path) -> bytes:
    """Convert a line network to LiteRT, weights rounded to int8, and return the file's bytes.

    Args:
        model: the Keras model.
        path: the file to write; its name ends with `.tflite`.
    """
    import tensorflow as tf

    model.export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
    content = named(path.read_bytes(), INPUT_NAME, OUTPUT_NAME)
    path.write_bytes(content)
    return content


def check_agreement(model: Any, content: bytes, section: dict[str, Any]) -> float:
    """Check that LiteRT answers as Keras does, up to the rounding of weights.

    Args:
        model: the Keras model.
        content: the bytes of the exported network.
        section: the card's section.

    Returns:
        The root mean square of the difference of the probabilities.

    Raises:
        ModelProblem: they differ by more than rounding to 8 bits.
    """
    # Random strokes of a pen: on noise, unlike on lines, rounding decides what the network sees.
    rng = np.random.default_rng(1)
    image = np.zeros((LINE_ROWS, _CHECKED_COLUMNS), np.uint8)
    for column in rng.integers(0, _CHECKED_COLUMNS - 4, 40):
        row = int(rng.integers(0, 20))
        image[row : row + int(rng.integers(3, 12)), column : column + 3] = 255
    logits = model.predict_on_batch(image[None, :, :, None])[0].astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = odds / odds.sum(axis=1, keepdims=True)
    network = LineNetwork(content, section, LINE_LABELS)
    difference = float(np.sqrt(np.mean((network.probabilities(image) - expected) ** 2)))
    if not difference <= _LARGEST_DIFFERENCE:
        raise ModelProblem(
            f"the line network's probabilities on LiteRT differ from Keras's by {difference:.3f}",
            "The model files are unchanged. The conversion went wrong: install the versions of "
            "constraints.txt and train again.",
        )
    return difference


def copy_line_network(source: Path, folder: Path) -> None:
    """Copy a model's line network into a folder that has the card of another model.

    Args:
        source: a model folder. If it has no line network, nothing is done.
        folder: the folder whose card gets the section.
    """
    model = load_model(source)
    network = model.line_network
    if network is None:
        return
    weights = source / weights_file(LINE_FILE)
    for name, content in (
        (weights.name, weights.read_bytes() if weights.exists() else b""),
        (LINE_FILE, network),
    ):
        if content:
            with atomic_write(folder / name) as file:
                file.buffer.write(content)
    path = folder / CARD_FILE
    card = json.loads(path.read_text(encoding="utf-8"))
    write_card({**card, "line_network": model.line_card}, path)


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(weights: Path, folder: Path) -> None:
    """Put WEIGHTS, which Keras saved, as the line network into the model folder FOLDER."""
    model = build()
    model.load_weights(weights)
    section = export_line_network(model, folder)
    click.echo(
        f"{folder / LINE_FILE}: {section['bytes']:,} bytes, {section['parameters']:,} parameters, "
        f"probabilities differ from Keras's by {section['difference_from_keras']} (root mean square)"
    )


if __name__ == "__main__":
    main()
