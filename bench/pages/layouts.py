"""Where things stand on a page: hand-print, printed captions, rules, frames, combs and grids.

Everything is drawn on a canvas that is larger than the page by the kind's `scale`; "cap" is the height of a
capital in canvas pixels.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.pages.difficulties import Difficulties, chance
from bench.pages.hands import Hand

Mask = NDArray[np.uint8]

PRINT_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
_PRINT = ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf", "DejaVuSerif.ttf")

CAPTIONS = (
    "NAME :",
    "SURNAME",
    "FIRST NAME :",
    "TOWN",
    "STREET:",
    "Form 12 b",
    "DATE OF BIRTH - CLASS",
    "No.",
)

WORDS = (
    *(
        "ABBOT",
        "ACRE",
        "BRIDGE",
        "BUXTON",
        "CHAPEL",
        "CROW",
        "DOVER",
        "DUKE",
        "EAST",
        "EXETER",
        "FENWICK",
        "FORGE",
    ),
    *(
        "GRANGE",
        "GUPPY",
        "HAZEL",
        "HIGH",
        "ILKLEY",
        "INGOT",
        "JACKDAW",
        "JUNO",
        "KEIGHLEY",
        "KNOX",
        "LARCH",
        "LYNX",
    ),
    *(
        "MILL",
        "MOXON",
        "NEVIN",
        "NORTH",
        "OAK",
        "ORWELL",
        "PARKER",
        "POOL",
        "QUAY",
        "QUEEN",
        "RIVER",
        "ROWAN",
    ),
    *(
        "SHELF",
        "SQUIRE",
        "TAVISTOCK",
        "THORP",
        "UDALL",
        "UPTON",
        "VALE",
        "VIXEN",
        "WAGER",
        "WYE",
        "YARROW",
        "YORK",
    ),
    *("ZEAL", "ZOUCH", "MAZE", "BANJO", "FLAX", "BREVITY"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """Measures of a kind of page.

    Attributes:
        cap: height of a capital in pixels of the page.
        scale: canvas pixels a page pixel.
        gap: paper between neighbours, in caps.
        pen: width of the pen, in caps.
        lines: how many lines of how many words are written where no text is given.
        paper: grey level of the paper; at 255 the scanner made ink black and paper white.
    """

    cap: float
    scale: int
    gap: float
    pen: float
    lines: tuple[int, int]
    paper: int


KINDS: dict[str, Kind] = {
    "line": Kind(cap=32, scale=2, gap=0.3, pen=0.11, lines=(1, 3), paper=250),
    "field": Kind(cap=13, scale=4, gap=0.6, pen=0.09, lines=(1, 1), paper=255),
    "comb": Kind(cap=30, scale=2, gap=0.0, pen=0.11, lines=(1, 2), paper=250),
    "card": Kind(cap=36, scale=1, gap=0.3, pen=0.12, lines=(4, 3), paper=210),
    "a4": Kind(cap=46, scale=1, gap=0.28, pen=0.12, lines=(32, 6), paper=252),
    "grid": Kind(cap=115, scale=1, gap=0.0, pen=0.12, lines=(3, 5), paper=225),
    "pair": Kind(cap=36, scale=2, gap=0.3, pen=0.12, lines=(1, 1), paper=250),
}
"""Letter heights, pens and spacing as on real fields, cards, 300-dpi pages and photographed grids."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A letter on the canvas: its ink alone (uint8) and where that begins."""

    character: str
    line: int
    word: int
    mask: Mask
    left: int
    top: int


class Sheet:
    """The canvas: layers of ink (uint8 h×w, 0 none … 255 full), panels behind lines, the letters."""

    def __init__(self, width: float, height: float, cap: float, margin: float) -> None:
        shape = (round(height), round(width))
        self.ink, self.printed, self.dirt = (np.zeros(shape, np.uint8) for _ in range(3))
        self.panels: list[tuple[float, float, float, float]] = []
        self.letters: list[Written] = []
        self.cap, self.margin = cap, margin

    def stamp(self, layer: Mask, mask: Mask, left: int, top: int) -> None:
        """Lay a mask on a layer; what lies outside is lost."""
        height, width = layer.shape
        x, y = max(0, left), max(0, top)
        right, bottom = min(width, left + mask.shape[1]), min(height, top + mask.shape[0])
        if x < right and y < bottom:
            part = layer[y:bottom, x:right]
            np.maximum(part, mask[y - top : bottom - top, x - left : right - left], out=part)

    def stroke(
        self, layer: Mask, start: tuple[float, float], end: tuple[float, float], width: float, level: float
    ) -> None:
        """Draw a straight stroke; `width` in pixels, `level` 0–1."""
        first, last = ((round(x * 16), round(y * 16)) for x, y in (start, end))
        mask = np.zeros_like(layer)
        cv2.line(mask, first, last, round(255 * level), max(1, round(width)), cv2.LINE_AA, shift=4)
        np.maximum(layer, mask, out=layer)


Row = list[tuple[str, int, Mask, int, float]]
"""A line that is not placed yet: character, word, mask, left edge, and how high its top is above the line."""


class Pen:
    """Writes letters as a hand does, with the difficulties of writing.

    Every page has a size, a pen and a spacing of its own, within a third of the kind's.
    """

    def __init__(self, hand: Hand, kind: Kind, difficulties: Difficulties, seed: int) -> None:
        self._hand, self._kind, self._d = hand, kind, difficulties
        self.cap = kind.cap * kind.scale
        own = chance(seed, "hand")
        self._size, self._pen, self._gap = (float(1.3 ** own.uniform(-1, 1)) for _ in range(3))
        names = ("size", "baseline", "slant", "pen", "touching", "broken", "shape")
        self._rng = {name: chance(seed, name) for name in names}
        self._lean = np.tan(np.radians(25) * difficulties.slant * self._rng["slant"].choice((-1, 1)))

    def letter(self, character: str) -> tuple[Mask, float]:
        """Write one character: its ink, uint8, and how far its top lies above the line."""
        d = self._d
        cap = min(self._size, 1.15) * self.cap * 1.4 ** (d.size * float(self._rng["size"].uniform(-1, 1)))
        pen = self._pen * self.cap * self._kind.pen * 2 ** (d.pen * float(self._rng["pen"].uniform(-1, 1)))
        glyph = self._hand.write(character, cap, pen, self._rng["shape"])
        lean = self._lean + np.tan(np.radians(10) * d.slant * self._rng["slant"].uniform(-1, 1))
        mask, foot = _leaned(glyph.mask, lean), glyph.foot
        mask = _broken(mask, self.cap, d.broken, self._rng["broken"])
        return mask, foot - 0.2 * self.cap * d.baseline * float(self._rng["baseline"].uniform(-1, 1))

    def row(self, line: str) -> Row:
        """Write a line from x = 0."""
        row: Row = []
        for number, word in enumerate(line.split(), start=1):
            for first, character in zip([True] + [False] * len(word), word, strict=False):
                mask, rise = self.letter(character)
                left = 0
                touches = (
                    self._rng["touching"].random() < 0.75 * self._d.touching or self._kind is KINDS["pair"]
                )
                if row and first:
                    left = row[-1][3] + row[-1][2].shape[1] + round((self._kind.gap + 0.75) * self.cap)
                elif row:
                    left = self._beside(row[-1], mask, rise, touches)
                row.append((character, number, mask, left, rise))
        return row

    def _beside(
        self, before: tuple[str, int, Mask, int, float], mask: Mask, rise: float, touches: bool
    ) -> int:
        """Say where a letter begins beside the one before it."""
        end = before[3] + before[2].shape[1]
        nearest = before[3] + _reach(before[2], before[4], mask, rise)  # where the two just meet
        if touches:
            pens = 0.4 + 1.6 * self._d.touching if self._kind is KINDS["pair"] else 0.4
            return round(nearest - max(2.0, pens * self._kind.pen * self.cap))
        apart, tight = end + self._gap * self._kind.gap * self.cap, nearest + 0.06 * self.cap
        return round(apart + self._d.tight * (tight - apart))


def text_for(kind: Kind, seed: int) -> list[str]:
    """Choose what is written: place names and the like; single letters in grids, two letters for a pair."""
    rng = chance(seed, "text")
    lines, words = kind.lines
    alphabet = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if kind is KINDS["grid"]:
        return ["".join(rng.choice(alphabet, words)) for _ in range(lines)]
    if kind is KINDS["pair"]:
        return ["".join(rng.choice(alphabet, 2))]
    return [" ".join(str(word) for word in rng.choice(WORDS, words)) for _ in range(lines)]


def lay_out(kind: Kind, lines: Sequence[str], hand: Hand, difficulties: Difficulties, seed: int) -> Sheet:
    """Write lines on a sheet with all that stands on the form.

    Args:
        kind: one of `KINDS`.
        lines: what is written.
        hand: who writes.
        difficulties: how hard it is.
        seed: decides everything else.
    """
    pen = Pen(hand, kind, difficulties, seed)
    if kind is KINDS["comb"] or kind is KINDS["grid"]:
        sheet = _cells(pen, kind, lines, difficulties, seed)
    else:
        sheet = _lines(pen, kind, lines, difficulties, seed)
    _neighbours(sheet, pen, difficulties, seed)
    _dirt(sheet, difficulties, seed)
    return sheet


def _lines(pen: Pen, kind: Kind, lines: Sequence[str], d: Difficulties, seed: int) -> Sheet:
    """Lines below each other: a line, a field, a card, a page."""
    rng, cap = chance(seed, "layout"), pen.cap
    margin = cap * (1.5 if kind is not KINDS["a4"] else 4)
    pitch = 2.3 * cap if kind is not KINDS["a4"] else 2.1 * cap
    rows = [pen.row(line) for line in lines]
    captions = [_caption(cap, d, chance(seed, f"captions {number}")) for number in range(len(rows))]
    above = kind is KINDS["field"] and bool(chance(seed, "captions").random() < 0.5)
    indent = max((caption.shape[1] for caption in captions if caption is not None), default=0)
    indent = 0 if above or not indent else indent + round((1.2 - 0.8 * d.captions) * cap)
    lift = 1.9 * cap if above and indent == 0 and captions[0] is not None else 0.0
    written = max(row[-1][3] + row[-1][2].shape[1] for row in rows)
    width = 2 * margin + indent + written
    height = 2 * margin + lift + (len(rows) - 1) * pitch + cap
    if kind is KINDS["field"]:
        width = max(width, kind.scale * rng.integers(284, 389))
    if kind is KINDS["a4"]:
        width, height = max(width, 2480), max(height, 3508)
    sheet = Sheet(width, height, cap, margin)
    for number, (row, caption) in enumerate(zip(rows, captions, strict=True), start=1):
        base = margin + lift + cap + (number - 1) * pitch
        left = margin + indent + (0.5 * cap * rng.random() if kind is not KINDS["pair"] else 0)
        _place(sheet, row, number, left, base)
        if caption is not None:
            y = base - (2.2 * cap if above else caption.shape[0])
            sheet.stamp(sheet.printed, caption, round(margin), round(y))
        end = left + row[-1][3] + row[-1][2].shape[1]
        _furnish(sheet, d, (left, base - cap, end, base))
    return sheet


def _cells(pen: Pen, kind: Kind, lines: Sequence[str], d: Difficulties, seed: int) -> Sheet:
    """One letter a cell: a comb, whose empty cells part words, or a ruled grid."""
    rng, cap = chance(seed, "boxes"), pen.cap
    grid = kind is KINDS["grid"]
    wide, high = (1.8 * cap, 1.8 * cap) if grid else (1.5 * cap, 1.8 * cap)
    margin = 0.03 * cap if grid else 1.5 * cap
    columns = max(map(len, lines))
    captions = [None if grid else _caption(cap, d, chance(seed, f"captions {n}")) for n in range(len(lines))]
    indent = max((caption.shape[1] + cap for caption in captions if caption is not None), default=0.0)
    pitch = high if grid else high + cap
    sheet = Sheet(
        2 * margin + indent + columns * wide, 2 * margin + (len(lines) - 1) * pitch + high, cap, margin
    )
    level = 0.45 + 0.5 * d.boxes
    thick = cap * ((0.02 if grid else 0.04) + 0.04 * d.boxes)
    for number, line in enumerate(lines, start=1):
        top, left = margin + (number - 1) * pitch, margin + indent
        _walls(sheet, (left, top), (wide, high), columns, thick, level)
        caption = captions[number - 1]
        if caption is not None:
            sheet.stamp(sheet.printed, caption, round(margin), round(top + (high - caption.shape[0]) / 2))
        word = 1
        for column, character in enumerate(line):
            if character == " ":
                word += 1
                continue
            mask, rise = pen.letter(character)
            shift = rng.uniform(-1, 1, 2)  # of the free space; at 1 every letter is just over a wall
            shift *= (0.3 + 0.75 * d.boxes) / np.abs(shift).max() ** d.boxes
            x = left + column * wide + (wide - mask.shape[1]) * (1 + shift[0]) / 2
            y = top + (high - cap) * (1 + shift[1]) / 2 + cap - rise
            sheet.letters.append(Written(character, number, word, mask, round(x), round(y)))
            sheet.stamp(sheet.ink, mask, round(x), round(y))
        _rules(sheet, d, (left, top, left + columns * wide, top + 0.5 * high + 0.5 * cap))
    return sheet


def _walls(
    sheet: Sheet, at: tuple[float, float], cell: tuple[float, float], columns: int, thick: float, level: float
) -> None:
    """Draw a row of cells."""
    (left, top), (wide, high) = at, cell
    for y in (top, top + high):
        sheet.stroke(sheet.printed, (left, y), (left + columns * wide, y), thick, level)
    for column in range(columns + 1):
        x = left + column * wide
        sheet.stroke(sheet.printed, (x, top), (x, top + high), thick, level)


def _place(sheet: Sheet, row: Row, line: int, left: float, base: float) -> None:
    for character, word, mask, x, rise in row:
        at = round(left + x), round(base - rise)
        sheet.letters.append(Written(character, line, word, mask, *at))
        sheet.stamp(sheet.ink, mask, *at)


def _furnish(sheet: Sheet, d: Difficulties, around: tuple[float, float, float, float]) -> None:
    """Draw rules, a frame and a panel for a line of text (left, top, right, base)."""
    left, top, right, base = around
    cap = sheet.cap
    sheet.panels.append((left - 0.5 * cap, top - 0.4 * cap, right + 0.5 * cap, base + 0.4 * cap))
    _rules(sheet, d, (left - 0.6 * cap, top, right + 0.6 * cap, base))
    if d.boxes:
        pad = cap * (0.5 * (1 - d.boxes) - 0.04)
        side, thick, level = (
            pad + 0.3 * cap * (1 - d.boxes),
            cap * (0.03 + 0.05 * d.boxes),
            0.5 + 0.5 * d.boxes,
        )
        corners = [
            *((left - side, top - pad), (right + side, top - pad)),
            *((right + side, base + pad), (left - side, base + pad)),
        ]
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            sheet.stroke(sheet.printed, start, end, thick, level)


def _rules(sheet: Sheet, d: Difficulties, around: tuple[float, float, float, float]) -> None:
    """Draw a rule below a line, or through its feet where it is hard."""
    left, _, right, base = around
    cap = sheet.cap
    if d.rules:
        y = base + cap * (0.4 * (1 - d.rules) - 0.03)
        thick, level = cap * (0.03 + 0.05 * d.rules), 0.4 + 0.6 * d.rules
        sheet.stroke(sheet.printed, (left, y), (right, y), thick, level)
    if d.dotted:
        y, radius = base + cap * (0.4 * (1 - d.dotted) - 0.03), cap * (0.03 + 0.03 * d.dotted)
        for x in np.arange(left, right, 5 * radius):
            centre = round(x * 16), round(y * 16)
            level = round(255 * (0.4 + 0.6 * d.dotted))
            cv2.circle(sheet.printed, centre, round(radius * 16), level, -1, cv2.LINE_AA, shift=4)


def _caption(cap: float, d: Difficulties, rng: np.random.Generator) -> Mask | None:
    """Print a caption, uint8, or none; half of the lines have one where it is easy, all where it is hard."""
    if not d.captions or rng.random() > 0.5 + 0.5 * d.captions:
        return None
    words, face = str(rng.choice(CAPTIONS)), str(rng.choice(_PRINT))
    return printed(words, face, round(cap * (0.5 + 0.5 * d.captions)))


@functools.cache
def printed(words: str, face: str, cap: int) -> Mask:
    """Set words in a text font with capitals of `cap` pixels: uint8, cropped."""
    font = ImageFont.truetype(str(PRINT_FONTS / face), cap / 0.73)
    left, top, right, bottom = font.getbbox(words)
    image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), words, 255, font)
    return np.array(image)


def _neighbours(sheet: Sheet, pen: Pen, d: Difficulties, seed: int) -> None:
    """Let a part of other lines reach in at the upper and lower edge; they are no truth."""
    if not d.neighbours:
        return
    rng, cap = chance(seed, "neighbours"), sheet.cap
    height, width = sheet.ink.shape
    seen = 0.6 * d.neighbours * cap
    always = bool(rng.random() < 0.5)
    for above, base in ((True, seen), (False, height - seen + cap)):
        if above != always and rng.random() > d.neighbours:
            continue
        x = sheet.margin * rng.uniform(0.5, 1.5)
        end = max(x + cap, rng.uniform(0.3, 1) * (width - sheet.margin))
        if rng.random() < 0.4:
            words = printed(" ".join(rng.choice(CAPTIONS, 3)), _PRINT[0], round(0.8 * cap))
            sheet.stamp(sheet.printed, words, round(x), round(base - (0.8 * cap if above else cap)))
            continue
        while x < end:
            mask, rise = pen.letter(str(rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))))
            sheet.stamp(sheet.ink, mask, round(x), round(base - rise))
            x += mask.shape[1] + cap * rng.choice((0.35, 0.35, 0.35, 1.1))


def _dirt(sheet: Sheet, d: Difficulties, seed: int) -> None:
    """Add specks, staples and punched holes."""
    height, width = sheet.ink.shape
    cap, margin = sheet.cap, max(sheet.margin, 0.5 * sheet.cap)
    rng = chance(seed, "specks")
    for _ in range(round(2 * d.specks * len(sheet.letters))):
        centre = round(rng.uniform(0, width) * 16), round(rng.uniform(0, height) * 16)
        axes = tuple(max(8, round(16 * cap * rng.uniform(0.015, 0.08))) for _ in range(2))
        level = int(rng.integers(110, 256))
        cv2.ellipse(sheet.dirt, centre, axes, rng.uniform(0, 180), 0, 360, level, -1, cv2.LINE_AA, shift=4)
    rng = chance(seed, "staples")
    for _ in range(int(np.ceil(3 * d.staples))):
        x, y = rng.uniform(0.1, 0.9) * width, margin * rng.uniform(0.2, 0.6)
        angle, length = rng.uniform(-0.3, 0.3), cap * rng.uniform(0.8, 1.6)
        ends = [(x + side * length * np.cos(angle), y + side * length * np.sin(angle)) for side in (-1, 1)]
        sheet.stroke(sheet.dirt, ends[0], ends[1], 0.14 * cap, 0.5 + 0.4 * d.staples)
    if d.holes:
        radius = 0.45 * margin * (0.4 + 0.6 * d.holes)
        for share in (0.25, 0.75):
            centre = round(0.5 * margin * 16), round(share * height * 16)
            level = round(255 * (0.3 + 0.7 * d.holes))
            cv2.circle(sheet.dirt, centre, round(radius * 16), level, -1, cv2.LINE_AA, shift=4)


def _leaned(mask: Mask, lean: float) -> Mask:
    """Shear a letter; positive leans to the right."""
    if not lean:
        return mask
    height, width = mask.shape
    extra = int(np.ceil(abs(lean) * height)) + 2
    shear = np.array([[1, -lean, max(0.0, lean) * height + 1], [0, 1, 0]])
    leaned = cv2.warpAffine(mask, shear, (width + extra, height), flags=cv2.INTER_LINEAR)
    columns = np.flatnonzero(leaned.any(axis=0))
    return leaned[:, columns[0] : columns[-1] + 1]


def _broken(mask: Mask, cap: float, strength: float, rng: np.random.Generator) -> Mask:
    """Cut gaps across the strokes of a letter."""
    places = rng.random(3), rng.uniform(0, np.pi, 3), rng.uniform(0.4, 1, 3), rng.random(3)
    if not strength:
        return mask
    ys, xs = np.nonzero(mask >= 128)
    cut = mask.copy()
    for place, angle, width, whether in zip(*places, strict=True):
        if whether > 0.3 + 0.7 * strength:
            continue
        at = int(place * len(xs))
        x, y = 16 * int(xs[at]), 16 * int(ys[at])
        step = np.rint(16 * 0.2 * cap * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        thick = max(1, round(0.12 * cap * strength * width))
        ends = (x - int(step[0]), y - int(step[1])), (x + int(step[0]), y + int(step[1]))
        cv2.line(cut, *ends, 0, thick, cv2.LINE_AA, shift=4)
    return cut if (cut >= 128).any() else mask


def _reach(before: Mask, rise_before: float, after: Mask, rise: float) -> int:
    """Return the least distance from the left edge of one letter to that of the next where they just meet."""
    top = round(rise_before - rise)  # the row of `before` that the first row of `after` lies on
    start, end = max(0, top), min(before.shape[0], top + after.shape[0])
    if start >= end:
        return before.shape[1]
    left, right = before[start:end] >= 128, after[start - top : end - top] >= 128
    far = np.where(left.any(axis=1), before.shape[1] - np.argmax(left[:, ::-1], axis=1), -(10**6))
    near = np.where(right.any(axis=1), np.argmax(right, axis=1), 10**6)
    meets = int((far - near).max())
    return meets if meets > 0 else before.shape[1]
