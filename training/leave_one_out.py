"""Trains once for each source without it, and measures how well its capitals are read.

The outputs for the left-out letters are then what a model's confidence is calibrated on, because only
they look like letters from a source that the CNN has never seen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.errors import BadData, ModelProblem
from jobs.files import shown, written_whole
from jobs.settings import LETTERS
from training import fit
from training.checkpoint import CHECKPOINT_FILE, Identity
from training.measure import fitted_temperature, measure
from training.settings import LABELS, TrainingSettings
from training.sources import FONTS, Letters
from training.split import capitals, classes_of, usable_labels, without_test

RESULT_FILE = "leave_one_out.json"
TABLE_FILE = "leave_one_out.md"
KERAS_FILE = "model.keras"
OUTPUTS_FILE = "outputs.npz"

_LEAST_CAPITALS = 26 * 5


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """What the CNN answered for one source's capitals, trained without that source."""

    source: str
    logits: NDArray[np.float32]
    """float32, n×36."""

    classes: NDArray[np.int64]
    """int64, n: the truth."""


def sources_with_capitals(letters: Letters) -> list[str]:
    """List the sources that have enough capitals to be measured on."""
    names, counts = np.unique(capitals(letters).sources, return_counts=True)
    return [
        str(name)
        for name, count in zip(names, counts, strict=True)
        if count >= _LEAST_CAPITALS and name != FONTS
    ]


def leave_one_out(
    letters: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool = False,
) -> Iterator[LeftOut]:
    """Train a model for each source on all the others and let it answer for the one left out.

    The settings are the same for every source and nothing is chosen on it, not even the epoch; the writers
    of the test part take no part at all. Each source's folder, `without_SOURCE`, keeps the model and its
    answers (`logits` and `classes` in outputs.npz).

    Args:
        letters: everything that was found.
        settings: as for the model to be judged.
        folder: takes a folder for each source.
        report: is called with progress.
        resume: takes the sources that are done from the folder, and goes on with the one that was cut off.

    Yields:
        One result a source, as soon as it is there.

    Raises:
        BadData: fewer than two sources have capitals, or the folder is of other letters.
        UsageProblem: the folder is of other settings.
        KeyboardInterrupt: Ctrl-C; the sources that are done stay.
    """
    letters = without_test(letters, settings)
    names = sources_with_capitals(letters)
    if len(names) < 2:
        raise BadData(
            f"leave-one-out needs two sources with capitals, found: {', '.join(names) or 'none'}",
            "Add training sets of other origin to --data.",
        )
    for name in names:
        others = letters[usable_labels(letters, settings) & (letters.sources != name)]
        own = capitals(letters[letters.sources == name])
        report(f"without {name}: {len(others)} glyphs to train on, {len(own)} capitals to measure")
        result = _left_out(name, others, own, settings, folder / f"without_{name}", report, resume)
        report(f"{name}: accuracy {measure(result.logits, result.classes, alphabet=LETTERS).accuracy:.4f}")
        yield result


def _left_out(
    name: str,
    others: Letters,
    own: Letters,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[str], None],
    resume: bool,
) -> LeftOut:
    """Train on the others and answer for a source's own letters, or read what was answered before."""
    outputs = folder / OUTPUTS_FILE
    identity = Identity.of(settings, LABELS, others, own)
    if resume and outputs.exists() and not (folder / CHECKPOINT_FILE).exists():
        report(f"{name}: done before")
        return _read_outputs(name, outputs, identity)
    trained = fit.train(others, None, settings, report, folder=folder, resume=resume)
    if trained.stopped:
        report("Stopped: the same command with --resume goes on; the sources that are done stay.")
        raise KeyboardInterrupt
    outputs.unlink(missing_ok=True)  # of an earlier model
    trained.model.save(folder / KERAS_FILE)
    result = LeftOut(name, fit.logits_of(trained.model, own.glyphs), classes_of(own))
    about = {
        "identity": dataclasses.asdict(identity),
        "model_sha256": hashlib.sha256((folder / KERAS_FILE).read_bytes()).hexdigest(),
    }
    content = io.BytesIO()
    np.savez(content, logits=result.logits, classes=result.classes, about=np.array(json.dumps(about)))
    with written_whole(outputs) as file:
        file.buffer.write(content.getbuffer())
    (folder / CHECKPOINT_FILE).unlink()
    return result


def _read_outputs(name: str, path: Path, identity: Identity) -> LeftOut:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            result = LeftOut(name, archive["logits"], archive["classes"])
            found = Identity(**json.loads(str(archive["about"]))["identity"])
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelProblem(
            f"{shown(path)} is damaged: {error}",
            f"Delete {shown(path.parent)}: it is made again.",
        ) from error
    identity.check(found, path)
    return result


def temperature_of(results: list[LeftOut]) -> float:
    """Fit one temperature to the left-out sources' letters, each source counting the same."""
    return fitted_temperature(
        np.concatenate([result.logits for result in results]),
        np.concatenate([result.classes for result in results]),
        np.concatenate([np.full(len(result.classes), 1 / len(result.classes)) for result in results]),
        LETTERS,
    )


def summary(results: list[LeftOut], settings: TrainingSettings) -> dict[str, Any]:
    """Return the figures: a row a source, their mean, and the temperature.

    "After" calibration is measured with a temperature that was fitted without the source's own letters;
    of a single source there is none, and 1 stands in.
    """
    rows = []
    for result in results:
        others = [other for other in results if other is not result]
        before = measure(result.logits, result.classes, alphabet=LETTERS)
        after = measure(result.logits, result.classes, temperature_of(others) if others else 1.0, LETTERS)
        rows.append(
            {
                "source": result.source,
                "capitals": before.count,
                "accuracy": round(before.accuracy, 4),
                "loss": round(after.loss, 4),
                "calibration_error_before": round(before.calibration_error, 4),
                "calibration_error_after": round(after.calibration_error, 4),
            }
        )
    return {
        "rows": rows,
        "mean_accuracy": round(float(np.mean([row["accuracy"] for row in rows])), 4),
        "mean_calibration_error_before": round(
            float(np.mean([r["calibration_error_before"] for r in rows])), 4
        ),
        "mean_calibration_error_after": round(
            float(np.mean([r["calibration_error_after"] for r in rows])), 4
        ),
        "temperature": round(temperature_of(results), 4),
        "settings": settings.to_json(),
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| left out | capitals | accuracy | loss | calibration error before | after |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in figures["rows"]:
        lines.append(
            f"| {row['source']} | {row['capitals']:,} | {row['accuracy']:.2%} | {row['loss']:.3f} | "
            f"{row['calibration_error_before']:.3f} | {row['calibration_error_after']:.3f} |"
        )
    lines.append(
        f"| **mean** | | **{figures['mean_accuracy']:.2%}** | | "
        f"{figures['mean_calibration_error_before']:.3f} | {figures['mean_calibration_error_after']:.3f} |"
    )
    return "\n".join(lines) + "\n"


def write(figures: dict[str, Any], folder: Path) -> None:
    """Write the figures as JSON and as a Markdown table."""
    with written_whole(folder / RESULT_FILE) as file:
        file.write(json.dumps(figures, indent=2) + "\n")
    with written_whole(folder / TABLE_FILE) as file:
        file.write(table(figures))


def read(path: Path) -> dict[str, Any]:
    """Read the figures that `write` wrote.

    Raises:
        BadData: the file is missing or holds something else.
    """
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"rows", "temperature", "settings"} <= figures.keys():
            raise ValueError("rows, temperature or settings are missing")
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(
            f"{path} cannot be read: {error}", f"Give the {RESULT_FILE} that --leave-one-out wrote."
        ) from error
    return figures
