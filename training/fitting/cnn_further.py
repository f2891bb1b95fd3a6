"""Trains the CNN of a model further on a few letters, without forgetting what it could read before."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, FIRST_FILE, MODEL_FILE, load_model
from lettermill.training.fitting import fit
from lettermill.training.fitting.epoch_progress import Report
from lettermill.training.fitting.litert_export import export_network
from lettermill.training.fitting.model_card import source_counts, write_card
from lettermill.training.fitting.network import Size
from lettermill.training.fitting.network_weights import weights_file
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.letters.split import Split
from lettermill.training.training_settings import TrainingSettings

CHECKPOINTS_FOLDER = ".cnn"
"""The folder in MODEL_DIR with the checkpoints of a further training; it is gone when all is done."""


def cnn_networks(model: Path) -> list[str]:
    """Return the names of the files of a model's CNN."""
    return [MODEL_FILE, *([FIRST_FILE] if load_model(model).first_card else [])]


def train_cnn_further(
    parts: Split, settings: TrainingSettings, model: Path, folder: Path, report: Report, resume: bool
) -> fit.Trained:
    """Train the CNN of a model folder further, in place: the large network, then the first one.

    Its temperature, the probability above which the first network is trusted, and the calibration stay as
    they are: a few letters are too few to fit them.

    Args:
        parts: what to train on and, if there are any, to choose the epoch with.
        settings: how to train.
        model: the model folder, with its weights; its files are replaced.
        folder: MODEL_DIR that will be written, for the checkpoints.
        report: called with progress.
        resume: continue what was stopped in the folder.

    Returns:
        The training of the large network.

    Raises:
        ModelProblem: the model has no weights, or other classes than the letters.
        UsageProblem, BadData: there is a checkpoint of another training.
        KeyboardInterrupt: Ctrl-C ended the training; `resume` continues it.
    """
    described = load_model(model)
    card = described.card
    if tuple(card["labels"]) != parts.labels:
        raise ModelProblem(
            f"the classes of the model are {' '.join(card['labels'])}",
            "Only a model of A–Z, 0–9 and the reject class is trained further. Train from the beginning.",
        )
    networks: dict[Size, tuple[str, dict[str, Any]]] = {"large": (MODEL_FILE, card)}
    if described.first_card:
        networks["first"] = FIRST_FILE, described.first_card
    trained: dict[Size, fit.Trained] = {}
    teacher: Teacher | None = None
    for size, (name, about) in networks.items():
        trained[size] = fit.train(
            parts.train,
            parts.validation if len(parts.validation) else None,
            settings,
            report,
            labels=parts.labels,
            size=size,
            teacher=teacher,
            start=model / weights_file(name),
            folder=folder / CHECKPOINTS_FOLDER / size,
            resume=resume,
        )
        if trained[size].stopped:
            report("stopped: the same command with --resume continues the training")
            raise KeyboardInterrupt
        content = export_network(trained[size].model, model / name, parts.train.glyphs)
        about |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        teacher = Teacher(content, parts.labels)
    card.pop("keras_sha256", None)
    card.pop("figures", None)
    former: list[dict[str, Any]] = card.get("trained_further", [])
    training = {"trained_on": source_counts(parts.train), "settings": settings.to_json()}
    write_card({**card, "trained_further": [*former, training]}, model / CARD_FILE)
    return trained["large"]


def forget_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a further training from MODEL_DIR."""
    shutil.rmtree(folder / CHECKPOINTS_FOLDER, ignore_errors=True)
