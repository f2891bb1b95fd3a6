"""The report folder of a training or a measurement: one page, its plots, and the numbers as JSON and CSV.

```
index.html          everything, beside its plots; no scripts, no requests
figures.json        every number of the page
figures.csv         the headline figures, a row a group of letters
classes.csv         precision, recall and F1, a row a class
confusions.csv      what is read as what, and how often
errors.csv          the wrong answers, most confident first, with the alternatives
reliability.csv     how often letters of each confidence are right
accept.csv          threshold, share accepted, share of wrong ones among them
data.csv            letters of each class, a column a source (of a training: of its training part)
changes.csv         recall of each class in two models (with --compare)
```
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem, UsageProblem
from lettermill.jobs.results.html import environment
from lettermill.jobs.storage.atomic import FULL_OR_FORBIDDEN, atomic_write
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.training.measure import (
    TARGETS,
    Answers,
    Figures,
    accept_curve,
    area_under_curve,
    confusion_counts,
    confusions,
    figures,
    mcnemar,
    per_class,
    rejection,
    reliability,
    share,
    worst_errors,
)
from lettermill.training.reports import plots

if TYPE_CHECKING:
    from lettermill.training.fitting.fit import Epoch
    from lettermill.worker.reading.explain import Probabilities

REPORT_FOLDER = "report"
"""Where a training leaves its report, below its own folder."""

PAGE_FILE = "index.html"
FIGURES_FILE = "figures.json"

ALL = "all letters"
"""The name of all together, beside the sources'."""

_WORST = 60
_CHANGED = 36
_LOOKED_AT = 18
_CONFUSIONS = 30
_SAMPLES = 10
_ZOOM_FROM = 0.9
_LOST = (0.01, 0.001)
_ERROR_COLUMNS = [
    *("source", "is", "read", "confidence"),
    *("alternative_1", "confidence_1", "alternative_2", "confidence_2"),
]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Labelled glyphs to count and to show samples of."""

    name: str
    """What they are, as the page's heading says it."""

    glyphs: NDArray[np.uint8]
    """uint8, n×28×28."""

    labels: NDArray[np.str_]
    """n, as the files say."""

    sources: NDArray[np.str_]
    """n names."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class NotLetters:
    """How much letters, and what is none, look like no letter: scores from 0 to 1."""

    letters: NDArray[np.float64]
    """float64, n."""

    others: NDArray[np.float64]
    """float64, m."""

    kinds: NDArray[np.str_]
    """m: what each of the others is (half a letter, a speck, …)."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One glyph of the page, with what is said of it."""

    image: str
    """A data URI."""

    text: str
    """What it is and how it was read, for those who do not see it."""

    truth: str
    ranking: list[tuple[str, float]]
    source: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Other:
    """Another model's answers to the same letters in the same order."""

    name: str
    answers: Answers
    measured: dict[str, Figures]
    """What `headline` says of them."""


def headline(answers: Answers) -> dict[str, Figures]:
    """Return the headline figures of all letters and, where there are several, of each source."""
    return {name: figures(answers[own]) for name, own in _groups(answers).items()}


def write(
    folder: Path,
    answers: Answers,
    measured: dict[str, Figures],
    *,
    title: str,
    about: str,
    data: Data,
    network: Path | None = None,
    probabilities: Probabilities | None = None,
    history: Sequence[Epoch] = (),
    compared: Other | None = None,
    not_letters: NotLetters | None = None,
) -> dict[str, Any]:
    """Write a report, whole or not at all; an earlier report in the folder is replaced.

    Args:
        folder: the report folder.
        answers: what was measured, one letter or more.
        measured: what `headline` says of them, and of whatever else is to stand beside it.
        title: the page's heading.
        about: a sentence: which letters these are, and what could be answered.
        data: letters to count and to show, those that were trained on where the report is of a training.
        network: the network file, for its first filters; None where several networks answered.
        probabilities: reads glyphs (uint8 n×28×28) as the answers were: n×k over their labels; comes with the
            network.
        history: a row an epoch.
        compared: another model, for what changed from it.
        not_letters: scores for "not a letter", where the model has that output.

    Returns:
        The content of figures.json.

    Raises:
        UsageProblem: the folder holds something else than a report.
        ResultsNotWritable: the disk is full, read-only or forbidden.
    """
    check_folder(folder)
    confidence, right = answers.confidence, answers.right
    bins, zoom = reliability(confidence, right), reliability(confidence, right, _ZOOM_FROM, 10)
    curves = {name: accept_curve(confidence[own], right[own]) for name, own in _groups(answers).items()}
    worst = worst_errors(answers)
    counts = _class_counts(data)
    values: dict[str, Any] = {
        "title": title,
        "about": about,
        "labels": list(answers.labels),
        "figures": {name: dataclasses.asdict(one) for name, one in measured.items()},
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
            {**dataclasses.asdict(bin_), "accuracy": bin_.accuracy and bin_.accuracy.value} for bin_ in bins
        ],
        "worst_errors": [_error(answers, int(index)) for index in worst[:_WORST]],
        "history": [_finite(dataclasses.asdict(row)) for row in history],
        "data": {"name": data.name, "counts": counts},
        "compared": _comparison(answers, compared) if compared else None,
        "not_letters": _rejections(not_letters) if not_letters else None,
    }
    with _folder_written_whole(folder) as place:
        if history:
            plots.draw_curves(history, place / "curves.png")
        plots.draw_confusion(*_shown_classes(answers), place / "confusion.png")
        plots.draw_reliability(bins, zoom, place / "reliability.png")
        plots.draw_accept(curves, TARGETS, len(answers), place / "accept.png")
        plots.draw_counts(counts, place / "counts.png")
        sheets = {
            source: _draw_samples(data, source, place / f"samples-{number}.png")
            for number, source in enumerate(counts, 1)
        }
        seen = {"filters": False, "right": False, "wrong": False}
        if network and probabilities:
            seen = _draw_what_it_sees(answers, network, probabilities, place)
        if values["compared"] and values["compared"]["otherwise"]:
            rows = values["compared"]["classes"]
            plots.draw_changes(
                [row["label"] for row in rows],
                [row["after"] - row["before"] for row in rows],
                place / "changes.png",
            )
        if not_letters:
            kinds = {kind: not_letters.others[not_letters.kinds == kind] for kind in _kinds(not_letters)}
            plots.draw_scores(not_letters.letters, kinds, place / "not-letters.png")
        _write_tables(values, answers, curves[ALL], place)
        with atomic_write(place / FIGURES_FILE) as file:
            json.dump(values, file, indent=1, ensure_ascii=False, allow_nan=False)
        page = _page(
            values=values,
            measured=measured,
            worst=[_picture(answers, int(index)) for index in worst[:_WORST]],
            mended=_pictures_of_change(answers, compared, True),
            spoilt=_pictures_of_change(answers, compared, False),
            sheets=sheets,
            seen=seen,
        )
        with atomic_write(place / PAGE_FILE) as file:
            file.write(page)
    return values


def check_folder(folder: Path) -> None:
    """Check that a report may be written: the folder is missing, empty or an earlier report.

    Raises:
        UsageProblem: it holds something else.
    """
    if folder.exists() and not (folder.is_dir() and (_is_report(folder) or not any(folder.iterdir()))):
        raise UsageProblem(
            f"{display_path(folder)} is there and is no report",
            "A report takes a folder of its own: name one that is new, empty or an earlier report.",
        )


def table_text(measured: Mapping[str, Figures]) -> str:
    """Return headline figures as a short table for the terminal."""
    wide = max(len("source"), *map(len, measured))
    accepted = "".join(f"{f'{target:.1%}':>8}" for target in TARGETS)
    lines = [
        f"{'':{wide}}                                          calibration error    accepted at",
        f"{'source':{wide}}  letters   right  (95 % interval)    loss      all  doubtful{accepted}",
    ]
    for name, one in measured.items():
        doubtful = one.doubtful_calibration_error
        interval = f"({one.accuracy.low:.2%}–{one.accuracy.high:.2%})"
        lines.append(
            f"{name:{wide}}{one.count:>9,}{one.accuracy.value:>8.2%}{interval:>18}{one.loss.value:>7.4f}"
            f"{one.calibration_error:>9.2%}{'–' if doubtful is None else f'{doubtful:.2%}':>10}"
            + "".join(f"{row.share.value:>8.1%}" for row in one.coverage)
        )
    return "\n".join(lines)


def change_text(answers: Answers, others: Answers) -> str:
    """Return in a line what changed from another model's answers to these."""
    right, before = answers.right, others.right
    mended, spoilt = int((right & ~before).sum()), int((before & ~right).sum())
    p = mcnemar(mended, spoilt)
    return f"mended {mended}, spoilt {spoilt} letters; by chance with p = {p:.2g} (McNemar’s exact test)"


def _groups(answers: Answers) -> dict[str, NDArray[np.bool_]]:
    """Mark all letters and, where there are several sources, those of each."""
    names = np.unique(answers.sources).tolist()
    by_source = {name: answers.sources == name for name in names} if len(names) > 1 else {}
    return {ALL: np.ones(len(answers), bool), **by_source}


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    """Return None for what is no number: the loss of a training that went astray, which JSON cannot hold."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def _error(answers: Answers, index: int) -> dict[str, Any]:
    ranking = answers.ranking(index)
    return {
        "source": str(answers.sources[index]),
        "is": answers.labels[answers.classes[index]],
        "read": ranking[0][0],
        "confidence": ranking[0][1],
        "alternatives": [[label, probability] for label, probability in ranking[1:]],
    }


def _class_counts(data: Data) -> dict[str, dict[str, int]]:
    """Count each source's letters of each label."""
    return {
        source: dict(sorted(Counter(data.labels[data.sources == source].tolist()).items()))
        for source in np.unique(data.sources).tolist()
    }


def _shown_classes(answers: Answers) -> tuple[NDArray[np.int64], list[str]]:
    """Count confusions among the classes that occur as truth or answer."""
    counts = confusion_counts(answers)
    occur = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    return counts[np.ix_(occur, occur)], [answers.labels[place] for place in occur]


def _draw_samples(data: Data, source: str, path: Path) -> str:
    """Draw some glyphs of each of a source's classes, the same ones every time; return the file's name."""
    rng = np.random.default_rng(0)
    rows = {}
    for label in np.unique(data.labels[data.sources == source]).tolist():
        own = np.flatnonzero((data.sources == source) & (data.labels == label))
        rows[label] = data.glyphs[rng.permutation(own)[:_SAMPLES]]
    plots.draw_sheet(rows, _SAMPLES, path)
    return path.name


def _draw_what_it_sees(
    answers: Answers, network: Path, probabilities: Probabilities, place: Path
) -> dict[str, bool]:
    """Draw the first filters, and where the network looks in right and wrong letters; say what there is."""
    from lettermill.worker.reading.explain import occlusion_map

    def look(chosen: list[int], path: Path) -> bool:
        maps = []
        for index in chosen:
            could = answers.probabilities[index] > 0  # what could be answered to this letter competes

            def among(glyphs: NDArray[np.uint8], could: NDArray[np.bool_] = could) -> NDArray[np.float32]:
                return probabilities(glyphs)[:, could]

            maps.append(occlusion_map(among, answers.glyphs[index]))
        if maps:
            titles = [_short(answers, index) for index in chosen]
            plots.draw_where(answers.glyphs[chosen], maps, titles, path)
        return bool(maps)

    typical = _typical(answers)
    kernels = first_kernels(network)
    if kernels is not None:
        plots.draw_filters(kernels, answers.glyphs[typical[0] if typical else 0], place / "filters.png")
    return {
        "filters": kernels is not None,
        "right": look(typical, place / "looked-right.png"),
        "wrong": look(worst_errors(answers)[:_LOOKED_AT].tolist(), place / "looked-wrong.png"),
    }


def first_kernels(network: Path) -> NDArray[np.float32] | None:
    """Return the kernels of a network file's first convolution: float32, m×h×w.

    Returns:
        None where there is none of grey images whose weights are plain numbers.

    Raises:
        ModelProblem: the file cannot be read.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(network.read_bytes()))
        graph = model.subgraphs[0]
        for step in graph.operators:
            kind = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[step.opcodeIndex])
            if kind == BuiltinOperator.CONV_2D:
                weights = graph.tensors[step.inputs[1]]
                if weights.type != TensorType.FLOAT32:
                    return None
                numbers = np.asarray(model.buffers[weights.buffer].data, np.uint8).view(np.float32)
                kernels = numbers.reshape(weights.shape)
                return kernels[..., 0] if kernels.shape[-1] == 1 else None
    except Exception as error:  # A damaged file ends anywhere in the tables that it is made of.
        raise ModelProblem(f"cannot read the network {display_path(network)}: {error}") from error
    return None


def _typical(answers: Answers) -> list[int]:
    """Choose rightly read letters of middling confidence, one a class, the classes that are read worst."""
    chosen: list[int] = []
    for row in per_class(answers):
        place = answers.labels.index(row.label)
        own = np.flatnonzero((answers.classes == place) & answers.right)
        if own.size and len(chosen) < _LOOKED_AT:
            chosen.append(int(own[np.argsort(answers.confidence[own], kind="stable")[own.size // 2]]))
    return sorted(chosen, key=lambda index: int(answers.classes[index]))


def _short(answers: Answers, index: int) -> str:
    truth, (read, confidence) = answers.labels[answers.classes[index]], answers.ranking(index)[0]
    return f"{truth} {confidence:.1%}" if read == truth else f"{truth} as {read} {confidence:.1%}"


def _comparison(answers: Answers, other: Other) -> dict[str, Any]:
    """Return what changed from another model's answers to these."""
    right, before = answers.right, other.answers.right
    mended, spoilt = int((right & ~before).sum()), int((before & ~right).sum())
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
        "mended": mended,
        "spoilt": spoilt,
        "both_wrong": int((~right & ~before).sum()),
        "otherwise": int((_texts(answers) != _texts(other.answers)).sum()),
        "p": mcnemar(mended, spoilt),
        "classes": classes,
    }


def _texts(answers: Answers) -> NDArray[np.str_]:
    return np.array(answers.labels)[answers.answers]


def _pictures_of_change(
    answers: Answers, compared: Other | None, mended: bool
) -> list[tuple[Picture, Picture]]:
    """Return letters that only one of two models reads right, as that model and the other see them."""
    if compared is None:
        return []
    others = compared.answers
    wrong, right = (others, answers) if mended else (answers, others)
    chosen = np.flatnonzero(right.right & ~wrong.right)
    chosen = chosen[np.argsort(-wrong.confidence[chosen], kind="stable")][:_CHANGED]
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


def _kinds(scores: NotLetters) -> list[str]:
    return [str(kind) for kind in np.unique(scores.kinds)]


def _rejections(scores: NotLetters) -> dict[str, Any]:
    """Return how much of what is no letter is rejected at each price in letters, all and by kind."""
    rows = []
    for lost in _LOST:
        threshold, rejected = rejection(scores.letters, scores.others, lost)
        groups = {"all": np.ones(len(rejected), bool), **{k: scores.kinds == k for k in _kinds(scores)}}
        rows.append(
            {
                "lost": lost,
                "threshold": threshold,
                "rejected": {
                    name: dataclasses.asdict(share(int(rejected[own].sum()), int(own.sum())))
                    for name, own in groups.items()
                },
            }
        )
    return {
        "letters": len(scores.letters),
        "counts": {"all": len(scores.others), **Counter(scores.kinds.tolist())},
        "area_under_curve": area_under_curve(scores.letters, scores.others),
        "rows": rows,
    }


def _write_tables(values: dict[str, Any], answers: Answers, curve: NDArray[np.float64], place: Path) -> None:
    """Write the CSV files."""
    import pandas as pd

    def table(name: str, rows: Iterable[Mapping[str, Any]], columns: list[str] | None = None) -> None:
        with atomic_write(place / name) as file:
            pd.DataFrame(list(rows), columns=columns).to_csv(file, index=False, float_format="%.6g")

    table("figures.csv", ({"letters_of": name, **_flat(row)} for name, row in values["figures"].items()))
    table("classes.csv", values["classes"])
    table("confusions.csv", values["confusions"], ["is", "read", "count"])
    errors = (_flat_error(_error(answers, int(index))) for index in worst_errors(answers))
    table("errors.csv", errors, _ERROR_COLUMNS)
    table("reliability.csv", values["reliability"])
    names = ("threshold", "accepted", "wrong_among_accepted")
    table("accept.csv", (dict(zip(names, row, strict=True)) for row in curve.tolist()))
    counts = values["data"]["counts"]
    labels = sorted({label for row in counts.values() for label in row})
    table(
        "data.csv",
        ({"label": label, **{name: row.get(label, 0) for name, row in counts.items()}} for label in labels),
    )
    if values["compared"]:
        table("changes.csv", values["compared"]["classes"])


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


def _flat_error(error: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in error.items() if name != "alternatives"}
    for number, (label, probability) in enumerate(error["alternatives"], 1):
        flat.update({f"alternative_{number}": label, f"confidence_{number}": probability})
    return flat


def _page(**content: Any) -> str:
    jinja = environment("lettermill.training.reports")
    jinja.filters.update(percent=_percent)
    return jinja.get_template("report.html.j2").render(**content, shown_confusions=_CONFUSIONS)


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def _is_report(folder: Path) -> bool:
    return (folder / FIGURES_FILE).is_file() and (folder / PAGE_FILE).is_file()


@contextlib.contextmanager
def _folder_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new folder that takes the report folder's place when everything is in it."""
    place: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        yield place
        place.chmod(folder.parent.stat().st_mode & 0o777)
        if folder.exists():
            shutil.rmtree(folder)
        place.replace(folder)
        place = None
    except OSError as error:
        if error.errno in FULL_OR_FORBIDDEN:
            raise not_writable(folder, error, "write the report") from error
        raise
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
