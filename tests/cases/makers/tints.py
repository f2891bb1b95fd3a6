"""Pages on which not all paper is white: forms with white boxes on a tint, dark bars, show-through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.cases.makers.sheet import Writer, writer

Colour = tuple[int, int, int]

WHITE = (252, 252, 251)
BLACK, BLUE, PENCIL = (38, 38, 42), (48, 62, 150), (128, 128, 130)
ORANGE, BLUISH, GREY = (250, 206, 150), (205, 221, 240), (200, 200, 200)


def coloured(width: int, height: int, colour: Colour) -> NDArray[np.uint8]:
    """A sheet of one colour, uint8, height × width × 3."""
    return np.full((height, width, 3), colour, np.uint8)


def lay(page: NDArray[np.uint8], mask: NDArray[np.uint8], x: int, y: int, colour: Colour) -> None:
    """Lay ink of a colour on a page in place, its top-left corner at x, y; beyond the page it is lost."""
    rows, columns = mask.shape
    top, left = max(0, -y), max(0, -x)
    area = page[max(0, y) : y + rows, max(0, x) : x + columns]
    share = mask[top : top + area.shape[0], left : left + area.shape[1], None].astype(np.float32) / 255
    area[...] = np.round(area * (1 - share) + np.float32(colour) * share).astype(np.uint8)


def scanned(
    page: NDArray[np.uint8], degrees: float = 0.0, scale: float = 1.0, blur: float = 0.7, seed: int = 1
) -> NDArray[np.uint8]:
    """Scan a page: turned, at another resolution, with soft edges and grain."""
    if degrees:
        height, width = page.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
        page = cv2.warpAffine(page, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if scale != 1.0:
        page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if blur:
        page = cv2.GaussianBlur(page, (0, 0), blur)
    grain = np.random.default_rng(seed).normal(0, 1.2, page.shape)
    return np.clip(page + grain, 0, 255).astype(np.uint8)


def boxes(
    words: Sequence[str],
    hand: Writer,
    tint: Colour = ORANGE,
    pen: Colour = PENCIL,
    wall: int = 6,
    cells: int = 14,
    box: int = 78,
    width: float = 6.0,
    outline: Colour | None = None,
    cap: int = 54,
) -> NDArray[np.uint8]:
    """A form with a row of white boxes for each word, on a tint; letters sit in the boxes, one in each."""
    pitch, gap = box + wall, round(1.0 * box)
    page = coloured(2 * gap + cells * pitch, len(words) * (round(1.25 * box) + gap) + gap, tint)
    rng = np.random.default_rng(hand.seed)
    for row, word in enumerate(words):
        top = gap + row * (round(1.25 * box) + gap)
        for cell in range(cells):
            left = gap + cell * pitch
            corners = (left, top), (left + box - 1, top + round(1.25 * box) - 1)
            cv2.rectangle(page, *corners, WHITE, cv2.FILLED)
            if outline:
                cv2.rectangle(page, *corners, outline, 3)
        for cell, letter in enumerate(word):
            if letter == " ":
                continue
            mask = hand.mask(letter, cap, width)
            columns = np.flatnonzero(mask.any(axis=0))
            mask = mask[:, columns[0] : columns[-1] + 1]
            x = gap + cell * pitch + (box - mask.shape[1]) // 2 + int(rng.integers(-6, 7))
            y = top + round(1.25 * box * 0.55) - cap + int(rng.integers(-7, 8))
            lay(page, mask, x, y, pen)
    return page


def bar(
    heading: str,
    lines: Sequence[str],
    hand: Writer,
    dark: Colour = (30, 30, 34),
    light: Colour = WHITE,
    pen: Colour = BLACK,
    width: float = 7.0,
    cap: int = 54,
    inset: int = 0,
) -> NDArray[np.uint8]:
    """A page with light writing on a dark bar at the top, and dark writing below."""
    masks = [hand.mask(line, cap, width) for line in (heading, *lines)]
    page = coloured(max(mask.shape[1] for mask in masks) + 240, (len(masks) + 1) * 2 * cap, WHITE)
    if heading:
        page[cap // 3 : cap // 3 + 2 * cap, inset : page.shape[1] - inset] = dark
        lay(page, masks[0], 90, cap // 3 + cap // 8, light)
    for number, mask in enumerate(masks[1:], 1):
        lay(page, mask, 90, cap // 2 + number * 2 * cap, pen)
    return page


def shown_through(
    lines: Sequence[str],
    behind: Sequence[str],
    hand: Writer,
    other: Writer,
    level: float = 0.4,
    soft: float = 2.0,
    pen: Colour = (28, 34, 90),
    cap: int = 54,
    mirrored: bool = True,
    shift: tuple[int, int] = (0, -20),
    size: tuple[int, int] = (1400, 760),
) -> NDArray[np.uint8]:
    """A page on which the writing of its other side shows through, mirrored and blurred."""
    page = coloured(*size, (244, 243, 238))
    back = np.zeros(size[::-1], np.uint8)
    for number, line in enumerate(behind):
        mask = other.mask(line, cap, 8.0)
        y = 100 + number * round(2.4 * cap) + shift[1]
        area = back[y : y + mask.shape[0], 100 + shift[0] : 100 + shift[0] + mask.shape[1]]
        area[...] = mask[: area.shape[0], : area.shape[1]]
    if mirrored:
        back = back[:, ::-1]
    if soft:
        back = cv2.GaussianBlur(back, (0, 0), soft).astype(np.uint8, copy=False)
    lay(page, (back * level).astype(np.uint8), 0, 0, (30, 30, 30))
    for number, line in enumerate(lines):
        lay(page, hand.mask(line, cap, 6.0), 90, 80 + number * round(2.4 * cap), pen)
    return page


WORDS = ("KENDRICK", "ELEANOR", "OXBRIDGE")
FRONT, BEHIND = (
    ("SWEET CHESTNUTS", "WALNUT BREAD", "COLD BUTTER"),
    ("OTHER SIDE", "WHICH SHINES", "EVERY WHERE"),
)


def wide_fields(hand: Writer, tint: Colour, pen: Colour) -> NDArray[np.uint8]:
    """A form with one wide white field for each line, on a tint."""
    page = coloured(1300, 700, tint)
    for row, text in enumerate(("HARVEST MOON", "RIVER ROAD", "TWELVE OAKS")):
        page[90 + 200 * row : 190 + 200 * row, 80:1220] = WHITE
        lay(page, hand.mask(text, 54, 6.0), 110, 90 + 200 * row, pen)
    return page


def table(hand: Writer) -> NDArray[np.uint8]:
    """A table whose header cells are dark."""
    page, columns = coloured(1300, 560, WHITE), (60, 460, 760, 1240)
    for left, right, text in zip(columns, columns[1:], ("ITEM", "QTY", "PRICE"), strict=False):
        page[40:150, left : right - 6] = (40, 60, 110)
        lay(page, hand.mask(text, 54, 7.0), left + 20, 50, WHITE)
    for row, texts in enumerate((("CHAIR", "TEN", "LOW"), ("TABLE", "SIX", "HIGH"))):
        for left, text in zip(columns, texts, strict=False):
            lay(page, hand.mask(text, 54, 7.0), left + 20, 190 + 150 * row, BLACK)
    return page


Draw = Callable[[Callable[[str], Writer]], NDArray[np.uint8]]


def _saved(draw: Draw) -> Callable[[Path, Path], None]:
    """What writes the page that `draw` makes; it is given a function from a font's name to its writer."""

    def make(path: Path, fonts: Path) -> None:
        Image.fromarray(draw(lambda name: writer(fonts, name))).save(path, quality=80)

    return make


NOTE = ("DELIVERY NOTE", ("TWELVE CHAIRS", "OAK TABLE"))

CASES = {
    f"tints/{name}.jpg": _saved(draw)
    for name, draw in {
        "orange-pencil": lambda hand: scanned(boxes(WORDS, hand("kalam"))),
        "grey-170-black": lambda hand: scanned(boxes(WORDS, hand("patrick-hand"), (170,) * 3, BLACK)),
        "blue-turned": lambda hand: scanned(boxes(WORDS, hand("architects-daughter"), BLUISH, BLUE), 1.2),
        "thin-walls-150-dpi": lambda hand: scanned(boxes(WORDS, hand("patrick-hand"), wall=3), -1.2, 0.5),
        "outlined": lambda hand: scanned(boxes(WORDS, hand("patrick-hand"), outline=(240, 140, 40))),
        "wide-fields": lambda hand: scanned(wide_fields(hand("patrick-hand"), GREY, PENCIL)),
        "black-bar": lambda hand: scanned(bar(*NOTE, hand("architects-daughter"))),
        "grey-bar-turned": lambda hand: scanned(bar(*NOTE, hand("patrick-hand"), (128,) * 3), 1.5),
        "table-header": lambda hand: scanned(table(hand("patrick-hand"))),
        "show-through": lambda hand: scanned(
            shown_through(FRONT, BEHIND, hand("patrick-hand"), hand("architects-daughter"))
        ),
        "show-through-sharp": lambda hand: scanned(
            shown_through(FRONT, BEHIND, hand("patrick-hand"), hand("gochi-hand"), 0.3, soft=0.0)
        ),
        "show-through-only": lambda hand: scanned(
            shown_through((), BEHIND, hand("patrick-hand"), hand("architects-daughter"), 0.2)
        ),
        "pencil-beside-ink": lambda hand: scanned(
            shown_through(
                FRONT,
                ("MAY", "JUNE", "OCTOBER"),
                hand("patrick-hand"),
                hand("patrick-hand"),
                mirrored=False,
                soft=0.0,
                shift=(850, -20),
            )
        ),
    }.items()
}
