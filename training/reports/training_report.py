"""Writes the report folder of a training or a measurement: a page, its plots, the numbers as JSON and CSV.

```
index.html          everything, beside its plots; no scripts, no requests
figures.json        every number of the page
figures.csv         the headline figures, one row per group of letters
classes.csv         precision, recall and F1, one row per class
confusions.csv      what is read as what, and how often
errors.csv          the wrong answers, most confident first, with the alternatives
reliability.csv     how often letters of each confidence are right
accept.csv          threshold, accepted share, share of wrong letters among the accepted
data.csv            letters of each class, one column per source (of a training: of its training part)
changes.csv         recall of each class in two models (with --compare)
```
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.results.html import environment
from lettermill.jobs.storage.atomic import FULL_OR_FORBIDDEN, atomic_write
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.training.measure import (
    TARGETS,
    Answers,
    accept_curve,
    confusion_counts,
    reliability,
    worst_errors,
)
from lettermill.training.reports import plots
from lettermill.training.reports.network_pictures import draw_what_it_sees
from lettermill.training.reports.report_content import LabelledGlyphs, OtherModel, Report, groups
from lettermill.training.reports.report_tables import write_tables
from lettermill.training.reports.report_values import SHOWN_ERRORS, kinds_of, report_values

REPORT_FOLDER = "report"
"""The report's folder in the folder of a training."""

PAGE_FILE = "index.html"
FIGURES_FILE = "figures.json"

_SHOWN_CHANGES = 36
_SHOWN_CONFUSIONS = 30
_SAMPLES = 10
"""Glyphs of each class and source that the page shows."""

_ZOOM_FROM_CONFIDENCE = 0.9
_ZOOM_BINS = 10


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One glyph of the page with its text."""

    image: str
    """A data URI."""

    text: str
    """The truth and the answer, for people who do not see the picture."""

    truth: str
    ranking: list[tuple[str, float]]
    source: str


def write_report(folder: Path, report: Report) -> dict[str, Any]:
    """Write a report atomically; it replaces an earlier report in the folder.

    Args:
        folder: the report folder.
        report: what is reported.

    Returns:
        The content of figures.json.

    Raises:
        UsageProblem: the folder holds something other than a report.
        ResultsNotWritable: the disk is full or read-only, or writing is forbidden.
    """
    check_folder(folder)
    values = report_values(report)
    with _atomic_folder(folder) as new:
        _draw_plots(report, values, new)
        sheets = _draw_sheets(report.data, new)
        seen = {"filters": False, "right": False, "wrong": False}
        if report.network and report.probabilities:
            seen = draw_what_it_sees(report.answers, report.network, report.probabilities, new)
        write_tables(values, report.answers, new)
        with atomic_write(new / FIGURES_FILE) as file:
            json.dump(values, file, indent=1, ensure_ascii=False, allow_nan=False)
        with atomic_write(new / PAGE_FILE) as file:
            file.write(_page(report, values, sheets, seen))
    return values


def check_folder(folder: Path) -> None:
    """Check that a report may be written: the folder is missing, empty or an earlier report.

    Raises:
        UsageProblem: it holds something else.
    """
    if folder.exists() and not (folder.is_dir() and (_is_report(folder) or not any(folder.iterdir()))):
        raise UsageProblem(
            f"{display_path(folder)} exists and is no report",
            "A report needs a folder of its own: name a new one, an empty one or an earlier report.",
        )


def _draw_plots(report: Report, values: dict[str, Any], folder: Path) -> None:
    """Draw the plots that are not of single glyphs."""
    answers, scores = report.answers, report.reject_scores
    confidence, right = answers.confidence, answers.right
    if report.history:
        plots.draw_curves(report.history, folder / "curves.png")
    counts = confusion_counts(answers)
    occur = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    labels = [answers.labels[place] for place in occur]
    plots.draw_confusion(counts[np.ix_(occur, occur)], labels, folder / "confusion.png")
    plots.draw_reliability(
        reliability(confidence, right),
        reliability(confidence, right, _ZOOM_FROM_CONFIDENCE, _ZOOM_BINS),
        folder / "reliability.png",
    )
    curves = {name: accept_curve(confidence[own], right[own]) for name, own in groups(answers).items()}
    plots.draw_accept(curves, TARGETS, len(answers), folder / "accept.png")
    plots.draw_counts(values["data"]["counts"], folder / "counts.png")
    if values["compared"] and values["compared"]["otherwise"]:
        rows = values["compared"]["classes"]
        changes = [row["after"] - row["before"] for row in rows]
        plots.draw_changes([row["label"] for row in rows], changes, folder / "changes.png")
    if scores:
        kinds = {kind: scores.others[scores.kinds == kind] for kind in kinds_of(scores)}
        plots.draw_scores(scores.letters, kinds, folder / "not-letters.png")


def _draw_sheets(data: LabelledGlyphs, folder: Path) -> dict[str, str]:
    """Draw sample glyphs of each source's classes, the same ones every time; return each file's name."""
    sheets = {}
    for number, source in enumerate(np.unique(data.sources).tolist(), 1):
        rng = np.random.default_rng(0)
        rows = {}
        for label in np.unique(data.labels[data.sources == source]).tolist():
            own = np.flatnonzero((data.sources == source) & (data.labels == label))
            rows[label] = data.glyphs[rng.permutation(own)[:_SAMPLES]]
        sheets[source] = f"samples-{number}.png"
        plots.draw_sheet(rows, _SAMPLES, folder / sheets[source])
    return sheets


def _page(report: Report, values: dict[str, Any], sheets: dict[str, str], seen: dict[str, bool]) -> str:
    answers, compared = report.answers, report.compared
    templates = environment("lettermill.training.reports")
    templates.filters.update(percent=_percent)
    return templates.get_template("report.html.j2").render(
        values=values,
        measured=report.measured,
        worst=[_picture(answers, int(index)) for index in worst_errors(answers)[:SHOWN_ERRORS]],
        corrected=_changed_pictures(answers, compared, corrected=True) if compared else [],
        broken=_changed_pictures(answers, compared, corrected=False) if compared else [],
        sheets=sheets,
        seen=seen,
        shown_confusions=_SHOWN_CONFUSIONS,
    )


def _changed_pictures(
    answers: Answers, compared: OtherModel, *, corrected: bool
) -> list[tuple[Picture, Picture]]:
    """Return letters that only one of two models reads right, as the other model and this one read them."""
    others = compared.answers
    wrong, right = (others, answers) if corrected else (answers, others)
    chosen = np.flatnonzero(right.right & ~wrong.right)
    chosen = chosen[np.argsort(-wrong.confidence[chosen], kind="stable")][:_SHOWN_CHANGES]
    return [(_picture(others, int(index)), _picture(answers, int(index))) for index in chosen]


def _picture(answers: Answers, index: int) -> Picture:
    truth, ranking = answers.labels[answers.classes[index]], answers.ranking(index)
    return Picture(
        "data:image/png;base64," + base64.b64encode(plots.glyph_png(answers.glyphs[index])).decode(),
        f"{truth}, read as {ranking[0][0]} with {ranking[0][1]:.1%}",
        truth,
        ranking,
        str(answers.sources[index]),
    )


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _is_report(folder: Path) -> bool:
    return (folder / FIGURES_FILE).is_file() and (folder / PAGE_FILE).is_file()


@contextlib.contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder that replaces the report folder when the block ends without an error."""
    new: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        yield new
        new.chmod(folder.parent.stat().st_mode & 0o777)
        if folder.exists():
            shutil.rmtree(folder)
        new.replace(folder)
        new = None
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN:
            raise not_writable(folder, error, "write the report") from error
        raise
    finally:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)
