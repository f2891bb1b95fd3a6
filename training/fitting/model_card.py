"""Builds and writes the model card `handprint.json`: what a reader needs, and how the model was made."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.segmentation.glyph import GLYPH_VERSION
from lettermill.training.fitting.network import INPUT_NAME, OUTPUT_NAME
from lettermill.training.letters.sources import Letters
from lettermill.training.training_settings import TrainingSettings

_LIBRARIES = ("keras", "tensorflow", "ai-edge-litert", "numpy", "opencv-python-headless")


def build_card(
    network: Path,
    keras: Path,
    labels: tuple[str, ...],
    settings: TrainingSettings,
    train: Letters,
    epochs: dict[str, int],
    size: dict[str, int],
    temperature: float,
    figures: dict[str, Any],
) -> dict[str, Any]:
    """Return the card's values.

    Args:
        network: the model file, already written.
        keras: the same model for Keras, already written.
        labels: the classes, in the order of the outputs.
        settings: the settings with which `lettermill train` makes the model again.
        train: the training part, for its counts.
        epochs: the number of trained epochs, and of the kept one.
        size: the numbers of parameters and multiply-adds.
        temperature: the number that a reader divides the outputs by.
        figures: what was measured on data that was not trained on.
    """
    return {
        "labels": list(labels),
        "glyph_version": GLYPH_VERSION,
        "temperature": round(temperature, 4),
        "input": {"name": INPUT_NAME, "dtype": "uint8", "shape": ["n", 28, 28]},
        "output": {"name": OUTPUT_NAME, "dtype": "float32", "shape": ["n", len(labels)]},
        "sha256": hashlib.sha256(network.read_bytes()).hexdigest(),
        "bytes": network.stat().st_size,
        "keras_sha256": hashlib.sha256(keras.read_bytes()).hexdigest(),
        **size,
        "trained_on": source_counts(train),
        "figures": figures,
        "epochs": epochs,
        "settings": settings.to_json(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
    }


def source_counts(letters: Letters) -> dict[str, dict[str, int]]:
    """Count each source's capitals, digits, lower-case letters, and glyphs of the reject class."""
    counts = {}
    for source in np.unique(letters.sources).tolist():
        labels = letters.labels[letters.sources == source].tolist()
        counts[source] = {
            "capitals": sum(label.isupper() for label in labels),
            "digits": sum(label.isdigit() for label in labels),
            "lower_case": sum(label.islower() for label in labels),
            "not_letters": labels.count(""),
        }
    return counts


def write_card(values: dict[str, Any], path: Path) -> None:
    """Write the card as indented JSON."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
