"""Writes the region network of a MODEL_DIR for LiteRT, and checks that it answers as in Keras.

python -m lettermill.training.fitting.region_export WEIGHTS.h5 MODEL_DIR
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, REGION_FILE, load_model
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.segmentation.region_image import REGION_VERSION
from lettermill.training.fitting.litert_export import named
from lettermill.training.fitting.model_card import write_card
from lettermill.training.fitting.network_weights import weights_file, write_weights
from lettermill.training.fitting.region_network_layers import INPUT_NAME, OUTPUT_NAME, build
from lettermill.worker.reading.region_network import RegionNetwork

_LARGEST_DIFFERENCE = 0.05
"""Root mean square of the difference of LiteRT's probabilities from Keras's; int8 rounding gives less."""

_CHECKED_PIXELS = 256


def export_region_network(model: Any, folder: Path, about: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write a region network and its weights into a model folder and describe it in the folder's card.

    Args:
        model: the Keras model, as `region_network_layers.build` builds it.
        folder: MODEL_DIR, with its card.
        about: further values for the card's section, such as what it was trained on.

    Returns:
        The card's section.

    Raises:
        ModelProblem: LiteRT does not answer as Keras does, or the card is missing or damaged.
    """
    card = load_model(folder).card
    path = folder / f".new-{REGION_FILE}"
    try:
        content = converted(model, path)
    finally:
        path.unlink(missing_ok=True)
    section = {
        "region_version": REGION_VERSION,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parameters": int(model.count_params()),
        **(about or {}),
    }
    section["difference_from_keras"] = round(check_agreement(model, content, section), 5)
    _write(content, section, card, folder)
    write_weights(model, folder / weights_file(REGION_FILE))
    return section


def _write(content: bytes, section: dict[str, Any], card: dict[str, Any], folder: Path) -> None:
    """Write the network, then the card: readers refuse one without the other."""
    with atomic_write(folder / REGION_FILE) as file:
        file.buffer.write(content)
    write_card({**card, "region_network": section}, folder / CARD_FILE)


def converted(model: Any, path: Path) -> bytes:
    """Convert a region network to LiteRT, weights rounded to int8, and return the file's bytes.

    Args:
        model: the Keras model.
        path: the file to write; its name ends with `.tflite`.
    """
    import tensorflow as tf

    model.export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
    content: bytes = named(path.read_bytes(), INPUT_NAME, OUTPUT_NAME)
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
    rng = np.random.default_rng(1)
    image = np.full((_CHECKED_PIXELS, _CHECKED_PIXELS), 255, np.uint8)
    for left, top in rng.integers(0, _CHECKED_PIXELS - 12, (120, 2)):  # Strokes of a pen.
        image[top : top + int(rng.integers(2, 12)), left : left + int(rng.integers(2, 4))] = 0
    logits = model.predict_on_batch(image[None, :, :, None])[0].astype(np.float64)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected = (odds / odds.sum(axis=-1, keepdims=True)).transpose(2, 0, 1)
    answered = RegionNetwork(content, section).probabilities(image)
    difference = float(np.sqrt(np.mean((answered - expected) ** 2)))
    if not difference <= _LARGEST_DIFFERENCE:
        raise ModelProblem(
            f"the region network's probabilities on LiteRT differ from Keras's by {difference:.3f}",
            "The model files are unchanged. Install the versions of constraints.txt and export it again.",
        )
    return difference


def copy_region_network(source: Path, folder: Path) -> None:
    """Copy a model's region network into a folder that has the card of another model.

    Args:
        source: a model folder. If it has no region network, nothing is done.
        folder: the folder whose card gets the section.
    """
    model = load_model(source)
    content, section = model.region_network, model.region_card
    if content is not None and section is not None:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        _write(content, section, card, folder)


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(weights: Path, folder: Path) -> None:
    """Put WEIGHTS, which Keras saved, as the region network into the model folder FOLDER."""
    model = build()
    model.load_weights(weights)
    section = export_region_network(model, folder)
    click.echo(
        f"{folder / REGION_FILE}: {section['bytes']:,} bytes, {section['parameters']:,} parameters, "
        f"probabilities differ from Keras's by {section['difference_from_keras']} (root mean square)"
    )


if __name__ == "__main__":
    main()
