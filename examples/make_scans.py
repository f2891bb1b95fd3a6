"""Draw the example scans: invented texts in handwriting fonts, each letter a little different.

The same fonts and the same Pillow give the same bytes. README.md says how to get the fonts.

    python examples/make_scans.py --fonts FOLDER
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = Path(__file__).parent

CARD = ["MOSS AND LICHEN", "FOUND BY THE QUAY", "OLD STONE JETTY"]
REGISTER = [
    "ODETTE FENWICK",
    "JASPER QUINLAN",
    "MARLOW VEXTON",
    "ZELDA BROOKHAM",
    "HUGO PRIMSLEY",
    "WINIFRED CAZ",
    "TOBIAS LARKDEN",
    "GRETA SNOWBY",
]
LEDGER = [
    ["WHEAT AND BARLEY", "SOLD AT MARKET", "PAID IN FULL"],
    ["TWO SACKS OF OATS", "LENT TO THE MILL", "DUE AT HARVEST"],
    ["ONE WOODEN CART", "AXLE MENDED", "BY J VOSS"],
]
LETTER = [
    ["DEAR FRIDA", "THE BOX CAME SAFELY", "WITH EVERY QUILL"],
    ["COME AND SEE US SOON", "YOURS", "AMBROSE KELP"],
]
LABEL = ["GLASS PLATES", "KEEP DRY"]
SPOILT = ["THE RAIN CAME IN", "THROUGH THE ROOF"]
METERS = ["40718", "99253", "10664", "83527"]


@dataclasses.dataclass(frozen=True)
class Hand:
    """One writer.

    Attributes:
        font: a font file.
        size: height of the writing in pixels.
        seed: decides how each letter differs.
    """

    font: Path
    size: int
    seed: int


class Pen:
    """Writes lines on a sheet.

    Args:
        hand: the writer.
        sheet: a grey picture, drawn on.
    """

    def __init__(self, hand: Hand, sheet: Image.Image) -> None:
        self._hand = hand
        self._sheet = sheet
        self._random = random.Random(hand.seed)

    def write(self, lines: Sequence[str], left: int, top: int, spacing: float = 1.7) -> None:
        """Write lines below each other.

        Args:
            lines: the text.
            left: where lines begin.
            top: the first line's top.
            spacing: distance of the lines in heights of the writing.
        """
        for number, line in enumerate(lines):
            x = left + self._random.uniform(-0.2, 0.2) * self._hand.size
            for char in line:
                x += self._letter(char, x, top + number * spacing * self._hand.size)

    def _letter(self, char: str, x: float, y: float) -> float:
        """Write one letter and return how far the pen moves on."""
        size = self._hand.size
        if char == " ":
            return size * self._random.uniform(0.55, 0.75)
        font = ImageFont.truetype(self._hand.font, round(size * self._random.uniform(0.94, 1.06)))
        left, top, right, bottom = font.getbbox(char)
        margin = size // 3
        ink = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin))
        ImageDraw.Draw(ink).text((margin - left, margin - top), char, fill=255, font=font)
        ink = ink.rotate(self._random.gauss(0, 2.2), Image.Resampling.BICUBIC)
        place = (round(x) - margin, round(y + top + self._random.gauss(0, size * 0.025)) - margin)
        self._sheet.paste(self._random.randint(25, 70), place, ink)
        return float(right - left) + size * self._random.uniform(0.13, 0.22)


def main() -> None:
    """Draw all scans and write their truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--fonts", type=Path, required=True, help="folder with the woff2 files, searched below"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="where scans/, digits/ and the truth go")
    arguments = parser.parse_args()
    fonts, out = arguments.fonts, arguments.out
    for folder in ("scans/box 2", "digits"):
        shutil.rmtree(out / folder.split("/")[0], ignore_errors=True)
        (out / folder).mkdir(parents=True)
    draw_scans(fonts, out / "scans")
    meters = sheet(640, 640)
    Pen(Hand(font(fonts, "architects-daughter"), 74, 6), meters).write(METERS, 110, 60)
    scanned(meters, 6).save(out / "digits" / "meter readings.png", dpi=(200, 200), optimize=True)
    write_truth(out)


def draw_scans(fonts: Path, out: Path) -> None:
    """Draw the folder scans/."""
    draw_card(Hand(font(fonts, "patrick-hand"), 76, 1), out / "index-card.png")
    draw_register(Hand(font(fonts, "architects-daughter"), 62, 2), out / "register.jpg")
    draw_ledger(Hand(font(fonts, "gochi-hand"), 96, 3), out / "ledger.tif")
    draw_letter(Hand(font(fonts, "kalam"), 66, 4), out / "letter.pdf")
    label = sheet(640, 300)
    Pen(Hand(font(fonts, "gloria-hallelujah"), 52, 5), label).write(LABEL, 60, 40)
    scanned(label, 5).save(out / "box 2" / "glass plates.png", dpi=(200, 200), optimize=True)
    spoilt = sheet(800, 360)
    Pen(Hand(font(fonts, "patrick-hand"), 60, 7), spoilt).write(SPOILT, 60, 60)
    file = io.BytesIO()
    scanned(spoilt, 7).save(file, "PNG")
    (out / "water-damage.png").write_bytes(file.getvalue()[: file.tell() * 2 // 5])


def draw_card(hand: Hand, path: Path) -> None:
    """Draw a ruled index card, scanned at 200 dpi."""
    card = sheet(1000, 600)
    rules = ImageDraw.Draw(card)
    for y in range(150, 600, 128):
        rules.line((0, y, 1000, y), fill=205, width=2)
    Pen(hand, card).write(CARD, 70, 60, spacing=128 / hand.size)
    scanned(card, hand.seed).save(path, dpi=(200, 200), optimize=True)


def draw_register(hand: Hand, path: Path) -> None:
    """Draw a page of names as a telephone photographs it: askew, unevenly lit, a little blurred."""
    page = sheet(1000, 1300)
    Pen(hand, page).write(REGISTER, 130, 120, spacing=2.2)
    page = page.rotate(1.9, Image.Resampling.BICUBIC, fillcolor=238).filter(ImageFilter.GaussianBlur(0.8))
    height, width = page.height, page.width
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.0 - 0.28 * (right / width) ** 1.5 - 0.16 * (down / height)
    shadow = 1.0 - 0.22 * np.exp(-(((right - 0.9 * width) / 260) ** 2 + ((down - 1.0 * height) / 420) ** 2))
    pixels = np.asarray(page, np.float32) * light * shadow + grain(page.size, hand.seed, 3.0)
    paper = np.stack([pixels * tint for tint in (1.0, 0.97, 0.90)], axis=-1)
    photograph = Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))
    photograph.save(path, quality=72, dpi=(130, 130))


def draw_ledger(hand: Hand, path: Path) -> None:
    """Draw a fax-like file of three pages: black and white, CCITT Group 4."""
    pages = []
    for number, lines in enumerate(LEDGER):
        page = sheet(1480, 760)
        pen = dataclasses.replace(hand, seed=hand.seed * 10 + number)
        Pen(pen, page).write(lines, 110, 90, spacing=2.1)
        pages.append(page.point(lambda value: 255 * (value > 128)).convert("1"))
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="group4", dpi=(200, 200))


def draw_letter(hand: Hand, path: Path) -> None:
    """Draw a PDF of two page images, as a copier makes it."""
    pages = []
    for number, lines in enumerate(LETTER):
        page = sheet(1240, 640)
        Pen(dataclasses.replace(hand, seed=hand.seed * 10 + number), page).write(lines, 100, 70, spacing=2.1)
        pages.append(scanned(page, hand.seed * 10 + number))
    day = time.gmtime(0)  # A fixed date, or the bytes would differ each time.
    pages[0].save(
        path,
        save_all=True,
        append_images=pages[1:],
        resolution=150,
        creationDate=day,
        modDate=day,
        quality=80,
    )


def write_truth(out: Path) -> None:
    """Write what the scans say; nobody can read the damaged one."""
    scans = {
        "box 2/glass plates.png": LABEL,
        "index-card.png": CARD,
        "ledger.tif": [line for page in LEDGER for line in page],
        "letter.pdf": [line for page in LETTER for line in page],
        "register.jpg": REGISTER,
        "water-damage.png": ["UNREADABLE"],
    }
    for name, rows in (("truth.csv", scans), ("digits-truth.csv", {"meter readings.png": METERS})):
        with (out / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(("file", "label"))
            table.writerows((scan, " ".join(lines)) for scan, lines in rows.items())


def font(folder: Path, name: str) -> Path:
    """Return the regular Latin font file of a fontsource package.

    Raises:
        SystemExit: it is not below the folder.
    """
    found = sorted(folder.rglob(f"{name}-latin-400-normal.woff2"))
    if not found:
        raise SystemExit(f"{name}-latin-400-normal.woff2 is not below {folder}: see README.md")
    return found[0]


def sheet(width: int, height: int) -> Image.Image:
    """Return blank paper."""
    return Image.new("L", (width, height), 238)


def scanned(page: Image.Image, seed: int) -> Image.Image:
    """Return the page as a flatbed scanner gives it: slightly soft, paper near white, little noise."""
    soft = page.filter(ImageFilter.GaussianBlur(0.6))
    # Steps of four grey values keep the files small.
    pixels = np.clip(np.asarray(soft, np.float32) + 8 + grain(page.size, seed, 0.8), 0, 255)
    return Image.fromarray((np.rint(pixels / 4) * 4).clip(0, 255).astype(np.uint8))


def grain(size: tuple[int, int], seed: int, strength: float) -> NDArray[np.float32]:
    """Return noise from `random`, whose bytes are the same in every version."""
    width, height = size
    noise = np.frombuffer(random.Random(seed).randbytes(4 * width * height), np.uint8)
    sums = noise.reshape(height, width, 4).sum(axis=-1, dtype=np.float32)
    result: NDArray[np.float32] = ((sums - 510) / 148 * strength).astype(np.float32)
    return result


if __name__ == "__main__":
    main()
