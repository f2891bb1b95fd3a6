"""Draw the example form: blank, filled in by five hands, with its template and the truth.

The same fonts and the same Pillow give the same bytes. README.md says how to get the fonts.

    python -m examples.make_form --fonts FOLDER
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from examples.make_scans import HERE, Hand, Pen, font, grain

WIDTH, HEIGHT = 1748, 1240
"""A6 across at 300 dpi."""

CELL, HIGH = 72, 90
"""A cell of a comb in pixels: 6 × 7.6 mm."""

TOWNS = [
    "HALLOW END",
    "MARSH KEEP",
    "OAKDEN",
    "PELL GREEN",
    "STONY WICK",
    "TARNFORD",
    "UPPER LYNE",
    "VEXMOOR",
]


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of the form.

    Attributes:
        name: its column.
        caption: what is printed over it.
        x: left edge in pixels.
        y: top edge.
        width: in pixels; of a comb as many cells as fit.
        alphabet: as the template states it.
        comb: whether it has a cell a letter.
        more: the template's other lines.
    """

    name: str
    caption: str
    x: int
    y: int
    width: int
    alphabet: str
    comb: bool = True
    more: tuple[str, ...] = ()


FIELDS = (
    Field("surname", "SURNAME", 90, 280, 14 * CELL, "letters", more=("required = true",)),
    Field("card", "CARD No.", 1154, 280, 7 * CELL, r"[A-Z]{2}\d{5}", more=("required = true",)),
    Field("forename", "FORENAME", 90, 450, 14 * CELL, "letters"),
    Field("born", "YEAR OF BIRTH", 1154, 450, 4 * CELL, r"[12][09]\d{2}"),
    Field("town", "TOWN OR VILLAGE", 90, 620, 760, "letters", comb=False, more=('lexicon = "towns.txt"',)),
    Field("shelf", "SHELF", 910, 620, 330, r"[A-Z]\d{1,3}", comb=False),
    Field("lent", "BOOKS LENT", 1300, 620, 358, r"\d{1,2}", comb=False),
    Field("remarks", "REMARKS", 90, 790, 1568, "alnum", comb=False),
)

ORDER = ("surname", "forename", "born", "town", "shelf", "lent", "remarks", "card")

FILLED = {
    "desk/flat.png": "FENWICK/ODETTE/1987/OAKDEN/K27/4/LARGE PRINT/QX40718",
    "desk/upside down.png": "QUINLAN/JASPER/2009/TARNFORD/B104/12//RA99253",
    "desk/askew.jpg": "VEXTON/MARLOW/1994/PELL GREEN/M6//CAME WITH ZELDA/JU10664",
    "photographs/window.jpg": "BROOKHAM/HUGO/1971/STONY WICK/D58/7/OWES ONE BOOK/LP83527",
    "photographs/lamp.jpg": "LARKDEN//2013/VEXMOOR/Y331/20/NEW CARD/",
}
"""What is written on each scan, in `ORDER`; the last one lacks a field that is required."""

HANDS = ("patrick-hand", "architects-daughter", "gochi-hand", "kalam", "patrick-hand")
"""The font of each scan."""


def main() -> None:
    """Draw the form and all scans, and write template and truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--fonts", type=Path, required=True, help="folder with the woff2 files, searched below"
    )
    parser.add_argument("--out", type=Path, default=HERE / "form", help="where everything goes")
    arguments = parser.parse_args()
    out = arguments.out
    shutil.rmtree(out / "scans", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    blank = draw_blank()
    blank.save(out / "blank.png", dpi=(300, 300), optimize=True)
    (out / "towns.txt").write_text("\n".join(TOWNS) + "\n", encoding="utf-8")
    (out / "form.toml").write_text(template(), encoding="utf-8")
    with (out / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("scan", *(field.name for field in FIELDS)))
        for number, (scan, texts) in enumerate(FILLED.items()):
            written = dict(zip(ORDER, texts.split("/"), strict=True))
            table.writerow((scan, *(written[field.name] for field in FIELDS)))
            page = fill(blank, written, font(arguments.fonts, HANDS[number]), 21 + number)
            path = out / "scans" / scan
            path.parent.mkdir(parents=True, exist_ok=True)
            save(page, number, path)


def draw_blank(fields: Sequence[Field] = FIELDS) -> Image.Image:
    """Draw the form as it is printed: black on white."""
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(page)
    pen.rectangle((40, 40, WIDTH - 41, HEIGHT - 41), outline=0, width=5)
    pen.text((90, 75), "Wherrow Parish Library", font=ImageFont.load_default(74), fill=0)
    guide = "Reader's card. Please print in capitals, one letter in a box."
    pen.text((90, 170), guide, font=ImageFont.load_default(32), fill=0)
    pen.text((1400, 85), "Form 12 b", font=ImageFont.load_default(36), fill=0)
    for field in fields:
        pen.text((field.x, field.y - 34), field.caption, font=ImageFont.load_default(26), fill=0)
        right, low = field.x + field.width, field.y + HIGH
        pen.rectangle((field.x, field.y, right, low), outline=0, width=3)
        if field.comb:
            for x in range(field.x + CELL, right, CELL):
                pen.line((x, field.y, x, low), fill=0, width=2)
    notes = (
        "Cards are lent for one year. Whoever loses a book replaces it.",
        "Return this card to the desk, or by post to the warden.",
    )
    for number, note in enumerate(notes):
        pen.text((90, 960 + 50 * number), note, font=ImageFont.load_default(32), fill=0)
    pen.line((1100, 1120, 1658, 1120), fill=0, width=3)
    pen.text((1100, 1130), "Seen by the warden", font=ImageFont.load_default(26), fill=0)
    return page


def fill(blank: Image.Image, written: dict[str, str], hand: Path, seed: int) -> Image.Image:
    """Write into the fields: in a comb a letter a cell."""
    page = blank.copy()
    for number, field in enumerate(FIELDS):
        pen = Pen(Hand(hand, 72, 100 * seed + number), page)
        if field.comb:
            for cell, char in enumerate(written[field.name]):
                pen.write([char], field.x + cell * CELL + 16, field.y + 2)
        else:
            pen.write([written[field.name]], field.x + 24, field.y + 2)
    return page


def save(page: Image.Image, number: int, path: Path) -> None:
    """Scan or photograph a filled form; how depends on its number."""
    if number == 1:
        page = page.rotate(180)
    elif number == 2:
        page = page.rotate(2.6, Image.Resampling.BICUBIC, expand=True, fillcolor=252)
    if number < 3:
        size = round(page.width * 2 / 3), round(page.height * 2 / 3)
        small = page.resize(size, Image.Resampling.LANCZOS)
        pixels = np.asarray(small.filter(ImageFilter.GaussianBlur(0.5)), np.float32) * 0.85 + 26
        scanned = np.rint((pixels + grain(size, number, 0.8)) / 8) * 8
        Image.fromarray(scanned.clip(0, 255).astype(np.uint8)).save(
            path, dpi=(200, 200), optimize=True, quality=60
        )
        return
    photographed(page, number, askew=(-1) ** number).save(path, quality=60, dpi=(200, 200))


def photographed(page: Image.Image, seed: int, askew: int) -> Image.Image:
    """Photograph a form on a dark table: from aside, unevenly lit, a little blurred."""
    size = width, height = 1500, 1100
    # Where the corners of the photograph lie on the form; Pillow takes the map in this direction.
    corners = [(-130, -90), (WIDTH + 150, -130), (WIDTH + 100, HEIGHT + 120), (-110, HEIGHT + 80)]
    if askew < 0:
        corners = [(-90, -140), (WIDTH + 110, -80), (WIDTH + 160, HEIGHT + 90), (-140, HEIGHT + 130)]
    equations, values = [], []
    for (x, y), (u, v) in zip([(0, 0), (width, 0), (width, height), (0, height)], corners, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    perspective = np.linalg.solve(np.array(equations, np.float64), np.array(values, np.float64))
    seen = page.transform(
        size, Image.Transform.PERSPECTIVE, perspective.tolist(), Image.Resampling.BICUBIC, fillcolor=70
    )
    seen = seen.filter(ImageFilter.GaussianBlur(0.9))
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 0.95 - 0.3 * (right / width) ** 1.5 - 0.18 * (down / height)
    pixels = (np.asarray(seen, np.float32) * 0.8 + 34) * light + grain(size, seed, 2.5)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def template() -> str:
    """Return the form's template."""
    lines = ["# The template of the example form: see docs/forms.md.", "", 'blank = "blank.png"']
    for field in FIELDS:
        lines += ["", "[[fields]]", f'name = "{field.name}"']
        lines += [f"box = [{field.x}, {field.y}, {field.width}, {HIGH}]", f"alphabet = '{field.alphabet}'"]
        lines += [f"comb = {field.width // CELL}"] if field.comb else []
        lines += field.more
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
