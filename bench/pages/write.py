"""Writes made pages into a folder, beside truth.csv (as `lettermill score` takes it) and letters.json.

    python -m bench.pages.write OUT --kind field --fonts FOLDER

Each page has some of the difficulties of `ALIKE`, up to the strength there, which makes it look like real
pages of its kind.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import click
from PIL import Image

from bench.pages.difficulties import Difficulties, at_most
from bench.pages.hands import Hand, font_hands, stroke_hands
from bench.pages.layouts import KINDS, PRINT_FONTS
from bench.pages.maker import make
from lettermill.training.training_settings import VALIDATION_WRITERS

_WRITING = {"size": 0.5, "baseline": 0.5, "slant": 0.5, "pen": 0.3}
_PAPER = {"grain": 0.2, "light": 0.4, "blur": 0.2, "jpeg": 0.6}

ALIKE: dict[str, Difficulties] = {
    # Binary scans of school forms: captions, cut lines above and below, thin and broken pens.
    "field": Difficulties(
        **_WRITING, broken=0.5, captions=0.7, neighbours=0.6, specks=0.2, tight=0.6, jpeg=0.3
    ),
    "line": Difficulties(**_WRITING, **_PAPER, tight=0.7, touching=0.2, neighbours=0.4, rules=0.4),
    "comb": Difficulties(
        **_WRITING, boxes=0.8, broken=0.3, captions=0.6, coloured_form=0.5, jpeg=0.4, skew=0.1
    ),
    # Index cards photographed by daylight.
    "card": Difficulties(
        **_WRITING, **_PAPER, tight=0.6, touching=0.15, rules=0.7, shadow=0.4, skew=0.3, curve=0.2
    ),
    "a4": Difficulties(
        **_WRITING, tight=0.7, touching=0.1, specks=0.1, holes=0.7, staples=0.3, grain=0.2, skew=0.1
    ),
    # Photographs with the shadow of a hand, felt pens, letters near or over the rules.
    "grid": Difficulties(
        **_WRITING, boxes=0.6, shadow=0.5, grain=0.2, light=0.3, edge=0.1, skew=0.04, jpeg=0.6
    ),
    "pair": Difficulties(**_WRITING, **_PAPER),
}
"""Strengths up to which pages of a kind look like real ones."""

_STROKES = Path("letters") / "chars74k_hnd_strokes.json"


def write_pages(out: Path, kind: str, hands: Sequence[Hand], pages: int, first: int = 0) -> None:
    """Write pages with the seeds `first` … `first + pages - 1`, each by the next hand.

    Args:
        out: the folder; made where it is not there.
        kind: a key of `KINDS`.
        hands: who writes, in turn.
        pages: how many.
        first: the first seed.
    """
    out.mkdir(parents=True, exist_ok=True)
    truth, letters = [("file", "label")], {}
    for seed in range(first, first + pages):
        difficulties = at_most(ALIKE[kind], seed)
        hand = hands[seed % len(hands)]
        page = make(kind, hand, seed, difficulties)
        name = f"{kind}-{seed:05}.png"
        Image.fromarray(page.image).save(out / name)
        truth.append((name, page.text))
        letters[name] = {
            "hand": hand.name,
            "difficulties": dataclasses.asdict(difficulties),
            "letters": [dataclasses.asdict(letter) for letter in page.letters],
        }
    with (out / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(truth)
    (out / "letters.json").write_text(json.dumps(letters, indent=1), encoding="utf-8")


def default_hands(fonts: Path | None) -> list[Hand]:
    """Return who writes: the fonts of a folder, else writers that the CNN was not trained on."""
    data = os.environ.get("LETTERMILL_DATA")
    if fonts is None and data and (Path(data) / _STROKES).is_file():
        return stroke_hands(Path(data) / _STROKES, [int(name) for name in VALIDATION_WRITERS])
    if fonts is not None:
        return font_hands(fonts)
    # Matplotlib's other fonts hold mathematical signs, and lack letters.
    return [hand for hand in font_hands(PRINT_FONTS) if re.match(r"DejaVu(?!.*Display)", hand.name)]


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--kind", type=click.Choice(list(KINDS)), default="card", show_default=True)
@click.option("--pages", default=20, show_default=True)
@click.option("--first", default=0, show_default=True, help="The first page's seed.")
@click.option("--fonts", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--strokes", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--writer", "writers", type=int, multiple=True, help="A writer of --strokes; may be repeated.")
def main(
    out: Path,
    kind: str,
    pages: int,
    first: int,
    fonts: Path | None,
    strokes: Path | None,
    writers: tuple[int, ...],
) -> None:
    hands = font_hands(fonts) if fonts else []
    hands += stroke_hands(strokes, writers) if strokes else []
    if not hands:
        raise click.UsageError("Say who writes: --fonts FOLDER, or --strokes FILE with --writer NUMBER.")
    write_pages(out, kind, hands, pages, first)


if __name__ == "__main__":
    main()
