"""Computes every number of a report: the content of figures.json."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.training.measure import (
    Answers,
    RejectScores,
    area_under_curve,
    confusions,
    mcnemar,
    per_class,
    rejection,
    reliability,
    share,
    worst_errors,
)
from lettermill.training.reports.report_content import LabelledGlyphs, OtherModel, Report

SHOWN_ERRORS = 60
"""Wrong answers that the page shows, the most confident ones."""

_LOST_SHARES = (0.01, 0.001)
"""Shares of the letters that may be rejected when the rejected non-letters are counted."""


def report_values(report: Report) -> dict[str, Any]:
    """Return the numbers of a report as plain values for JSON."""
    answers, compared, scores = report.answers, report.compared, report.reject_scores
    return {
        "title": report.title,
        "about": report.about,
        "labels": list(answers.labels),
        "figures": {name: dataclasses.asdict(one) for name, one in report.measured.items()},
        "classes": [
            {
                **dataclasses.asdict(row),
                "precision": row.precision,
                "recall": row.recall,
                "f1": row.f1,
            }
            for row in per_class(answers)
        ],
        "confusions": [{"is": is_, "read": read, "count": count} for is_, read, count in confusions(answers)],
        "reliability": [
            {**dataclasses.asdict(bin_), "accuracy": bin_.accuracy and bin_.accuracy.value}
            for bin_ in reliability(answers.confidence, answers.right)
        ],
        "worst_errors": [error(answers, int(index)) for index in worst_errors(answers)[:SHOWN_ERRORS]],
        "history": [_finite(dataclasses.asdict(row)) for row in report.history],
        "data": {"name": report.data.name, "counts": _class_counts(report.data)},
        "compared": _comparison(answers, compared) if compared else None,
        "not_letters": _rejections(scores) if scores else None,
    }


def error(answers: Answers, index: int) -> dict[str, Any]:
    """Return what one letter is, how it was read, and the alternatives."""
    ranking = answers.ranking(index)
    return {
        "source": str(answers.sources[index]),
        "is": answers.labels[answers.classes[index]],
        "read": ranking[0][0],
        "confidence": ranking[0][1],
        "alternatives": [[label, probability] for label, probability in ranking[1:]],
    }


def changes(answers: Answers, others: Answers) -> tuple[int, int, float]:
    """Return what changed from another model's answers to these.

    Returns:
        The number of corrected letters (only these answers are right), the number of broken letters (only
        the others are right), and the probability of a change as unequal by chance.
    """
    right, before = answers.right, others.right
    corrected, broken = int((right & ~before).sum()), int((before & ~right).sum())
    return corrected, broken, mcnemar(corrected, broken)


def kinds_of(scores: RejectScores) -> list[str]:
    """Return the kinds of non-letters in alphabetical order."""
    return [str(kind) for kind in np.unique(scores.kinds)]


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    """Replace numbers that are not finite, which JSON lacks, by None: training may have diverged."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def _class_counts(data: LabelledGlyphs) -> dict[str, dict[str, int]]:
    """Count each source's letters of each label."""
    return {
        source: dict(sorted(Counter(data.labels[data.sources == source].tolist()).items()))
        for source in np.unique(data.sources).tolist()
    }


def _comparison(answers: Answers, other: OtherModel) -> dict[str, Any]:
    """Return what changed from another model's answers to these, in all and per class."""
    right, before = answers.right, other.answers.right
    corrected, broken, p = changes(answers, other.answers)
    classes = []
    for place in np.unique(answers.classes).tolist():
        own = answers.classes == place
        classes.append(
            {
                "label": answers.labels[place],
                "count": int(own.sum()),
                "before": float(before[own].mean()),
                "after": float(right[own].mean()),
            }
        )
    return {
        "name": other.name,
        "figures": {name: dataclasses.asdict(one) for name, one in other.measured.items()},
        "mended": corrected,
        "spoilt": broken,
        "both_wrong": int((~right & ~before).sum()),
        "otherwise": int((_texts(answers) != _texts(other.answers)).sum()),
        "p": p,
        "classes": classes,
    }


def _texts(answers: Answers) -> NDArray[np.str_]:
    return np.array(answers.labels)[answers.answers]


def _rejections(scores: RejectScores) -> dict[str, Any]:
    """Return how many non-letters are rejected at each price in letters, in all and per kind."""
    kinds = kinds_of(scores)
    rows = []
    for lost in _LOST_SHARES:
        threshold, rejected = rejection(scores, lost)
        masks = {"all": np.ones(len(rejected), bool), **{kind: scores.kinds == kind for kind in kinds}}
        rows.append(
            {
                "lost": lost,
                "threshold": threshold,
                "rejected": {
                    name: dataclasses.asdict(share(int(rejected[own].sum()), int(own.sum())))
                    for name, own in masks.items()
                },
            }
        )
    return {
        "letters": len(scores.letters),
        "counts": {"all": len(scores.others), **Counter(scores.kinds.tolist())},
        "area_under_curve": area_under_curve(scores),
        "rows": rows,
    }
