"""Marks that look like letters: slashes, tick boxes, circles to tick, folds, lids, tables, punch holes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from tests.cases.makers.sheet import INK, Image, Writer, ink, sheet, writer, written

CAP = 44
"""Height of a capital in pixels."""


STROKES = {
    "tick": [((0.2, 0.55), (0.42, 0.85)), ((0.42, 0.85), (0.85, 0.15))],
    "cross": [((0.2, 0.2), (0.8, 0.8)), ((0.8, 0.2), (0.2, 0.8))],
}
"""The strokes of each mark: from and to, across and down, as shares of the box."""


def with_slashes(words: Sequence[str], hand: Writer, lean: float = 0.4, height: float = 1.5) -> Image:
    """A sheet with one line for each text; each slash is a straight stroke.

    Args:
        words: the lines.
        hand: the writer of everything else.
        lean: columns to the right for each row of a slash.
        height: of a slash in capital heights; it is as far above the line as below.
    """
    page = sheet(1000, 100 + 3 * CAP * len(words))
    for number, word in enumerate(words):
        x, y = 50, 50 + 3 * CAP * number
        for place, part in enumerate(word.split("/")):
            if place:
                top, bottom = (y + round(CAP * (1 + end * height / 2)) for end in (-1, 1))
                across = round(lean * (bottom - top))
                foot = x + max(0, -across)
                cv2.line(page, (foot + across, top), (foot, bottom), INK, 5, cv2.LINE_AA)
                x += abs(across) + round(0.2 * CAP)
            mask = hand.mask(part, CAP)
            columns = np.flatnonzero(mask.max(axis=0))
            ink(page, mask[:, columns[0] : columns[-1] + 1], x, y)
            x += int(columns[-1] - columns[0]) + round(0.3 * CAP)
    return page


def with_boxes(
    words: Sequence[str],
    marks: Sequence[str],
    hand: Writer,
    side: int = 50,
    wall: int = 3,
    shape: str = "box",
) -> Image:
    """A sheet with a box to tick before each word.

    Args:
        words: what is written behind each box.
        marks: what is drawn in each: `tick`, `cross`, `far tick` (it leaves the box), a letter, or nothing.
        hand: the writer of words and letters.
        side: of a box in pixels.
        wall: how wide its walls are.
        shape: `box`, `round` (with round corners) or `circle`.
    """
    page = sheet(800, 100 + 3 * CAP * len(words))
    for number, (word, mark) in enumerate(zip(words, marks, strict=True)):
        x, y = 60, 60 + 3 * CAP * number + CAP - side // 2
        _draw_box(page, x, y, side, wall, shape)
        far = side // 3 if mark == "far tick" else 0
        strokes = STROKES.get(mark.removeprefix("far "), [])
        for place, ends in enumerate(strokes):
            one, other = ((x + round(side * across), y + round(side * down)) for across, down in ends)
            cv2.line(page, one, (other[0] + far * place, other[1] - far * place), INK, 5, cv2.LINE_AA)
        if len(mark) == 1:
            letter = hand.mask(mark, CAP)
            rows, columns = np.nonzero(letter > 128)
            letter = letter[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            ink(page, letter, x + (side - letter.shape[1]) // 2, y + (side - letter.shape[0]) // 2)
        ink(page, hand.mask(word, CAP), x + side + CAP, 60 + 3 * CAP * number)
    return page


def _draw_box(page: Image, x: int, y: int, side: int, wall: int, shape: str) -> None:
    """Draw the walls of a box in place."""
    if shape == "circle":
        cv2.circle(page, (x + side // 2, y + side // 2), side // 2, INK, wall, cv2.LINE_AA)
        return
    cut = side // 8 if shape == "round" else 0
    low, high = cut, side - cut
    for one, other in (
        ((low, 0), (high, 0)),
        ((low, side), (high, side)),
        ((0, low), (0, high)),
        ((side, low), (side, high)),
    ):
        cv2.line(page, (x + one[0], y + one[1]), (x + other[0], y + other[1]), INK, wall, cv2.LINE_AA)
    for across, down, start in ((low, low, 180), (high, low, 270), (high, high, 0), (low, high, 90)):
        cv2.ellipse(page, (x + across, y + down), (cut, cut), 0, start, start + 90, INK, wall, cv2.LINE_AA)


def with_cells(text: str, hand: Writer, side: int = 56, gap: int = 14) -> Image:
    """A sheet with each letter of a text in a square of its own, the squares beside each other."""
    page = sheet(120 + (side + gap) * len(text), 3 * side)
    for number, character in enumerate(text):
        x, y = 60 + (side + gap) * number, side
        _draw_box(page, x, y, side, 2, "box")
        letter = hand.mask(character, CAP - 6)
        rows, columns = np.nonzero(letter > 128)
        letter = letter[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        ink(page, letter, x + (side - letter.shape[1]) // 2, y + (side - letter.shape[0]) // 2)
    return page


LINES = ["STREET PARTY", "BUNTING", "HIRE TENTS", "ASK AT GATE"]


def spaced(hand: Writer) -> Image:
    """A sheet with four lines far from each other."""
    page = sheet(1000, 140 + 4 * 150)
    for number, line in enumerate(LINES):
        ink(page, hand.mask(line, CAP), 90, 70 + 150 * number)
    return page


def folded(page: Image, at: float = 0.2, width: float = 8.0, depth: float = 70.0) -> Image:
    """A page with the shadow of an upright fold, `depth` grey levels dark; `width` is its deviation."""
    away = np.arange(page.shape[1]) - at * page.shape[1]
    shadow = depth * np.exp(-((away / width) ** 2) / 2)
    return np.clip(page - shadow, 0, 255).astype(np.uint8)


def on_dark(page: Image, margins: tuple[int, int, int, int], degrees: float = 0.0, level: int = 20) -> Image:
    """A page on a dark table or below an open lid; margins are above, below, left, right."""
    framed = cv2.copyMakeBorder(page, *margins, cv2.BORDER_CONSTANT, value=level)
    height, width = framed.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(framed, turn, (width, height), borderValue=level), np.uint8)


def punched(page: Image, level: int = 20) -> Image:
    """A page with two punch holes at the left, dark from the lid behind."""
    page = page.copy()
    for share in (0.28, 0.72):
        cv2.circle(page, (40, round(share * page.shape[0])), 26, level, -1, cv2.LINE_AA)
    return page


def _saved(draw: Draw, path: Path, fonts: Path) -> None:
    quality = {"quality": 60} if path.suffix == ".jpg" else {}
    PillowImage.fromarray(draw(fonts)).save(path, **quality)


Draw = Callable[[Path], Image]
"""Draws a page, given the folder of fonts."""


def _dates(lean: float, height: float, words: Sequence[str] = ("28/05/2006", "30/24")) -> Draw:
    return lambda fonts: with_slashes(words, writer(fonts, "kalam"), lean, height)


def _words(words: Sequence[str]) -> Draw:
    return lambda fonts: with_slashes(words, writer(fonts))


def _boxes(marks: Sequence[str], side: int, wall: int, shape: str, font: str = "kalam") -> Draw:
    return lambda fonts: with_boxes(["TEA", "CAKE", "RUGS"], marks, writer(fonts, font), side, wall, shape)


def _letter_in_box(fonts: Path) -> Image:
    return with_boxes(["TEA", "CAKE"], ["M", "F"], writer(fonts), 75)


def _turned_boxes(fonts: Path) -> Image:
    return on_dark(_boxes(["", "tick", "cross"], 50, 3, "box")(fonts), (20, 20, 20, 20), 2.5, 245)


_DRAW: dict[str, Draw] = {
    "slashes-digits.png": _dates(0.4, 1.5, ["28/05/2006", "30/24", "3/4"]),
    "slashes-upright.png": _dates(0.05, 1.8),
    "slashes-back.png": _dates(-0.5, 1.5),
    "slashes-letters.png": _words(["AND/OR", "C/O BAKER", "YES/NO"]),
    "tall-letters.png": lambda fonts: written(
        ["BIRDS SING", "I AM IN"], writer(fonts, "architects-daughter")
    ),
    "tick-boxes.png": _boxes(["tick", "", "cross"], 50, 3, "box", "patrick-hand"),
    "tick-boxes-left.png": _boxes(["far tick", "far tick", ""], 50, 5, "box"),
    "tick-boxes-round.png": _boxes(["", "tick", "cross"], 44, 2, "round"),
    "circles.png": _boxes(["", "tick", ""], 50, 3, "circle"),
    "tick-boxes-turned.jpg": _turned_boxes,
    "letter-cells.png": lambda fonts: with_cells("GRAVEL", writer(fonts)),
    "letter-in-box.png": _letter_in_box,
    "fold.jpg": lambda fonts: folded(spaced(writer(fonts, "kalam")), 0.15),
    "lid.jpg": lambda fonts: on_dark(spaced(writer(fonts)), (20, 160, 90, 220), 0, 12),
    "table.jpg": lambda fonts: on_dark(spaced(writer(fonts)), (80, 80, 80, 80), -3, 70),
    "holes.jpg": lambda fonts: punched(spaced(writer(fonts))),
}

CASES = {f"marks/{name}": functools.partial(_saved, draw) for name, draw in _DRAW.items()}
