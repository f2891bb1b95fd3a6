"""Writes the figures and reports of leave-one-out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.training.fitting.leave_one_out import UNSEEN, LeftOut
from lettermill.training.letters.split import classes_of
from lettermill.training.measure import (
    Answers,
    Figures,
    RejectScores,
    calibration_error,
    figures,
    fitted_temperature,
    rejection,
)
from lettermill.training.reports.report_content import LabelledGlyphs, Report, headline
from lettermill.training.reports.training_report import REPORT_FOLDER, write_report
from lettermill.training.training_settings import CLASSES, TrainingSettings

RESULT_FILE = "leave_one_out.json"
TABLE_FILE = "leave_one_out.md"

_LOST_SHARE = 0.01
"""Share of the letters that may be rejected when the rejected non-letters are counted."""


def temperature_of(results: list[LeftOut]) -> float:
    """Fit one temperature to the capitals of the sources left out; each source counts the same."""
    logits, classes, weights = [], [], []
    for result in results:
        own = np.isin(result.letters.labels, list(LETTERS))
        logits.append(result.logits[own])
        classes.append(classes_of(result.letters[own]))
        weights.append(np.full(own.sum(), 1 / own.sum()))
    return fitted_temperature(
        np.concatenate(logits), np.concatenate(classes), np.concatenate(weights), LETTERS, CLASSES
    )


def pooled(results: list[LeftOut]) -> Answers:
    """Return the answers about all sources' capitals.

    Each source is calibrated with a temperature that was fitted without it; a single source with 1.
    """
    parts = []
    for result in results:
        others = [other for other in results if other is not result]
        parts.append(result.among(LETTERS, temperature_of(others) if others else 1.0))
    fields = ("probabilities", "classes", "glyphs", "sources")
    return Answers(CLASSES, *(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def pooled_reject_scores(results: list[LeftOut]) -> RejectScores:
    """Return the reject scores of all sources' letters and non-letters."""
    scores = [result.reject_scores() for result in results]
    fields = ("letters", "others", "kinds")
    return RejectScores(*(np.concatenate([getattr(one, field) for one in scores]) for field in fields))


def summary(results: list[LeftOut], settings: TrainingSettings) -> dict[str, Any]:
    """Return the figures: one row per source, their mean, all capitals together, and the temperature."""
    answers = pooled(results)
    rows = [_row(result, answers[answers.sources == result.source]) for result in results]
    return {
        "rows": rows,
        "mean_accuracy": _mean(rows, "accuracy"),
        "mean_calibration_error_before": _mean(rows, "calibration_error_before"),
        "mean_calibration_error_after": _mean(rows, "calibration_error_after"),
        "all": json.loads(json.dumps(dataclasses.asdict(figures(answers)))),
        "temperature": round(temperature_of(results), 4),
        "settings": settings.to_json(),
    }


def _row(result: LeftOut, calibrated: Answers) -> dict[str, Any]:
    before, after = result.among(LETTERS, 1.0), figures(calibrated)
    digits = result.among(DIGITS, 1.0)
    scores = result.reject_scores()
    return {
        "source": result.source,
        "capitals": after.count,
        "accuracy": round(after.accuracy.value, 4),
        "loss": round(after.loss.value, 4),
        "calibration_error_before": round(calibration_error(before.confidence, before.right), 4),
        "calibration_error_after": round(after.calibration_error, 4),
        "digits": len(digits),
        "digit_accuracy": round(float(digits.right.mean()), 4) if len(digits) else None,
        "non_letters_rejected": round(float(rejection(scores, _LOST_SHARE)[1].mean()), 4),
    }


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return round(float(np.mean([row[name] for row in rows])), 4)


def table(values: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| left out | capitals | accuracy | loss | calibration error before | after | digits | accuracy | "
        "non-letters rejected |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in values["rows"]:
        digits = f"{row['digits']:,} | {row['digit_accuracy']:.2%}" if row["digits"] else "|"
        lines.append(
            f"| {row['source']} | {row['capitals']:,} | {row['accuracy']:.2%} | {row['loss']:.3f} | "
            f"{row['calibration_error_before']:.3f} | {row['calibration_error_after']:.3f} | {digits} | "
            f"{row['non_letters_rejected']:.1%} |"
        )
    lines.append(
        f"| **mean** | | **{values['mean_accuracy']:.2%}** | | "
        f"{values['mean_calibration_error_before']:.3f} | {values['mean_calibration_error_after']:.3f} | "
        "| | |"
    )
    return "\n".join(lines) + "\n"


def write_reports(results: list[LeftOut], folder: Path) -> dict[str, Figures]:
    """Write a report of each source's capitals into its folder, and one of all into the folder itself.

    Returns:
        The headline figures of all.
    """
    answers = pooled(results)
    for result in results:
        own = answers[answers.sources == result.source]
        about = f"{len(own):,} capitals, read by a CNN that was trained without {result.source}"
        title = f"Without {result.source}"
        _write_report(folder / f"{UNSEEN}{result.source}", own, result.reject_scores(), title, about)
    about = (
        f"{len(answers):,} capitals of {len(results)} sources, each read by a CNN trained without its source"
    )
    return _write_report(folder, answers, pooled_reject_scores(results), "Leave one source out", about)


def _write_report(
    folder: Path, answers: Answers, scores: RejectScores, title: str, about: str
) -> dict[str, Figures]:
    measured = headline(answers)
    letters = np.array(CLASSES)[answers.classes]
    report = Report(
        title=title,
        about=f"{about} and calibrated on the others. Answers are among A–Z.",
        answers=answers,
        measured=measured,
        data=LabelledGlyphs("What was measured", answers.glyphs, letters, answers.sources),
        reject_scores=scores,
    )
    write_report(folder / REPORT_FOLDER, report)
    return measured


def write_summary(values: dict[str, Any], folder: Path) -> None:
    """Write the figures as JSON and as a Markdown table."""
    with atomic_write(folder / RESULT_FILE) as file:
        file.write(json.dumps(values, indent=2) + "\n")
    with atomic_write(folder / TABLE_FILE) as file:
        file.write(table(values))
