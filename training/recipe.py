"""Makes a model from letters: trains, exports, calibrates and measures the CNN, and writes MODEL_DIR."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.model import (
    CARD_FILE,
    LINE_FILE,
    MODEL_FILE,
    NOT_A_LETTER,
    installed_model_folder,
)
from lettermill.jobs.settings import LETTERS
from lettermill.jobs.storage.display import display_path
from lettermill.training.fitting import fit
from lettermill.training.fitting.augment import augmented
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, KERAS_FILE
from lettermill.training.fitting.ensemble import Ensemble
from lettermill.training.fitting.line_export import copy_line_network
from lettermill.training.fitting.line_network_layers import LINE_LABELS
from lettermill.training.fitting.litert_export import check_agreement, write_network
from lettermill.training.fitting.model_card import build_card, write_card
from lettermill.training.fitting.network import multiply_adds
from lettermill.training.letters.split import Split, capitals, classes_of
from lettermill.training.measure import Measured, fitted_temperature, masked_softmax, measure
from lettermill.training.reports.evaluation import report_of_training
from lettermill.training.reports.leave_one_out_report import network_hashes, read_summary
from lettermill.training.reports.training_report import REPORT_FOLDER, check_folder
from lettermill.training.training_settings import CLASSES, TrainingSettings
from lettermill.worker.reading.litert_network import Network

HISTORY_FILE = "history.csv"

_AUGMENTED_COPIES = 20
"""Augmented copies of each validation capital that the temperature is fitted on."""


def train_model(
    parts: Split,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    left_out: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Train, measure and write a model.

    The files of a model that is already in the folder are replaced at the very end, when all new files are
    written and checked.

    Args:
        parts: what to train, validate and test on, and the classes.
        settings: what decides the model beside the data.
        folder: MODEL_DIR; created if it is missing.
        report: called with progress.
        left_out: the folder that leave-one-out wrote. The new network also learns from the answers of its
            networks, its table goes into the card, and its calibration is passed on. Without it the
            temperature is fitted on the validation part.
        resume: continue the training that was stopped in the folder.

    Returns:
        The card's values.

    Raises:
        ModelProblem: the exported model does not answer as the trained one, or the checkpoint is damaged.
        UsageProblem, BadData: the folder's checkpoint belongs to another training, or the training has
            ended; the ensemble has seen the test part.
        KeyboardInterrupt: Ctrl-C ended the training. The best epoch so far has been written, or nothing if
            Ctrl-C came before the end of the first epoch.
    """
    if resume and (folder / CARD_FILE).exists() and not (folder / CHECKPOINT_FILE).exists():
        raise UsageProblem(
            f"the training in {display_path(folder)} has ended; there is nothing to resume",
            "Leave out --resume to train anew; the model is replaced when the new one is ready.",
        )
    check_folder(folder / REPORT_FOLDER)
    left_out_figures = read_summary(left_out) if left_out else None
    if left_out_figures:
        _check_same_test(left_out_figures["settings"], settings)
    ensemble = Ensemble(network_hashes(left_out), parts.labels) if left_out else None
    report(f"train {len(parts.train)}, validation {len(parts.validation)}, test {len(parts.test)} glyphs")
    trained = fit.train(
        parts.train,
        parts.validation,
        settings,
        report,
        labels=parts.labels,
        ensemble=ensemble,
        folder=folder,
        resume=resume,
    )
    if trained.stopped:
        report(f"stopped: measuring and writing the best so far, epoch {trained.kept}")
    with _replaced_at_the_end(folder) as new:
        values = _write(trained, parts, settings, new, ensemble, left_out_figures)
    report_of_training(folder, parts, trained.history)
    if trained.stopped:
        report(
            f"{display_path(folder)} holds epoch {trained.kept} of {settings.epochs}; "
            "the same command with --resume continues the training"
        )
        raise KeyboardInterrupt
    (folder / CHECKPOINT_FILE).unlink()
    return values


def _check_same_test(theirs: dict[str, Any], settings: TrainingSettings) -> None:
    """Check that leave-one-out held out what this training is tested on, because its networks teach it."""
    own = settings.to_json()
    if any(own[name] != theirs.get(name) for name in ("test_on", "test_writers")):
        raise UsageProblem(
            "the networks of --left-out have seen letters that this training is tested on",
            "Give the same --test-on here and to --leave-one-out.",
        )


@contextlib.contextmanager
def _replaced_at_the_end(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block ends, its files replace those of the same names."""
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        # The networks and the card come last, right after each other: readers refuse one without the other.
        for path in sorted(new.iterdir(), key=lambda path: path.name in {LINE_FILE, MODEL_FILE, CARD_FILE}):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _write(
    trained: fit.Trained,
    parts: Split,
    settings: TrainingSettings,
    folder: Path,
    ensemble: Ensemble | None,
    left_out: dict[str, Any] | None,
) -> dict[str, Any]:
    """Measure a trained model and write all files of a MODEL_DIR."""
    model = trained.model
    model.save(folder / KERAS_FILE)
    write_network(model, folder / MODEL_FILE)
    reader = Network((folder / MODEL_FILE).read_bytes())
    check_agreement(reader, parts.validation.glyphs, fit.logits_of(model, parts.validation.glyphs))
    fit.write_history(trained.history, folder / HISTORY_FILE)
    if ensemble and left_out and len(capitals(parts.validation)):
        temperature = _temperature_of_ensemble(reader, parts, settings, ensemble, left_out["temperature"])
    else:
        temperature = _temperature_on_validation(reader, parts)
    figures = _figures(reader, parts, temperature)
    if left_out:
        figures["leave_one_out"] = {key: value for key, value in left_out.items() if key != "settings"}
    values = build_card(
        folder / MODEL_FILE,
        folder / KERAS_FILE,
        parts.labels,
        settings,
        parts.train,
        {"trained": len(trained.history), "kept": trained.kept},
        {"parameters": int(model.count_params()), "multiply_adds": multiply_adds(model)},
        len(ensemble) if ensemble else 0,
        temperature,
        figures,
    )
    write_card(values, folder / CARD_FILE)
    if set(parts.labels) <= {*LINE_LABELS, NOT_A_LETTER}:
        copy_line_network(installed_model_folder(), folder)
    return values


def _temperature_on_validation(reader: Network, parts: Split) -> float:
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


def _temperature_of_ensemble(
    reader: Network, parts: Split, settings: TrainingSettings, ensemble: Ensemble, temperature: float
) -> float:
    """Fit the temperature so that the CNN is as confident as the ensemble, calibrated on unseen sources.

    The ensemble's answers about unseen sources are known. The new CNN's are not, because it has seen all
    sources. So it takes over the confidence that the network which has not seen a source (all networks, if
    every one has seen it) has on augmented validation capitals of that source.
    """
    letters = capitals(parts.validation)
    logits, wanted = [], []
    for source in np.unique(letters.sources).tolist():
        canvases = np.repeat(letters.canvases[letters.sources == source], _AUGMENTED_COPIES, axis=0)
        glyphs = augmented(canvases, np.random.default_rng(settings.seed), settings.augmentation)
        answers = [
            masked_softmax(one, temperature, LETTERS, parts.labels)
            for one in ensemble.logits_of_unseen(glyphs, source)
        ]
        logits.append(reader.logits(glyphs))
        wanted.append(np.mean(answers, axis=0))
    count = sum(map(len, logits))
    return fitted_temperature(
        np.concatenate(logits), np.concatenate(wanted), np.ones(count), LETTERS, parts.labels
    )


def _figures(reader: Network, parts: Split, temperature: float) -> dict[str, Any]:
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
