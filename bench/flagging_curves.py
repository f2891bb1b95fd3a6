"""Compares letters to look at with the mistakes that remain, on the real sets of LETTERMILL_DATA.

    LETTERMILL_DATA=DATA python -m bench.flagging_curves OUT

It draws the curves into OUT/flagging.png and prints the tables of docs/flagging.md: what `--accept-at` gave
on each set, and the mistakes that other scores than the confidence would leave.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.real_sets import Item, compared, fields, grids, pages
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import LineReading, PageReading, Status
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.flagging import Flagging
from lettermill.jobs.results.mistakes import ReadLetter, find_mistakes
from lettermill.jobs.settings import Settings
from lettermill.segmentation.quality import find_flaws
from lettermill.training.measure import share
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

RATES = (0.98, 0.99, 0.995, 0.999)
LOOKED_AT = (0.05, 0.15, 0.40)


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """A set of images that was read.

    Attributes:
        name: of the set.
        readings: one an image.
        wrong: bool, a letter that was read each: whether it is part of a mistake.
        missed: letters of the truth that no letter was read for: they can't be flagged.
        scores: by name what ranks the letters, the surest highest.
    """

    name: str
    readings: list[PageReading]
    wrong: NDArray[np.bool_]
    missed: int
    scores: dict[str, NDArray[np.float64]]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Of each letter."""
        return self.scores["confidence"]


def read(name: str, items: Iterator[Item], settings: Settings) -> Read:
    """Read a set and compare it with its truth."""
    classifier = Classifier(load_model(installed_model_folder()), settings.characters)
    readings: list[PageReading] = []
    wrong: list[bool] = []
    rows: list[tuple[float, ...]] = []
    missed = 0
    for file, image, label in items:
        lines, segmentation = read_lines(image, settings, classifier)
        lines = tuple(without_marks(line) for line in lines)
        placed = [ReadLetter(number, letter) for number, line in enumerate(lines) for letter in line.letters]
        mistaken: set[int] = set()
        for mistake in find_mistakes(compared(label, settings), placed):
            mistaken.update(range(mistake.first, mistake.first + len(mistake.read)))
            missed += max(0, len(mistake.written) - len(mistake.read))
        wrong += [number in mistaken for number in range(len(placed))]
        flaws = len(find_flaws(segmentation)) if lines else 0
        rows += [row for line in lines for row in scored(line, flaws)]
        readings.append(PageReading("", file, 1, Status.DONE, lines=lines))
    names = ("confidence", "margin to the second", "times the line's mean", "times the lower neighbour",
             "flaws of the scan first")  # fmt: skip
    scores = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return Read(name, readings, np.array(wrong), missed, scores)


def without_marks(line: LineReading) -> LineReading:
    """Return a line without the marks between its letters."""
    return msgspec.structs.replace(line, letters=tuple(one for one in line.letters if not one.is_mark))


def scored(line: LineReading, flaws: int) -> Iterator[tuple[float, ...]]:
    """Score a line's letters in each of the ways."""
    sure = [letter.confidence for letter in line.letters]
    mean = sum(sure) / len(sure)
    for at, letter in enumerate(line.letters):
        second = letter.ranking[1][1] if len(letter.ranking) > 1 else 0.0
        neighbours = [*sure[max(0, at - 1) : at], *sure[at + 1 : at + 2]]
        own = sure[at]
        yield own, own - second, own * mean, own * min(neighbours, default=1.0), own - flaws


def left(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the mistakes left where so many letters are looked at, from none to all."""
    surest = np.argsort(-score, kind="stable")
    return np.concatenate(([0], np.cumsum(wrong[surest])))[::-1]


def rates_table(sets: list[Read]) -> Iterator[str]:
    yield (
        "| Set | `--accept-at` | flagged below | letters to look at | unflagged | expected right "
        "| really right | 95 % interval |"
    )
    yield "|---|" + "---:|" * 7
    for one in sets:
        for rate in RATES:
            below = Flagging.at(Acceptance(rate), one.readings, Settings().flag_below).below
            kept = one.confidence >= (2.0 if below is None else below)
            count, right = int(kept.sum()), int((~one.wrong[kept]).sum())
            real = share(right, count)
            cells = ["–", "100 %", "0", "–", "–", "–"]
            if count:
                interval = f"{real.low:.1%}–{real.high:.1%}"
                looked_at, expected = f"{1 - kept.mean():.1%}", f"{one.confidence[kept].mean():.2%}"
                cells = [str(below), looked_at, f"{count:,}", expected, f"{real.value:.2%}", interval]
            yield f"| {one.name} | {rate} | " + " | ".join(cells) + " |"


def scores_table(sets: list[Read]) -> Iterator[str]:
    yield (
        "| Ranked by | " + " | ".join(f"{one.name}, {part:.0%}" for one in sets for part in LOOKED_AT) + " |"
    )
    yield "|---|" + "---:|" * len(sets) * len(LOOKED_AT)
    for name in sets[0].scores:
        cells = []
        for one in sets:
            curve = left(one.scores[name], one.wrong)
            cells += [str(curve[round(part * (len(curve) - 1))]) for part in LOOKED_AT]
        yield f"| {name} | " + " | ".join(cells) + " |"


def plot(sets: list[Read], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.9), layout="constrained")
    looked, honest = figure.subplots(1, 2)
    for one, colour in zip(sets, ("#2f5d8a", "#b3560b"), strict=True):
        curve = left(one.confidence, one.wrong)
        part = np.arange(len(curve)) / (len(curve) - 1)
        looked.plot(100 * part, 100 * curve / len(one.wrong), color=colour, label=one.name)
        surest = np.argsort(-one.confidence, kind="stable")
        count = np.arange(1, len(surest) + 1)
        wrong = np.cumsum(one.wrong[surest])
        bounds = [share(int(bad), int(all_)) for bad, all_ in zip(wrong, count, strict=True)]
        shown = count >= 50
        expected = 100 * np.cumsum(1 - one.confidence[surest]) / count
        honest.plot(expected[shown], (100 * wrong / count)[shown], color=colour, label=one.name)
        low, high = (
            100 * np.array([getattr(bound, side) for bound in bounds])[shown] for side in ("low", "high")
        )
        honest.fill_between(expected[shown], low, high, color=colour, alpha=0.15, linewidth=0)
    looked.set(
        xlabel="letters to look at, %",
        ylabel="wrong letters left, % of all letters",
        xlim=(0, 100),
        ylim=(0, None),
    )
    looked.set_title("What looking saves", loc="left")
    top = honest.get_xlim()[1]
    honest.plot([0, top], [0, top], color="#5a6372", linewidth=1, linestyle="--", label="as expected")
    honest.set(
        xlabel="expected wrong among the unflagged, %",
        ylabel="really wrong, %",
        xlim=(0, top),
        ylim=(0, None),
    )
    honest.set_title("Whether the expectation holds (95 % intervals)", loc="left")
    for axes in (looked, honest):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def main(out: Path) -> None:
    cv2.setNumThreads(1)
    data = Path(os.environ["LETTERMILL_DATA"])
    sets = [read("fields", fields(data), Settings(layout="line")), read("grids", grids(data), Settings())]
    photographed = read("pages", pages(data), Settings(alphabet="alnum"))
    for one in (*sets, photographed):
        click.echo(
            f"{one.name}: {len(one.readings)} images, {len(one.wrong):,} letters, {one.wrong.sum()} wrong, "
            f"{one.missed} missed"
        )
    click.echo("\n".join(["", *rates_table([*sets, photographed]), "", *scores_table(sets)]))
    out.mkdir(parents=True, exist_ok=True)
    plot(sets, out / "flagging.png")


if __name__ == "__main__":
    main()
