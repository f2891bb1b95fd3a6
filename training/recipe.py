"""One training run from letters to MODEL_DIR: split, train, measure, calibrate, export, write the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jobs.models import CARD_FILE, MODEL_FILE
from jobs.settings import LETTERS
from training import card, export, fit, network, plots
from training.measure import Measured, fitted_temperature, measure
from training.settings import TrainingSettings
from training.sources import Letters
from training.split import Split, capitals, classes_of, split

KERAS_FILE = "model.keras"
CURVES_FILE = "curves.png"
HISTORY_FILE = "history.csv"
CONFUSION_FILE = "confusion.png"


def train_model(
    letters: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    left_out: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train, measure and write a model.

    Args:
        letters: everything that was found.
        settings: what decides which model comes out.
        folder: MODEL_DIR; is made where it is missing.
        report: is called with progress.
        left_out: the figures of `leave_one_out.summary`: their temperature is used and their table goes
            into the card. Without them the temperature is fitted on the validation part.

    Returns:
        The card's values.

    Raises:
        BadData: the data cannot be split.
        ModelProblem: the exported model does not answer as the trained one.
    """
    parts = split(letters, settings)
    report(f"train {len(parts.train)}, validation {len(parts.validation)}, test {len(parts.test)} glyphs")
    model, history = fit.train(parts.train, parts.validation, settings, report)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / KERAS_FILE)
    export.write_onnx(model, folder / MODEL_FILE)
    export.check_agreement(
        folder / MODEL_FILE, parts.validation.glyphs, fit.logits_of(model, parts.validation.glyphs)
    )
    fit.write_history(history, folder / HISTORY_FILE)
    plots.draw_curves(history, folder / CURVES_FILE)
    temperature = left_out["temperature"] if left_out else _temperature_on_validation(model, parts)
    figures = _figures(model, parts, temperature, folder)
    if left_out:
        figures["leave_one_out"] = {key: value for key, value in left_out.items() if key != "settings"}
    size = {"parameters": int(model.count_params()), "multiply_adds": network.multiply_adds(model)}
    values = card.card(folder / MODEL_FILE, settings, parts.train, size, temperature, figures)
    card.write(values, folder / CARD_FILE)
    return values


def _temperature_on_validation(model: Any, parts: Split) -> float:
    letters = capitals(parts.validation)
    alphabet = LETTERS
    if not len(letters):
        letters, alphabet = parts.validation, ""
    return fitted_temperature(
        fit.logits_of(model, letters.glyphs), classes_of(letters), np.ones(len(letters)), alphabet
    )


def _figures(model: Any, parts: Split, temperature: float, folder: Path) -> dict[str, Any]:
    """Measure validation and test, all classes and capitals masked to letters; draw the test's confusions."""
    figures: dict[str, Any] = {}
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        if not len(part):
            figures[name] = None
            continue
        logits, classes = fit.logits_of(model, part.glyphs), classes_of(part)
        upper = classes < len(LETTERS)
        figures[name] = {
            "sources": sorted(set(part.sources.tolist())),
            "all_classes": _rounded(measure(logits, classes, temperature)),
            "capitals_among_letters": (
                _rounded(measure(logits[upper], classes[upper], temperature, LETTERS))
                if upper.any()
                else None
            ),
        }
        plots.draw_confusion(logits.argmax(axis=1), classes, folder / CONFUSION_FILE)
    return figures


def _rounded(measured: Measured) -> dict[str, float]:
    return {
        "glyphs": measured.count,
        "accuracy": round(measured.accuracy, 4),
        "loss": round(measured.loss, 4),
        "calibration_error": round(measured.calibration_error, 4),
    }
