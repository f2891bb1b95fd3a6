"""Sweeps each difficulty of made pages: the character error rate and which kinds of errors make it up.

    LETTERMILL_DATA=DATA python -m bench.difficulty_sweeps OUT [--fonts FOLDER]

Three sweeps: each difficulty alone; everything that a kind of page has at once, up to the strength at which
it looks like real pages; and pairs of letters that touch. README.md beside this file says more.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pandas as pd
from rich.progress import track

from bench.pages.difficulties import GROUPS, NAMES, NONE, Difficulties, at_most
from bench.pages.fates import SEGMENTATION, Fates, judge
from bench.pages.hands import Hand
from bench.pages.maker import MadePage, make
from bench.pages.write import ALIKE, default_hands
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import Box, LineReading
from lettermill.jobs.results.mistakes import Kind, Mistake, ReadLetter, find_mistakes
from lettermill.jobs.settings import Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
ONE_LINE = ("field", "line", "pair")
"""Kinds of one line, read with `--layout line`."""

TIMES = {"field": 15, "line": 8, "comb": 8, "card": 2, "grid": 6, "a4": 1}
"""How many pages of a kind are read for one card of the first sweep: they hold fewer letters."""

PAIRS = 50
"""Pairs for one card of the first sweep."""


class Read:
    """A letter as it was read."""

    def __init__(self, character: str, box: Box) -> None:
        self.character = character
        self.x, self.y, self.width, self.height = box.x, box.y, box.width, box.height


def measure(page: MadePage, settings: Settings, classifier: Classifier) -> Counter[str]:
    """Read a page: letters, edits, the number of letters with each fate, and what was inferred of them."""
    lines, _ = read_lines(page.grey, settings, classifier)
    written = "".join(page.text.split())
    placed = [
        ReadLetter(number, letter)
        for number, line in enumerate(lines)
        for letter in line.letters
        if not letter.is_mark
    ]
    mistakes = find_mistakes(written, placed)
    fates = judge(page.letters, letters_of(lines))
    counts = fates.counts + Counter(letters=len(page.letters), edits=sum(each.edits for each in mistakes))
    return counts + Counter(exact=not mistakes, pages=1) + agreement(fates, mistakes)


def agreement(fates: Fates, mistakes: Sequence[Mistake]) -> Counter[str]:
    """Of the letters that boxes and alignment both call wrong: of how many they say the same.

    The boxes of made pages are exact; `lettermill score` has only the alignment and the boxes that were read.
    """
    counts: Counter[str] = Counter()
    for mistake in mistakes:
        for fate in fates.letters[mistake.start : mistake.start + len(mistake.written)]:
            if fate != "right":
                same = (fate == "misread") == (mistake.kind == Kind.CONFUSED)
                counts += Counter(both_wrong=1, agreed=same)
    return counts


def letters_of(lines: tuple[LineReading, ...]) -> list[Read]:
    """Return what was read as the judge takes it."""
    return [
        Read(letter.letter, letter.box) for line in lines for letter in line.letters if not letter.is_mark
    ]


class Sweep:
    """Reads made pages and tallies.

    Args:
        hands: who writes, in turn.
        pages: how many of each, with the seeds from 0.
    """

    def __init__(self, hands: list[Hand], pages: int) -> None:
        self._hands, self._pages = hands, pages
        model = load_model(installed_model_folder())
        self._classifier = Classifier(model, Settings().characters)

    def row(
        self,
        sweep: str,
        kind: str,
        name: str,
        strength: float,
        page: Callable[[int], Difficulties],
        times: int,
    ) -> dict[str, object]:
        """Measure `times` the pages of a kind, whose difficulties depend on the seed."""
        settings = Settings(layout="line" if kind in ONE_LINE else "auto")
        seeds = range(times * self._pages)
        made = (make(kind, self._hands[seed % len(self._hands)], seed, page(seed)) for seed in seeds)
        counts = sum((measure(each, settings, self._classifier) for each in made), Counter())
        return {"sweep": sweep, **row(kind, name, strength, counts)}

    def alone(self) -> Iterator[dict[str, object]]:
        """Measure each difficulty alone on cards; the same pages without any are strength 0 of all."""
        clean = self.row("alone", "card", "none", 0.0, lambda _: NONE, 1)
        for name in track(NAMES, "each difficulty alone"):
            yield {**clean, "difficulty": name}
            for strength in STRENGTHS:
                difficulties = Difficulties(**{name: strength})
                yield self.row("alone", "card", name, strength, lambda _, d=difficulties: d, 1)

    def alike(self) -> Iterator[dict[str, object]]:
        """Measure each kind of page with what makes it look like real ones, and with less of it."""
        for kind, times in track(TIMES.items(), "pages like real ones"):
            for strength in (0.0, 0.5, 1.0):
                yield self.row(
                    *("alike", kind, "all", strength),
                    lambda seed, k=kind, s=strength: mixed(k, s, seed),
                    times,
                )

    def pairs(self) -> Iterator[dict[str, object]]:
        """Measure pairs of letters that touch, from a graze to strokes that lie over each other."""
        for strength in track((0.0, *STRENGTHS), "touching pairs"):
            difficulties = Difficulties(touching=strength)
            yield self.row("pairs", "pair", "touching", strength, lambda _, d=difficulties: d, PAIRS)


def mixed(kind: str, strength: float, seed: int) -> Difficulties:
    """Difficulties of a page that looks like real ones, each weaker by the same share."""
    drawn = dataclasses.asdict(at_most(ALIKE[kind], seed))
    return Difficulties(**{name: strength * value for name, value in drawn.items()})


def row(kind: str, name: str, strength: float, counts: Counter[str]) -> dict[str, object]:
    """Rates, each for a letter that is written."""
    letters = counts["letters"]
    rates = {fate.replace(" ", "_"): counts[fate] / letters for fate in ("misread", *SEGMENTATION)}
    return {
        **{"kind": kind, "difficulty": name, "strength": strength, "letters": letters},
        "cer": counts["edits"] / letters,
        "exact": counts["exact"] / counts["pages"],
        "segmentation": sum(counts[fate] for fate in SEGMENTATION) / letters,
        "classification": counts["misread"] / letters,
        **rates,
        **{name: counts[name] for name in ("pages", "both_wrong", "agreed")},
    }


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw error rates against strength: a panel a group of difficulties, one of kinds, one of pairs."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(16, 9), sharex=True, layout="constrained")
    colours = mpl.colormaps["tab10"].colors
    places = [panels[0, 0], panels[0, 1], panels[1, 0], panels[1, 1]]
    alone = table[table["sweep"] == "alone"]
    for panel, (group, names) in zip(places, GROUPS.items(), strict=True):
        panel.set_title(f"{group}: one difficulty alone, cards")
        for colour, name in zip(colours, names, strict=False):
            line = alone[alone["difficulty"] == name]
            style = {"color": colour, "label": name.replace("_", " ")}
            panel.plot(line["strength"], 100 * line["cer"], "o-", ms=4, **style)
        panel.set_ylim(0, min(105, 105 * max(0.1, alone["cer"].max())))
    alike = table[table["sweep"] == "alike"]
    panels[0, 2].set_title("Pages like real ones: all at once")
    for colour, (kind, line) in zip(colours, alike.groupby("kind", sort=False), strict=False):
        panels[0, 2].plot(line["strength"], 100 * line["cer"], "o-", ms=4, color=colour, label=kind)
    panels[0, 2].set_ylim(bottom=0)
    pairs = table[table["sweep"] == "pairs"]
    panels[1, 2].set_title("Touching pairs: not both letters right, %")
    panels[1, 2].plot(pairs["strength"], 100 * (1 - pairs["exact"]), "o-", color=colours[0], label="pairs")
    panels[1, 2].axhline(10, color="grey", ls=":", label="bound")
    panels[1, 2].set_ylim(0, 105)
    for panel in panels.flat:
        panel.grid(alpha=0.3)
        panel.legend(fontsize=9, loc="upper left")
        panel.set_xticks([0, *STRENGTHS])
    figure.supxlabel("strength of the difficulty")
    figure.supylabel("character error rate, %")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def tables(table: pd.DataFrame) -> str:
    """Return the numbers as Markdown."""
    alone, alike, pairs = (table[table["sweep"] == name] for name in ("alone", "alike", "pairs"))
    parts: list[str] = []
    wide = alone.pivot(index="difficulty", columns="strength", values="cer").loc[list(NAMES)]
    full = alone[alone["strength"] == 1.0].set_index("difficulty")
    heads = ["difficulty", *(f"{strength:g}" for strength in wide.columns), "segmentation", "classification"]
    rows = [
        [
            name.replace("_", " "),
            *(f"{100 * rate:.1f}" for rate in wide.loc[name]),
            *(f"{100 * full.loc[name, kind]:.1f}" for kind in ("segmentation", "classification")),
        ]
        for name in NAMES
    ]
    parts += [
        "CER at each strength of one difficulty alone; kinds of errors at 1; in %:",
        _markdown(heads, rows),
    ]
    heads = [
        "kind",
        "strength",
        "letters",
        "CER",
        "pages without a mistake",
        "segmentation",
        "classification",
    ]
    rows = [
        [
            *(row.kind, f"{row.strength:g}", str(row.letters)),
            *(f"{100 * row.cer:.1f}", f"{100 * row.exact:.0f}"),
            *(f"{100 * row.segmentation:.1f}", f"{100 * row.classification:.1f}"),
        ]
        for row in alike.itertuples()
    ]
    parts += ["Pages like real ones, in %:", _markdown(heads, rows)]
    heads = ["strength", "pairs", "both letters right"]
    rows = [[f"{row.strength:g}", str(row.pages), f"{100 * row.exact:.1f}"] for row in pairs.itertuples()]
    parts += ["Pairs of letters that touch, in %:", _markdown(heads, rows)]
    heads = ["pages", "letters that both call wrong", "of the same kind"]
    rows = [
        [name, str(of.sum().both_wrong), f"{of.sum().agreed / max(1, of.sum().both_wrong):.1%}"]
        for name, of in (("like real ones", alike), ("all", table))
    ]
    parts += ["What went wrong, as `score` infers it and as the boxes say:", _markdown(heads, rows)]
    return "\n\n".join(parts)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows))


@click.command(help="Write difficulties.csv, .png and .md into OUT; the README beside this file says more.")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--pages", default=3, show_default=True, help="Pages of each difficulty at each strength.")
@click.option(
    "--fonts", help="Fonts to write with.", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
def main(out: Path, pages: int, fonts: Path | None) -> None:
    sweep = Sweep(default_hands(fonts), pages)
    table = pd.DataFrame([*sweep.alone(), *sweep.alike(), *sweep.pairs()])
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "difficulties.csv", index=False, float_format="%.4f")
    plot(table, out / "difficulties.png")
    numbers = tables(table)
    (out / "difficulties.md").write_text(f"## Numbers\n\n{numbers}\n", encoding="utf-8")
    click.echo(numbers)


if __name__ == "__main__":
    main()
