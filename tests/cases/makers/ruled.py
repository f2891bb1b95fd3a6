"""Squared and ruled paper under the writing, and lines through it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from tests.cases.makers.sheet import INK, PAPER, Image, ink, sheet, writer

CAP, MARGIN = 44, 50

LIST = ["PACKING LIST", "TEN HAMMERS", "GREY PAINT"]


def squared(path: Path, fonts: Path, *, square: int, level: int, line: int = 1, turned: float = 0.0) -> None:
    """Writing on squared paper, whose lines have a grey level and a width."""
    page = sheet(760, 420)
    for x in range(7, page.shape[1], square):
        cv2.line(page, (x, 0), (x, page.shape[0]), level, line)
    for y in range(5, page.shape[0], square):
        cv2.line(page, (0, y), (page.shape[1], y), level, line)
    for number, text in enumerate(LIST):
        ink(page, writer(fonts, "architects-daughter").mask(text, CAP), MARGIN, 30 + number * 120)
    turn = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), turned, 1)
    size = page.shape[1], page.shape[0]
    page = np.asarray(cv2.warpAffine(page, turn, size, flags=cv2.INTER_AREA, borderValue=PAPER), np.uint8)
    PillowImage.fromarray(page).save(path, **({"quality": 85} if path.suffix == ".jpg" else {}))


def darkened(path: Path, fonts: Path) -> None:
    """Squared paper and a thin pen, in light that fades to half from left to right."""
    page = sheet(760, 420)
    for place in range(7, page.shape[1], 40):
        cv2.line(page, (place, 0), (place, page.shape[0]), 165, 2)
        cv2.line(page, (0, place), (page.shape[1], place), 165, 2)
    for number, text in enumerate(LIST):
        ink(page, writer(fonts, "architects-daughter").mask(text, CAP, pen=3), MARGIN, 30 + number * 120)
    light = np.linspace(1, 0.5, page.shape[1])
    PillowImage.fromarray((page * light).astype(np.uint8)).save(path)


def on_rules(path: Path, fonts: Path) -> None:
    """Every letter touches one of the black rules, and all rules touch a line at the margin."""
    page = sheet(1020, 520)
    for y in range(100, page.shape[0], 100):
        cv2.line(page, (0, y), (page.shape[1], y), 60, 2)
    cv2.line(page, (70, 0), (70, page.shape[0]), 60, 2)
    for number, text in enumerate([*LIST, "SEVEN LAMPS"]):
        ink(page, writer(fonts, "kalam").mask(text, 50, 6), 90, 102 + number * 100 - 75)
    PillowImage.fromarray(page).save(path)


def in_table(path: Path, fonts: Path) -> None:
    """A table of two columns, one row for each line of its writing; some letters touch the rules."""
    page = sheet(1000, 310)
    for y in range(50, 261, 70):
        cv2.line(page, (50, y), (950, y), 60, 2)
    for x in (50, 500, 950):
        cv2.line(page, (x, 50), (x, 260), 60, 2)
    for row, words in enumerate((("MARTIN", "PARIS"), ("WATER", "STREET"), ("HAMMER", "ROAD"))):
        for column, word in enumerate(words):
            mask = writer(fonts, "architects-daughter").mask(word, 40, 5)
            ink(page, mask, 70 + 450 * column, 50 + 70 * row + 8)
    PillowImage.fromarray(page).save(path)


Strike = Callable[[Image, int, int, int], None]
"""Strikes what stands between two columns, with its middle in a row."""


def one_line(page: Image, left: int, right: int, middle: int) -> None:
    """A line, drawn by hand."""
    x = np.arange(left - 10, right + 11, 10)
    y = middle + np.rint(2 * np.sin(x / 40) + (x - left) / 60).astype(np.int64)
    cv2.polylines(page, [np.stack((x, y), axis=1).astype(np.int32)], False, INK, 4, cv2.LINE_AA)


def two_lines(page: Image, left: int, right: int, middle: int) -> None:
    """Two lines."""
    one_line(page, left, right, middle - 6)
    one_line(page, left, right, middle + 7)


def under_it(page: Image, left: int, right: int, middle: int) -> None:
    """No strike: a line below the word."""
    one_line(page, left, right, middle + round(0.8 * CAP))


def sloping(page: Image, left: int, right: int, middle: int) -> None:
    """A line that rises from the feet of the first letter towards the head of the last."""
    cv2.line(page, (left - 8, middle + 8), (right + 8, middle - 8), INK, 5, cv2.LINE_AA)


def struck(
    path: Path, fonts: Path, *, strike: Strike, hand: str = "patrick-hand", word: str = "MARTIN"
) -> None:
    """Three lines below each other, the second of which is struck."""
    page = sheet(max(560, 60 * len(word)), 400)
    for number, text in enumerate(["MILLER", word, "PARIS"]):
        mask = writer(fonts, hand).mask(text, CAP)
        top = 20 + number * 110
        ink(page, mask, MARGIN, top)
        if number == 1:
            columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            ends = MARGIN + int(columns[0]), MARGIN + int(columns[-1])
            strike(page, *ends, top + int(rows[0] + rows[-1]) // 2)
    PillowImage.fromarray(page).save(path)


CASES = {
    "ruled/squares-blue.png": partial(squared, square=34, level=190),
    "ruled/squares-dark.png": partial(squared, square=40, level=140, line=2),
    "ruled/squares-small.png": partial(squared, square=22, level=200),
    "ruled/squares-turned.jpg": partial(squared, square=36, level=170, line=2, turned=1.3),
    "ruled/struck-once.png": partial(struck, strike=one_line),
    "ruled/struck-twice.png": partial(struck, strike=two_lines),
    "ruled/struck-line.png": partial(struck, strike=one_line, hand="kalam", word="WATER STREET NINE"),
    "ruled/struck-aslant.png": partial(struck, strike=sloping, hand="architects-daughter", word="STREET"),
    "ruled/underlined.png": partial(struck, strike=under_it),
    "ruled/underlined-bars.png": partial(struck, strike=under_it, hand="kalam", word="EEFFHHAA"),
    "ruled/squares-darkened.png": darkened,
    "ruled/on-black-rules.png": on_rules,
    "ruled/table.png": in_table,
}
