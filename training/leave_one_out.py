"""Trains once for each source without it, and measures how well its capitals are read.

The outputs for the left-out letters are then what a model's confidence is calibrated on, because only
they look like letters from a source that the CNN has never seen.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.errors import BadData
from jobs.settings import LETTERS
from training import fit
from training.measure import fitted_temperature, measure
from training.settings import TrainingSettings
from training.sources import FONTS, Letters
from training.split import capitals, classes_of, usable_labels, without_test

RESULT_FILE = "leave_one_out.json"
TABLE_FILE = "leave_one_out.md"

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
    letters: Letters, settings: TrainingSettings, report: Callable[[str], None]
) -> Iterator[LeftOut]:
    """Train a model for each source on all the others and let it answer for the one left out.

    The settings are the same for every source and nothing is chosen on it; the writers of the test part
    take no part at all.

    Args:
        letters: everything that was found.
        settings: as for the model to be judged.
        report: is called with progress.

    Yields:
        One result a source, as soon as it is there.

    Raises:
        BadData: fewer than two sources have capitals.
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
        model, _ = fit.train(others, None, settings, report)
        result = LeftOut(name, fit.logits_of(model, own.glyphs), classes_of(own))
        report(f"{name}: accuracy {measure(result.logits, result.classes, alphabet=LETTERS).accuracy:.4f}")
        yield result


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
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT_FILE).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (folder / TABLE_FILE).write_text(table(figures), encoding="utf-8")


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
