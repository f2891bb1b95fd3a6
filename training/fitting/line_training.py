"""Trains a model's line network on labelled fields and made lines, and measures what it gained."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, LINE_FILE, MODEL_FILE, load_model
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.training.fitting.field_accuracy import FieldAccuracy, measure_fields
from lettermill.training.fitting.line_export import export_line_network
from lettermill.training.fitting.line_fit import LINE_CHECKPOINT_FILE, LineSettings, train_lines
from lettermill.training.fitting.line_network_layers import LINE_WEIGHTS_FILE, build, read_weights
from lettermill.training.fitting.model_card import write_card
from lettermill.training.lines.line_feed import LineFeed, LineOrigins
from lettermill.training.lines.real_fields import FieldSet, read_field_set

_FIRST_LINES = 1_000
"""Lines to wait for before a training begins."""

_NEW = ".new"
_NAMED_FIELDS = 5
"""Fields left out that are named."""


def train_line_network(
    origins: LineOrigins,
    settings: LineSettings,
    start: Path,
    folder: Path,
    *,
    from_scratch: bool,
    resume: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Train a line network and write it with the CNN of the model that it started from.

    The files of a model that is already in the folder are replaced at the very end.

    Args:
        origins: the lines.
        settings: how to train.
        start: MODEL_DIR of the model to start from.
        folder: MODEL_DIR to write; created if it is missing.
        from_scratch: begin with random weights instead of those of the model to start from.
        resume: continue the training that was stopped in the folder.
        report: called with progress.

    Returns:
        The card's section for the line network.

    Raises:
        ModelProblem: the model to start from has no weights to train, or the training diverged.
        BadData: fields or training sets cannot be used.
        UsageProblem: the folder has a checkpoint of another training.
        KeyboardInterrupt: Ctrl-C ended the training; a checkpoint has been written.
    """
    import keras

    sets = [read_field_set(path, truth) for path, truth in origins.fields]
    for one in sets:
        _report_set(one, report)
    load_model(start).check()
    keras.utils.set_random_seed(settings.seed)
    model = build()
    if not from_scratch:
        _read_start(model, start)
    before = [measure_fields(start, one.held_out, one.alphabet) for one in sets]
    for one, accuracy in zip(sets, before, strict=True):
        report(f"{one.name}, held out, before: {accuracy}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LINE_CHECKPOINT_FILE
    with LineFeed(origins, settings.seed, _FIRST_LINES, report) as feed:
        progress = train_lines(model, feed, settings, file, _describe(origins, start, sets), resume, report)
    about: dict[str, Any] = {
        "training": {
            **dataclasses.asdict(settings),
            **dataclasses.asdict(progress),
            "seconds": round(progress.seconds),
            "from_scratch": from_scratch,
        }
    }
    new = folder / _NEW
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        _copy_others(start, new)
        export_line_network(model, new, about)
        about["figures"] = {}
        for one, accuracy in zip(sets, before, strict=True):
            after = measure_fields(new, one.held_out, one.alphabet)
            about["figures"][one.name] = _figures(one, accuracy, after)
            report(f"{one.name}, held out, after:  {after}")
            if after.edits > accuracy.edits:
                report(f"{one.name}: the new model reads these fields worse; keep the one before")
        card = load_model(new).card
        card["line_network"] |= about
        write_card(card, new / CARD_FILE)
        # The networks and the card come last, right after each other.
        for path in sorted(new.iterdir(), key=lambda path: path.suffix != ".npz"):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    file.unlink(missing_ok=True)
    section: dict[str, Any] = card["line_network"]
    return section


def _report_set(fields: FieldSet, report: Callable[[str], None]) -> None:
    report(
        f"{fields.name}: {len(fields.train)} fields to train on, {len(fields.held_out)} held out, "
        f"alphabet {fields.alphabet}"
    )
    for reason in fields.left_out[:_NAMED_FIELDS]:
        report(f"  left out {reason}")
    if len(fields.left_out) > _NAMED_FIELDS:
        report(f"  left out {len(fields.left_out) - _NAMED_FIELDS} more")


def _read_start(model: Any, start: Path) -> None:
    """Give a network the weights of the model to start from."""
    if not (start / LINE_WEIGHTS_FILE).exists():
        raise ModelProblem(
            f"{start} has no {LINE_WEIGHTS_FILE} to train further",
            "Give --start a model folder that has one, or train from the beginning with --line-network.",
        )
    read_weights(model, start / LINE_WEIGHTS_FILE)


def _describe(origins: LineOrigins, start: Path, sets: list[FieldSet]) -> str:
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


def _copy_others(start: Path, folder: Path) -> None:
    """Copy a model's networks and card, without its line network."""
    model = load_model(start)
    for name, network in {**model.further_networks, MODEL_FILE: model.network}.items():
        if name != LINE_FILE:
            with atomic_write(folder / name) as file:
                file.buffer.write(network)
    card = {key: value for key, value in model.card.items() if key != "line_network"}
    write_card(card, folder / CARD_FILE)


def _figures(fields: FieldSet, before: FieldAccuracy, after: FieldAccuracy) -> dict[str, Any]:
    return {
        "alphabet": fields.alphabet,
        "trained_on": len(fields.train),
        "held_out": len(fields.held_out),
        "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(after),
    }
