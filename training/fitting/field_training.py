"""Trains the networks of a model further on labelled fields, and keeps what reads held-out fields better."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.jobs.inputs.model import CARD_FILE, LINE_FILE, load_model
from lettermill.training.fitting.cnn_further import (
    cnn_networks,
    forget_checkpoints,
    train_cnn_further,
)
from lettermill.training.fitting.field_accuracy import FieldAccuracy, measure_fields
from lettermill.training.fitting.line_export import export_line_network
from lettermill.training.fitting.line_fit import LINE_CHECKPOINT_FILE, LineSettings, train_lines
from lettermill.training.fitting.line_network_layers import build
from lettermill.training.fitting.model_card import write_card
from lettermill.training.fitting.model_files import copy_model, replaced_at_the_end
from lettermill.training.fitting.network_weights import check_weights, read_weights, weights_file
from lettermill.training.letters.sources import Letters
from lettermill.training.letters.split import Split
from lettermill.training.lines.aligned_letters import cut_letters
from lettermill.training.lines.line_feed import LineFeed, LineOrigins
from lettermill.training.lines.real_fields import FieldSet, read_field_set
from lettermill.training.training_settings import FURTHER_SETTINGS

Report = Callable[[str], None]

_FIRST_LINES = 1_000
"""Lines to wait for before a training begins."""

_WORK_FOLDER = ".work"
"""Folder in MODEL_DIR for models that are tried; it is gone when all is done."""

_CNN, _LINE = "the CNN", "the line network"
_NAMED_FIELDS = 5
"""Fields left out that are named."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Tried:
    """A model folder and what it reads of the held-out fields.

    Attributes:
        folder: MODEL_DIR.
        trained: its networks that were trained on the fields.
        accuracies: of each set of fields.
    """

    folder: Path
    trained: tuple[str, ...]
    accuracies: tuple[FieldAccuracy, ...]

    @property
    def edits(self) -> int:
        """Characters of all sets that are read wrong."""
        return sum(one.edits for one in self.accuracies)


def train_on_fields(
    origins: LineOrigins,
    settings: LineSettings,
    start: Path,
    folder: Path,
    *,
    from_scratch: bool,
    resume: bool,
    report: Report,
) -> dict[str, Any]:
    """Train a model's CNN and line network further, or its line network from the beginning.

    The CNN learns from the letters that are cut from the fields. Then the line network learns from fields and
    made lines. A network that reads the held-out fields worse than before is not kept. The files of a model
    that is already in the folder are replaced at the very end.

    Args:
        origins: the lines.
        settings: how to train the line network.
        start: MODEL_DIR of the model to start from.
        folder: MODEL_DIR to write; created if it is missing.
        from_scratch: train the line network alone, from random weights, and keep it in any case.
        resume: continue the training that was stopped in the folder.
        report: called with progress.

    Returns:
        The card's values.

    Raises:
        ModelProblem: the model to start from has no weights to train, or the training diverged.
        BadData: fields or training sets cannot be used.
        UsageProblem: the folder has a checkpoint of another training.
        KeyboardInterrupt: Ctrl-C ended the training; a checkpoint has been written.
    """
    sets = [read_field_set(path, truth) for path, truth in origins.fields]
    for one in sets:
        _report_set(one, report)
    load_model(start).check()
    if not from_scratch:
        check_weights(start, [LINE_FILE, *(cnn_networks(start) if sets else [])])
    model = _line_network(settings.seed, None if from_scratch else start)
    before = kept = _measured(start, (), sets)
    _report_accuracies(sets, before, "before", report)
    work = folder / _WORK_FOLDER
    shutil.rmtree(work, ignore_errors=True)
    try:
        if sets and not from_scratch:
            copy_model(start, work / "cnn")
            if _train_cnn(sets, work / "cnn", folder, resume, report):
                kept = _better(kept, work / "cnn", _CNN, sets, report)
        copy_model(kept.folder, work / "line")
        about = _train_line_network(model, origins, settings, start, folder, sets, resume, report)
        about["training"]["from_scratch"] = from_scratch
        if not from_scratch:
            about |= _calibration_of(start)
        export_line_network(model, work / "line", about)
        kept = _better(kept, work / "line", _LINE, sets, report, keep=from_scratch)
        card = load_model(kept.folder).card
        if sets:
            every = zip(sets, before.accuracies, kept.accuracies, strict=True)
            figures = {one.name: _figures(one, old, new) for one, old, new in every}
            card["trained_on_fields"] = {"kept": kept.trained, "fields": figures}
        with replaced_at_the_end(folder) as new:
            copy_model(kept.folder, new)
            write_card(card, new / CARD_FILE)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    forget_checkpoints(folder)
    (folder / LINE_CHECKPOINT_FILE).unlink(missing_ok=True)
    report(f"trained further and kept: {' and '.join(kept.trained) or 'nothing; the model is as it was'}")
    return card


def _line_network(seed: int, start: Path | None) -> Any:
    """Build a line network with the weights of a model, or with random ones."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build()
    if start is not None:
        read_weights(model, start / weights_file(LINE_FILE))
    return model


def _train_cnn(sets: Sequence[FieldSet], model: Path, folder: Path, resume: bool, report: Report) -> bool:
    """Train the CNN of a model folder on letters of the fields; tell whether there were any."""
    parts = []
    for one in sets:
        letters, used = cut_letters(one, load_model(model))
        parts.append(letters)
        count = int((letters.labels != "").sum())
        report(f"{one.name}: {count} letters of {used} fields for the CNN")
    joined = Letters(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Letters)
        )
    )
    if not (joined.labels != "").any():
        return False
    nothing = joined[np.zeros(len(joined), bool)]
    train_cnn_further(Split(joined, nothing, nothing), FURTHER_SETTINGS, model, folder, report, resume)
    return True


def _train_line_network(
    model: Any,
    origins: LineOrigins,
    settings: LineSettings,
    start: Path,
    folder: Path,
    sets: Sequence[FieldSet],
    resume: bool,
    report: Report,
) -> dict[str, Any]:
    """Train the line network; return what the card says of the training."""
    folder.mkdir(parents=True, exist_ok=True)
    data = _describe(origins, start, sets)
    with LineFeed(origins, settings.seed, _FIRST_LINES, report) as feed:
        progress = train_lines(model, feed, settings, folder / LINE_CHECKPOINT_FILE, data, resume, report)
    how = {**dataclasses.asdict(settings), **dataclasses.asdict(progress), "seconds": round(progress.seconds)}
    return {"training": how}


def _measured(folder: Path, trained: tuple[str, ...], sets: Sequence[FieldSet]) -> _Tried:
    return _Tried(folder, trained, tuple(measure_fields(folder, one.held_out, one.alphabet) for one in sets))


def _better(
    before: _Tried, folder: Path, network: str, sets: Sequence[FieldSet], report: Report, keep: bool = False
) -> _Tried:
    """Return what reads the held-out fields better, before or after a network was trained.

    Args:
        before: the best so far.
        folder: the model folder with the trained network.
        network: its name.
        sets: the fields.
        report: called with the figures.
        keep: keep the trained network even if it is worse.
    """
    after = _measured(folder, (*before.trained, network), sets)
    _report_accuracies(sets, after, f"with {network} trained", report)
    if after.edits <= before.edits:
        return after
    report(f"{network} reads the held-out fields worse: {after.edits} characters wrong, not {before.edits}")
    if keep:
        return after
    report(f"  {network} is left as it was")
    return before


def _calibration_of(start: Path) -> dict[str, Any]:
    """Return the maps to confidences of a model's line network, which stay as they are."""
    section = load_model(start).line_card or {}
    return {key: section[key] for key in ("calibration", "field_calibration") if key in section}


def _report_accuracies(sets: Sequence[FieldSet], tried: _Tried, when: str, report: Report) -> None:
    for one, accuracy in zip(sets, tried.accuracies, strict=True):
        report(f"{one.name}, held out, {when}: {accuracy}")


def _report_set(fields: FieldSet, report: Callable[[str], None]) -> None:
    report(
        f"{fields.name}: {len(fields.train)} fields to train on, {len(fields.held_out)} held out, "
        f"alphabet {fields.alphabet}"
    )
    for reason in fields.left_out[:_NAMED_FIELDS]:
        report(f"  left out {reason}")
    if len(fields.left_out) > _NAMED_FIELDS:
        report(f"  left out {len(fields.left_out) - _NAMED_FIELDS} more")


def _describe(origins: LineOrigins, start: Path, sets: Sequence[FieldSet]) -> str:
    """Describe what decides the lines and the first weights, to compare with a checkpoint's."""
    digest = hashlib.sha256()
    for one in sets:
        for field in (*one.train, *one.held_out):
            digest.update(f"{field.name}\0{field.text}\0".encode())
            digest.update(field.image.tobytes())
    files = [
        f"{path.name} {path.stat().st_size}"
        for folder in origins.folders
        for path in sorted(folder.iterdir())
    ]
    return "\n".join([digest.hexdigest(), load_model(start).fingerprint, *files])


def _figures(fields: FieldSet, before: FieldAccuracy, after: FieldAccuracy) -> dict[str, Any]:
    return {
        "alphabet": fields.alphabet,
        "trained_on": len(fields.train),
        "held_out": len(fields.held_out),
        "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(after),
    }
