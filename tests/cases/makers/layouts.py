"""Where writing stands on its page: far columns, words downwards, turned parts, letters of three sizes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.cases.make import Maker
from tests.cases.makers.sheet import Image, Writer, ink, sheet, writer

NAMES = ("JOHN MILL", "ANNA BELL", "OLD BARN", "TEN ACRES", "SIX FAT PIGS", "BLUE DOOR")
FRONT = ("FRONT OF CARD", "NAME HAWKINS", "TOWN MALDEN")
BACK = ("BACK OF CARD", "PAID IN JUNE", "KEEP IT DRY")


def save(path: Path, page: Image) -> None:
    """Write a page as a grey PNG of few levels, or as a JPEG."""
    if path.suffix == ".jpg":
        cv2.imwrite(str(path), page, [cv2.IMWRITE_JPEG_QUALITY, 60])
    else:
        cv2.imwrite(str(path), page // 8 * 8, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def words(hand: Writer, text: str, cap: int, between: float) -> Image:
    """A line of words, `between` capital heights apart."""
    parts: list[Image] = []
    for word in text.split():
        mask = hand.mask(word, cap, spacing=0.2)
        columns = np.flatnonzero(mask.any(axis=0))
        parts += [np.zeros((mask.shape[0], round(between * cap)), np.uint8)] if parts else []
        parts.append(mask[:, columns[0] : columns[-1] + 1])
    return np.hstack(parts)


def lines_of(
    hand: Writer, lines: Sequence[str], cap: int = 36, between: float = 0.8, margin: int = 40, width: int = 0
) -> Image:
    """A sheet with lines of words."""
    masks = [words(hand, line, cap, between) for line in lines]
    page = sheet(
        max([width, *(mask.shape[1] + 2 * margin for mask in masks)]), len(lines) * 2 * cap + 2 * margin
    )
    for number, mask in enumerate(masks):
        ink(page, mask, margin, margin + number * 2 * cap)
    return page


def far_letters(
    path: Path, fonts: Path, name: str, rows: Sequence[int], between: float, turn: float = 0
) -> None:
    """Names close together, and in some rows one letter far to the right."""
    hand = writer(fonts, name)
    page = lines_of(hand, NAMES, between=between, width=1000)
    for row in rows:
        ink(page, hand.mask("ABCDGH"[row], 36), 900, 40 + row * 72)
    save(path, turned(page, turn) if turn else page)


def turned(page: Image, degrees: float) -> Image:
    """A sheet laid a little askew."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    found = cv2.warpAffine(page, turn, (width, height), borderValue=int(np.median(page)))
    return np.asarray(found, np.uint8)


def register(path: Path, fonts: Path, name: str) -> None:
    """Three columns of names and one of ticks."""
    hand = writer(fonts, name)
    page = sheet(1500, 560)
    cells = [
        ("OAK LANE", "PETER FORD", "RED CART"),
        ("MILL ROAD", "ANNA WELLS", "OLD PUMP"),
        ("KING STREET", "TIM STONE", "OATS AND RYE"),
        ("LONG FIELD", "GRACE HALL", "TEN LAMPS"),
        ("SAND LANE", "MARY BROOK", "SIX CHAIRS"),
        ("NORTH BRIDGE", "JOHN CROSS", "BLUE TILES"),
    ]
    for row, texts in enumerate(cells):
        for column, text in enumerate(texts):
            ink(page, words(hand, text, 36, 0.6), 40 + 480 * column, 40 + 80 * row)
    save(path, page)


def downwards(
    path: Path,
    fonts: Path,
    name: str,
    columns: Sequence[str],
    apart: int = 240,
    pitch: int = 80,
    title: str = "",
) -> None:
    """Columns of letters, one below the other."""
    hand = writer(fonts, name)
    top = 120 if title else 30
    page = sheet(
        max(60 + apart * len(columns), 560 if title else 0), top + 60 + pitch * max(map(len, columns))
    )
    if title:
        ink(page, words(hand, title, 40, 0.8), 30, 30)
    for number, column in enumerate(columns):
        for row, letter in enumerate(column):
            ink(page, hand.mask(letter, 40), 40 + apart * number, top + pitch * row)
    save(path, page)


def two_cards(path: Path, fonts: Path, name: str, quarters: int, axis: int, small: int = 36) -> None:
    """Two cards on a sheet, the second turned clockwise by quarters: below the first (axis 0) or beside."""
    hand = writer(fonts, name)
    first, second = lines_of(hand, FRONT), np.rot90(lines_of(hand, BACK, cap=small), -quarters)
    side = max(first.shape[1 - axis], second.shape[1 - axis])
    size = (first.shape[0] + second.shape[0], side) if axis == 0 else (side, first.shape[1] + second.shape[1])
    page = sheet(size[1], size[0])
    page[: first.shape[0], : first.shape[1]] = first
    left, top = (0, first.shape[0]) if axis == 0 else (first.shape[1], 0)
    page[top : top + second.shape[0], left : left + second.shape[1]] = second
    save(path, page)


def three_sizes(path: Path, fonts: Path, name: str, ratio: float) -> None:
    """A title, text, and a footnote."""
    hand = writer(fonts, name)
    cap = 36
    page = sheet(900, round(ratio * cap * 1.6) + 400)
    title = hand.mask("MENU", round(ratio * cap), pen=ratio * 4)
    ink(page, title[round(0.4 * ratio * cap) :], 40, 20)
    top = 20 + round(ratio * cap * 1.5)
    for number, (text, size) in enumerate(
        [
            ("TOMATO SOUP AND BREAD", cap),
            ("BAKED FISH WITH RICE", cap),
            ("APPLE PIE", cap),
            ("ASK FOR TEA", 20),
        ]
    ):
        ink(page, words(hand, text, size, 0.8), 40, top + 76 * number)
    save(path, page)


def small_captions(path: Path, fonts: Path, name: str) -> None:
    """A form with small printed captions: its writing is nearly three times as high as what is typical."""
    hand = writer(fonts, name)
    page = sheet(1500, 700)
    rows = [
        (("First name:", "ALEJANDRO"), ("Last name:", "ROSALES")),
        (("Street and number:", "ANY STREET"), ("City:", "ANYTOWN")),
        (("Relation to patient:", "BROTHER"), ("Country:", "PERU")),
    ]
    for row, fields in enumerate(rows):
        for column, (caption, text) in enumerate(fields):
            x, y = 40 + 760 * column, 120 + 200 * row
            cv2.putText(page, caption, (x, y + 76), cv2.FONT_HERSHEY_SIMPLEX, 0.75, 40, 2, cv2.LINE_AA)
            ink(page, words(hand, text, 58, 0.8), x + (250 if column == 0 else 170), y)
    save(path, page)


CASES: dict[str, Maker] = {
    "layouts/far-letter-once.png": functools.partial(
        far_letters, name="architects-daughter", rows=(2,), between=0.6
    ),
    "layouts/far-letter-each-second.png": functools.partial(
        far_letters, name="kalam", rows=(0, 2, 4), between=0.7
    ),
    "layouts/far-letters-askew.jpg": functools.partial(
        far_letters, name="gochi-hand", rows=range(6), between=0.7, turn=2.0
    ),
    "layouts/no-far-letter.png": functools.partial(
        far_letters, name="architects-daughter", rows=(), between=0.6
    ),
    "layouts/register-of-three-columns.png": functools.partial(register, name="kalam"),
    "layouts/three-words-down.png": functools.partial(
        downwards, name="gochi-hand", columns=("NORTH", "SOUTH", "EAST")
    ),
    "layouts/words-down-under-a-title.png": functools.partial(
        downwards, name="kalam", columns=("HOTEL", "GARAGE"), apart=170, pitch=64, title="THIS WAY TO"
    ),
    "layouts/answers-in-four-columns.png": functools.partial(
        downwards, name="patrick-hand", columns=("ABDCA", "BCADB", "CADBC", "DBACA"), pitch=70
    ),
    "layouts/lower-card-upside-down.png": functools.partial(
        two_cards, name="patrick-hand", quarters=2, axis=0
    ),
    "layouts/right-card-upside-down.png": functools.partial(two_cards, name="kalam", quarters=2, axis=1),
    "layouts/right-card-on-its-side.png": functools.partial(
        two_cards, name="architects-daughter", quarters=1, axis=1
    ),
    "layouts/title-three-times-as-high.png": functools.partial(three_sizes, name="patrick-hand", ratio=3.2),
    "layouts/title-four-times-as-high.png": functools.partial(three_sizes, name="kalam", ratio=4.2),
    "layouts/small-captions.png": functools.partial(small_captions, name="patrick-hand"),
}
