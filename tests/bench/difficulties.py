"""Sweeps each difficulty of made pages: the character error rate and what kind of error it is made of.

Run it as `PYTHONPATH=.:tests python tests/bench/difficulties.py OUT`. Writes `difficulties.csv` and
`difficulties.png` into OUT. The writers are those of Chars74K that validate in training (never its test
writers) where LETTERMILL_DATA has them, so their letters were not trained on; else the fonts of `--fonts`.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click
import pandas as pd
from pages.difficulties import GROUPS, NAMES, NONE, Difficulties
from pages.fates import SEGMENTATION, judge
from pages.hands import Hand, font_hands, stroke_hands
from pages.layouts import KINDS, PRINT_FONTS
from pages.maker import MadePage, make
from rapidfuzz.distance import Levenshtein
from rich.progress import track

from jobs.models import installed_model_folder, load_model
from jobs.readings import Box, LineReading
from jobs.settings import Layout, Settings
from training.settings import TrainingSettings
from worker.classifier import Classifier
from worker.reading import read_lines

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
STROKES = Path("letters") / "chars74k_hnd_strokes.json"


class Read:
    """A letter as it was read."""

    def __init__(self, character: str, box: Box) -> None:
        self.character = character
        self.x, self.y, self.width, self.height = box.x, box.y, box.width, box.height


def measure(page: MadePage, settings: Settings, classifier: Classifier) -> Counter[str]:
    """Read a page: letters, edits, and the number of letters with each fate."""
    lines, _ = read_lines(page.grey, settings, classifier)
    text = "".join(line.text for line in lines).replace(" ", "")
    edits = Levenshtein.distance("".join(page.text.split()), text)
    return judge(page.letters, letters_of(lines)).counts + Counter(letters=len(page.letters), edits=edits)


def letters_of(lines: tuple[LineReading, ...]) -> list[Read]:
    """Return what was read as the judge takes it."""
    return [Read(letter.ranking[0][0], letter.box) for line in lines for letter in line.letters]


def default_hands(fonts: Path | None) -> list[Hand]:
    """Return who writes: the fonts of a folder, else writers that the CNN was not trained on."""
    data = os.environ.get("LETTERMILL_DATA")
    if fonts is None and data and (Path(data) / STROKES).is_file():
        return stroke_hands(
            Path(data) / STROKES, [int(name) for name in TrainingSettings().validation_writers]
        )
    return font_hands(fonts or PRINT_FONTS)


def sweep(kind: str, layout: Layout, pages: int, hands: list[Hand]) -> pd.DataFrame:
    """Measure each difficulty alone at each strength; the same pages without any are strength 0 of all."""
    settings = Settings(layout=layout)
    classifier = Classifier(load_model(installed_model_folder()), settings.characters)

    def tally(difficulties: Difficulties) -> Counter[str]:
        made = (make(kind, hands[seed % len(hands)], seed, difficulties) for seed in range(pages))
        return sum((measure(page, settings, classifier) for page in made), Counter())

    clean = tally(NONE)
    rows = []
    for name in track(NAMES, f"{kind}, {pages} pages each"):
        for strength in (0.0, *STRENGTHS):
            counts = tally(Difficulties(**{name: strength})) if strength else clean
            rows.append(row(kind, name, strength, counts))
    return pd.DataFrame(rows)


def row(kind: str, name: str, strength: float, counts: Counter[str]) -> dict[str, object]:
    """Rates, each for a letter that is written."""
    letters = counts["letters"]
    rates = {fate.replace(" ", "_"): counts[fate] / letters for fate in ("misread", *SEGMENTATION)}
    return {
        **{"kind": kind, "difficulty": name, "strength": strength, "letters": letters},
        "cer": counts["edits"] / letters,
        "segmentation": sum(counts[fate] for fate in SEGMENTATION) / letters,
        "classification": counts["misread"] / letters,
        **rates,
    }


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw CER against strength, a line a difficulty, a panel a group."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(12, 9), sharex=True, sharey=True, layout="constrained")
    colours = mpl.colormaps["tab10"].colors
    for panel, (group, names) in zip(panels.flat, GROUPS.items(), strict=True):
        for colour, name in zip(colours, names, strict=False):
            line = table[table["difficulty"] == name]
            panel.plot(
                line["strength"], 100 * line["cer"], "o-", ms=4, color=colour, label=name.replace("_", " ")
            )
        panel.set_title(group)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=9, loc="upper left")
        panel.set_xticks([0, *STRENGTHS])
        panel.set_ylim(0, min(105, 105 * max(0.1, table["cer"].max())))
    figure.supxlabel("strength of the difficulty")
    figure.supylabel("character error rate, %")
    figure.suptitle(f"One difficulty at a time, made pages of the kind “{table['kind'].iloc[0]}”")
    figure.savefig(path, dpi=110)
    plt.close(figure)


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--kind", type=click.Choice(list(KINDS)), default="card", show_default=True)
@click.option("--layout", type=click.Choice(["auto", "page", "line"]), default="auto", show_default=True)
@click.option("--pages", default=8, show_default=True, help="Pages at each strength.")
@click.option(
    "--fonts", help="Fonts to write with.", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
def main(out: Path, kind: str, layout: Layout, pages: int, fonts: Path | None) -> None:
    table = sweep(kind, layout, pages, default_hands(fonts))
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "difficulties.csv", index=False, float_format="%.4f")
    plot(table, out / "difficulties.png")
    shown = table[table["strength"].isin([0.0, 0.5, 1.0])]
    wide = shown.pivot(
        index="difficulty", columns="strength", values=["cer", "segmentation", "classification"]
    )
    click.echo((100 * wide.loc[list(NAMES)]).round(1).to_string())


if __name__ == "__main__":
    main()
