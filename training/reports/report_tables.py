"""Writes the numbers of a report as CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lettermill.jobs.storage.atomic import atomic_write
from lettermill.training.measure import Answers, accept_curve, worst_errors
from lettermill.training.reports.report_values import error

_ERROR_COLUMNS = [
    *("source", "is", "read", "confidence"),
    *("alternative_1", "confidence_1", "alternative_2", "confidence_2"),
]


def write_tables(values: dict[str, Any], answers: Answers, folder: Path) -> None:
    """Write the CSV files of a report.

    Args:
        values: the numbers, as `report_values` returns them.
        answers: what was measured: errors.csv lists all wrong answers, accept.csv the curve of all letters.
        folder: where the files are written.
    """

    def table(name: str, rows: Iterable[Mapping[str, Any]], columns: list[str] | None = None) -> None:
        _write_table(folder / name, rows, columns)

    table("figures.csv", ({"letters_of": name, **_flat(row)} for name, row in values["figures"].items()))
    table("classes.csv", values["classes"])
    table("confusions.csv", values["confusions"], ["is", "read", "count"])
    errors = (_flat_error(error(answers, int(index))) for index in worst_errors(answers))
    table("errors.csv", errors, _ERROR_COLUMNS)
    table("reliability.csv", values["reliability"])
    names = ("threshold", "accepted", "wrong_among_accepted")
    curve = accept_curve(answers.confidence, answers.right)
    table("accept.csv", (dict(zip(names, row, strict=True)) for row in curve.tolist()))
    counts = values["data"]["counts"]
    labels = sorted({label for row in counts.values() for label in row})
    table(
        "data.csv",
        ({"label": label, **{name: row.get(label, 0) for name, row in counts.items()}} for label in labels),
    )
    if values["compared"]:
        table("changes.csv", values["compared"]["classes"])


def _write_table(path: Path, rows: Iterable[Mapping[str, Any]], columns: list[str] | None) -> None:
    import pandas as pd

    with atomic_write(path) as file:
        pd.DataFrame(list(rows), columns=columns).to_csv(file, index=False, float_format="%.6g")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return headline figures without nesting: accuracy, accuracy_low, accepted_99.9, …."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "coverage":
            for one in value:
                target = f"{100 * one['target']:g}"
                flat.update(
                    _flat({f"accepted_{target}": one["share"], f"threshold_{target}": one["threshold"]})
                )
        elif isinstance(value, dict):
            flat.update({name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]})
        else:
            flat[name] = value
    return flat


def _flat_error(values: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in values.items() if name != "alternatives"}
    for number, (label, probability) in enumerate(values["alternatives"], 1):
        flat.update({f"alternative_{number}": label, f"confidence_{number}": probability})
    return flat
