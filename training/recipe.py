"""Makes a model from letters: trains, exports, calibrates and measures the CNN, and writes MODEL_DIR."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.model import (
    CARD_FILE,
    FIRST_FILE,
    MODEL_FILE,
    NOT_A_LETTER,
    installed_model_folder,
    load_model,
)
from lettermill.jobs.settings import LETTERS
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import fit
from lettermill.training.fitting.augment import augmented
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, KERAS_FILE
from lettermill.training.fitting.cnn_further import cnn_networks, forget_checkpoints, train_cnn_further
from lettermill.training.fitting.line_export import copy_line_network
from lettermill.training.fitting.line_network_layers import LINE_LABELS
from lettermill.training.fitting.litert_export import export_network
from lettermill.training.fitting.model_card import build_card, write_card
from lettermill.training.fitting.model_files import copy_model, replaced_at_the_end
from lettermill.training.fitting.network import Size, multiply_adds
from lettermill.training.fitting.network_weights import check_weights
from lettermill.training.fitting.region_export import copy_region_network
from lettermill.training.fitting.reject_class import made_non_letters
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.letters.split import Split, capitals, classes_of
from lettermill.training.measure import Measured, fitted_temperature, measure
from lettermill.training.reports.evaluation import report_of_training
from lettermill.training.reports.training_report import REPORT_FOLDER, check_folder
from lettermill.training.training_settings import CLASSES, TrainingSettings
from lettermill.worker.reading.cascade import Cascade, load_cnn, top_probability
from lettermill.worker.reading.litert_network import Network

HISTORY_FILE = "history.csv"

FIRST_FOLDER = "first"
"""The folder in MODEL_DIR for the checkpoint of the CNN's first network; it is gone when training is done."""

_AUGMENTED_COPIES = 4
"""Augmented copies of each validation letter on which the two networks are compared."""

_SURE_ABOVE = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Probabilities above which the first network may be trusted: the lowest that is good enough is taken."""

_MOST_DISAGREEMENT = 0.001
"""Share of the glyphs that the first network is sure of on which the large one may answer otherwise."""

_NEVER_SURE = 2.0
"""No probability is as large: the large network reads all glyphs."""


def train_model(
    parts: Split,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool = False,
) -> dict[str, Any]:
    """Train, measure and write a model.

    The large network is trained first, and teaches the small one that reads all glyphs before it. The files
    of a model that is already in the folder are replaced at the very end, when all new files are written and
    checked.

    Args:
        parts: what to train, validate and test on, and the classes.
        settings: what decides the model beside the data.
        folder: MODEL_DIR; created if it is missing.
        report: called with progress.
        resume: continue the training that was stopped in the folder.

    Returns:
        The card's values.

    Raises:
        ModelProblem: the exported model does not answer as the trained one, or the checkpoint is damaged.
        UsageProblem, BadData: the folder's checkpoint belongs to another training, or the training has
            ended.
        KeyboardInterrupt: Ctrl-C ended the training. The best epoch so far has been written, or nothing if
            Ctrl-C came before the end of the first epoch. If it came while the large network was trained,
            there is no first one: the large one reads all glyphs.
    """
    if resume and (folder / CARD_FILE).exists() and not (folder / CHECKPOINT_FILE).exists():
        raise UsageProblem(
            f"the training in {display_path(folder)} has ended; there is nothing to resume",
            "Leave out --resume to train anew; the model is replaced when the new one is ready.",
        )
    check_folder(folder / REPORT_FOLDER)
    if not (folder / CHECKPOINT_FILE).exists():
        _forget_first(folder)  # It belongs to a former training, and would end this one when it comes to it.
    report(f"train {len(parts.train)}, validation {len(parts.validation)}, test {len(parts.test)} glyphs")
    large = _trained(parts, settings, folder, report, "large", resume)
    first = None
    with replaced_at_the_end(folder) as new:
        content = export_network(large.model, new / MODEL_FILE, parts.validation.glyphs)
        if not large.stopped:
            report("the large network is ready; it teaches the small one that reads all glyphs first")
            first = _trained(
                parts,
                settings,
                folder / FIRST_FOLDER,
                report,
                "first",
                resume,
                Teacher(content, parts.labels),
            )
        values = _write(large, first, parts, settings, new)
    report_of_training(folder, parts, large.history)
    stopped = large if large.stopped else first if first and first.stopped else None
    if stopped:
        report(
            f"{display_path(folder)} holds epoch {stopped.kept} of {settings.epochs}; "
            "the same command with --resume continues the training"
        )
        raise KeyboardInterrupt
    (folder / CHECKPOINT_FILE).unlink()
    _forget_first(folder)
    return values


def train_model_further(
    parts: Split,
    settings: TrainingSettings,
    start: Path,
    folder: Path,
    report: Callable[[str], None],
    resume: bool = False,
) -> dict[str, Any]:
    """Train a model's CNN further, measure it before and after, and write it with its line network.

    Args:
        parts: what to train, validate and test on.
        settings: how to train.
        start: MODEL_DIR of the model to begin with.
        folder: MODEL_DIR; created if it is missing.
        report: called with progress.
        resume: continue the training that was stopped in the folder.

    Returns:
        The card's values.

    Raises:
        ModelProblem, UsageProblem, BadData, KeyboardInterrupt: as `train_cnn_further`.
    """
    check_folder(folder / REPORT_FOLDER)
    report(f"train {len(parts.train)}, validation {len(parts.validation)}, test {len(parts.test)} glyphs")
    check_weights(start, cnn_networks(start))
    model = load_model(start)
    temperature = float(model.card["temperature"])
    before = _figures(load_cnn(model), parts, temperature)
    with replaced_at_the_end(folder) as new:
        copy_model(start, new)
        large = train_cnn_further(parts, settings, new, folder, report, resume)
        trained = load_model(new)
        after = _figures(load_cnn(trained), parts, temperature)
        card = {**trained.card, "figures_before": before, "figures": after}
        write_card(card, new / CARD_FILE)
        fit.write_history(large.history, new / HISTORY_FILE)
    report_of_training(folder, parts, large.history)
    forget_checkpoints(folder)
    return card


def _forget_first(folder: Path) -> None:
    """Remove the checkpoint of the first network; what somebody else put into its folder stays."""
    (folder / FIRST_FOLDER / CHECKPOINT_FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (folder / FIRST_FOLDER).rmdir()


def _trained(
    parts: Split,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    size: Size,
    resume: bool,
    teacher: Teacher | None = None,
) -> fit.Trained:
    """Train one of the two networks."""
    trained = fit.train(
        parts.train,
        parts.validation,
        settings,
        report,
        labels=parts.labels,
        size=size,
        teacher=teacher,
        folder=folder,
        resume=resume,
    )
    if trained.stopped:
        report(f"stopped: measuring and writing the best so far, epoch {trained.kept}")
    return trained


def _write(
    large: fit.Trained, first: fit.Trained | None, parts: Split, settings: TrainingSettings, folder: Path
) -> dict[str, Any]:
    """Measure a trained model and write the other files of a MODEL_DIR."""
    large.model.save(folder / KERAS_FILE)
    fit.write_history(large.history, folder / HISTORY_FILE)
    network = Network((folder / MODEL_FILE).read_bytes())
    reader: Network | Cascade = network
    about_first: dict[str, Any] = {}
    if first:
        content = export_network(first.model, folder / FIRST_FILE, parts.validation.glyphs)
        sure_above, doubtful = _sure_above(Network(content), network, parts, settings)
        reader = Cascade(Network(content), network, sure_above)
        about_first["first_network"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "sure_above": sure_above,
            "read_again": round(doubtful, 4),
            "parameters": int(first.model.count_params()),
            "multiply_adds": multiply_adds(first.model),
            "epochs": {"trained": len(first.history), "kept": first.kept},
        }
    values = build_card(
        folder / MODEL_FILE,
        folder / KERAS_FILE,
        parts.labels,
        settings,
        parts.train,
        {"trained": len(large.history), "kept": large.kept},
        {"parameters": int(large.model.count_params()), "multiply_adds": multiply_adds(large.model)},
        temperature := _temperature_on_validation(reader, parts),
        _figures(reader, parts, temperature),
    )
    write_card(values | about_first, folder / CARD_FILE)
    if set(parts.labels) <= {*LINE_LABELS, NOT_A_LETTER}:
        copy_line_network(installed_model_folder(), folder)
    copy_region_network(installed_model_folder(), folder)
    return values | about_first


def _sure_above(
    first: Network, large: Network, parts: Split, settings: TrainingSettings
) -> tuple[float, float]:
    """Find from which probability on the first network answers as the large one does.

    Returns:
        The lowest probability above which the two differ on a thousandth of the glyphs at most, and the share
        of the glyphs that the large network reads with it: measured on augmented validation letters and, if
        there is a reject class, as many glyphs of it.
    """
    rng = np.random.default_rng(settings.seed)
    canvases = np.repeat(parts.validation.canvases, _AUGMENTED_COPIES, axis=0)
    if parts.labels[-1] == NOT_A_LETTER:
        canvases = np.concatenate([canvases, made_non_letters(canvases, len(canvases), rng)[0]])
    glyphs = augmented(canvases, rng, settings.augmentation)
    logits = first.logits(glyphs)
    probability = top_probability(logits)
    differs = logits.argmax(axis=1) != large.logits(glyphs).argmax(axis=1)
    for bound in _SURE_ABOVE:
        sure = probability >= bound
        if sure.any() and differs[sure].mean() <= _MOST_DISAGREEMENT:
            return bound, float(1 - sure.mean())
    return _NEVER_SURE, 1.0


def _temperature_on_validation(reader: Network | Cascade, parts: Split) -> float:
    """Fit the temperature to capitals among A–Z, as most jobs read them; for a published split to all."""
    letters, alphabet = capitals(parts.validation), LETTERS
    if parts.labels != CLASSES or not len(letters):
        letters, alphabet = parts.validation, ""
    return fitted_temperature(
        reader.logits(letters.glyphs),
        classes_of(letters, parts.labels),
        np.ones(len(letters)),
        alphabet,
        parts.labels,
    )


def _figures(reader: Network | Cascade, parts: Split, temperature: float) -> dict[str, Any]:
    """Measure the validation and the test part: all classes, and capitals among letters."""
    figures: dict[str, Any] = {}
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        if not len(part):
            figures[name] = None
            continue
        logits, classes = reader.logits(part.glyphs), classes_of(part, parts.labels)
        upper = np.isin(part.labels, list(LETTERS))
        figures[name] = {
            "sources": sorted(set(part.sources.tolist())),
            "all_classes": _rounded(measure(logits, classes, temperature, labels=parts.labels)),
            "capitals_among_letters": (
                _rounded(measure(logits[upper], classes[upper], temperature, LETTERS, parts.labels))
                if upper.any() and set(LETTERS) <= set(parts.labels)
                else None
            ),
        }
    return figures


def _rounded(measured: Measured) -> dict[str, float]:
    return {
        "glyphs": measured.count,
        "accuracy": round(measured.accuracy, 4),
        "loss": round(measured.loss, 4),
        "calibration_error": round(measured.calibration_error, 4),
    }
