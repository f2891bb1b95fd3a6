"""Makes pages of forms as the world prints them, filled in by hand; each pixel's region is known."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.region_image import REGION_SIDE_PIXELS
from lettermill.segmentation.regions import Region
from lettermill.training.lines.hands import FontHand, GlyphHand, Hand, StrokeHand, draw_strokes
from lettermill.training.lines.texts import draw_text
from lettermill.training.lines.writing import Cells, Written, write
from lettermill.training.pages import printing
from lettermill.training.pages.page_planes import Field, Planes
from lettermill.training.pages.page_sources import PageSources

Array = NDArray[np.uint8]

_FILLED_SHARE = 0.75
"""Share of the fields in which something is written."""

_PLAIN_PAGE_SHARE = 0.16
"""Share of the pages that are writing alone, on plain, ruled or squared paper."""

_WORD_SHARE = 0.45
"""Share of the writing outside of cells that are words which people wrote as a whole."""

_THIN_SHARE, _THICK_SHARE = 0.04, 0.17
"""Bounds of a pen's thickness in heights of a capital."""

_TRIES = 6
_HAND_CAPITAL_PIXELS = 44


class PageMaker:
    """Makes pages; the same sources and generator give the same pages.

    Args:
        sources: what pages are made from.
        rng: the only source of randomness.
    """

    def __init__(self, sources: PageSources, rng: np.random.Generator) -> None:
        self._sources = sources
        self._rng = rng
        self._words = sources.hands.vocabulary
        self._drawings = sources.hands.drawings_by_character

    def page(self, height: int, width: int) -> Planes:
        """Make a page.

        Args:
            height: of the page in pixels.
            width: of the page in pixels.
        """
        return _Page(self, height, width, self._sources, self._rng).made()

    def hand(self) -> Hand:
        """Choose who writes."""
        rng, hands = self._rng, self._sources.hands
        kinds: list[Callable[[], Hand]] = []
        if hands.glyphs is not None:
            glyphs = hands.glyphs
            kinds += [lambda: GlyphHand(glyphs, float(rng.choice([0, 0, 0.3, 1])), rng)] * 4
        if hands.writers:
            kinds += [lambda: StrokeHand(self._writer(), rng)] * 4
        if hands.fonts:
            kinds += [lambda: self._font_hand()] * 3
        return kinds[int(rng.integers(len(kinds)))]()

    def _font_hand(self) -> Hand:
        font = self._sources.hands.fonts[int(self._rng.integers(len(self._sources.hands.fonts)))]
        return FontHand(font.glyphs, font.capital)

    def _writer(self) -> dict[str, list[list[NDArray[np.float32]]]]:
        rng, writers = self._rng, self._sources.hands.writers
        writer = dict(writers[int(rng.integers(len(writers)))])
        for character, drawings in self._drawings.items():
            writer.setdefault(character, [drawings[int(rng.integers(len(drawings)))]])
        return writer

    def written(self, hand: Hand, characters: int, cells: float | None) -> Written:
        """Write a text of about so many characters, at capitals of 44 pixels.

        Args:
            hand: who writes.
            characters: how many there is room for.
            cells: the pitch of cells in heights of a capital; None for a free line.
        """
        if cells is None and self._rng.random() < _WORD_SHARE:
            word = self._word(characters)
            if word is not None:
                return word
        for _ in range(_TRIES):
            text = draw_text(self._words, self._rng)
            if cells is None:
                while len(text) < characters * 0.6 and self._rng.random() < 0.7:
                    text = f"{text} {draw_text(self._words, self._rng)}"
            text = text[: max(1, characters)].strip()
            if not text.replace(" ", ""):
                continue
            row = None if cells is None else Cells(cells, (0, 0), 0.03)
            written = write(text, hand, _HAND_CAPITAL_PIXELS, row, self._rng)
            if written is not None and written.ink.any():
                return written
        return Written(np.zeros((_HAND_CAPITAL_PIXELS, 4), np.uint8), _HAND_CAPITAL_PIXELS, 0, "")

    def _word(self, characters: int) -> Written | None:
        """Choose a word that somebody wrote, as ink or as pen strokes; None if there is none that short."""
        rng, inked, drawn = self._rng, self._sources.words, self._sources.hands.words
        for _ in range(_TRIES):
            if inked and (not drawn or rng.random() < 0.6):
                word = inked[int(rng.integers(len(inked)))]
                if len(word.text) <= characters:
                    return word
            elif drawn:
                strokes, text = drawn[int(rng.integers(len(drawn)))]
                points = np.concatenate(strokes)
                low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-3)
                if 2 <= len(text) <= characters and size[0] < 25 * size[1]:
                    thickness = np.exp(rng.uniform(np.log(_THIN_SHARE), np.log(_THICK_SHARE)))
                    moved = [((stroke - low) / size[1]).astype(np.float32) for stroke in strokes]
                    one = draw_strokes(moved, _HAND_CAPITAL_PIXELS, float(thickness) * _HAND_CAPITAL_PIXELS)
                    known = text.replace(" ", "")
                    return Written(one.ink, _HAND_CAPITAL_PIXELS, max(0, -one.top), known)
        return None


@dataclasses.dataclass(slots=True)
class _Style:
    """What is the same all over a form, in pixels.

    Attributes:
        font: of captions.
        bold: of titles and bars.
        print: font size of captions.
        capital: height of the writing's capitals.
        pen: width of form lines.
        line_shade: darkness of form lines, 0 to 1.
        pen_shade: darkness of the writing.
        slant: columns by which the writing leans for each row.
        captions: where a field's caption stands: "left", "above", or "inside" its box.
        fields: how fields look: "comb", "half", "boxes", "rule", "dots", "box", "tint", "none", or "mixed".
    """

    font: Path
    bold: Path
    print: int
    capital: int
    pen: int
    line_shade: float
    pen_shade: float
    slant: float
    captions: str
    fields: str


class _Page:
    """A page that is being filled from top to bottom."""

    def __init__(
        self, maker: PageMaker, height: int, width: int, sources: PageSources, rng: np.random.Generator
    ) -> None:
        self._maker, self._sources, self._rng = maker, sources, rng
        self._planes = Planes.empty(height, width)
        self._hand = maker.hand()
        fonts = sources.print_fonts
        zoom = float(np.exp(rng.uniform(np.log(0.65), np.log(2.4)))) * max(height, width) / REGION_SIDE_PIXELS
        printed = float(rng.uniform(8, 15)) * zoom
        self._style = _Style(
            fonts[int(rng.integers(len(fonts)))],
            fonts[int(rng.integers(len(fonts)))],
            max(6, round(printed)),
            max(7, round(printed * rng.uniform(0.6, 2.3))),
            max(1, round(zoom * rng.uniform(0.2, 1.0) ** 2 * 2.4)),
            float(rng.uniform(0.2, 1)),
            float(rng.uniform(0.6, 1)),
            float(np.clip(rng.normal(0, 0.15), -0.5, 0.5)) if rng.random() < 0.6 else 0.0,
            str(rng.choice(["left", "above", "inside", "mixed"])),
            str(
                rng.choice(["comb", "half", "boxes", "rule", "dots", "box", "tint", "none", "mixed", "mixed"])
            ),
        )
        self._left = round(width * rng.uniform(0.02, 0.1))
        self._right = width - round(width * rng.uniform(0.02, 0.1))
        self._y = round(height * rng.uniform(0.01, 0.07))
        self._end = height - round(height * rng.uniform(0.01, 0.06))

    def made(self) -> Planes:
        """Fill the page."""
        rng, planes = self._rng, self._planes
        if rng.random() < _PLAIN_PAGE_SHARE:
            self._plain_page()
            return planes
        if rng.random() < 0.7:
            self._header()
        parts: list[tuple[Callable[[], None], float]] = [
            (self._fields, 6.0),
            (self._bar, 1.2),
            (self._table, 1.0),
            (self._paragraph, 1.0),
            (self._ticks, 1.6),
            (self._signature, 0.6),
            (self._codes, 0.35),
            (self._picture, 0.25),
            (self._writing, 0.6),
            (self._tallies, 0.4),
        ]
        if rng.random() < 0.08:  # A letter or a leaflet: nothing to fill in.
            parts = [(self._paragraph, 5.0), (self._bar, 1.0), (self._picture, 0.5), (self._table, 0.3)]
        weights = np.array([weight for _, weight in parts])
        weights *= np.exp(rng.normal(0, 0.7, len(parts)))
        while self._y < self._end - self._style.print:
            before = self._y
            parts[int(rng.choice(len(parts), p=weights / weights.sum()))][0]()
            self._y = max(self._y, before + 2) + round(rng.uniform(0, 1.2) * self._style.print)
        self._extras()
        return planes

    # Print.

    def _text(
        self, left: int, top: int, words: int, size: int, shade: float = 0.0, font: Path | None = None
    ) -> tuple[int, int]:
        """Print some words; return their width and height."""
        font = font or self._style.font
        image = printing.print_text(printing.choose_words(words, font, self._rng), font, size)
        image = image[:, : max(1, self._right - left)]
        self._planes.stamp(Region.PRINT, image, left, top, shade or float(self._rng.uniform(0.6, 1)))
        return image.shape[1], image.shape[0]

    def _header(self) -> None:
        rng, style = self._rng, self._style
        height = 0
        if rng.random() < 0.7:
            side = round(style.print * rng.uniform(2, 6))
            left = self._left if rng.random() < 0.5 else max(self._left, self._right - 2 * side)
            fonts = self._sources.symbol_fonts or self._sources.print_fonts
            font = fonts[int(rng.integers(len(fonts)))]
            image = printing.print_symbol(font, side, rng)
            if rng.random() < 0.3:
                image = np.pad(image, side // 8)
                image = np.asarray(255 - image, np.uint8)
            self._planes.fill(Region.OTHER, image, left, self._y)
            height = image.shape[0]
        if rng.random() < 0.8:
            size = round(style.print * rng.uniform(1.3, 3.5))
            left = self._left + round(rng.uniform(0, 0.5) * (self._right - self._left))
            _, high = self._text(left, self._y, int(rng.integers(1, 5)), size, font=style.bold)
            height = max(height, high)
        self._y += height

    def _bar(self) -> None:
        """A bar with a heading in it: dark or tinted; or a heading alone."""
        rng, style, planes = self._rng, self._style, self._planes
        size = round(style.print * rng.uniform(0.9, 1.7))
        words = printing.choose_words(int(rng.integers(1, 4)), style.bold, rng)
        text = printing.print_text(words, style.bold, size)
        high = round(text.shape[0] * rng.uniform(1.2, 2))
        kind = rng.random()
        left = self._left + round(rng.uniform(0, 1) * size)
        top = self._y + (high - text.shape[0]) // 2
        wide = self._right - self._left
        text = text[:, : max(1, self._right - left)]
        if kind < 0.45:
            bar = np.full((high, wide), round(255 * rng.uniform(0.4, 1)), np.float32)
            inset = bar[top - self._y : top - self._y + text.shape[0], left - self._left :][
                :, : text.shape[1]
            ]
            inset *= 1 - text[: inset.shape[0], : inset.shape[1]] / 255
            planes.fill(Region.PRINT, bar.astype(np.uint8), self._left, self._y)
        else:
            if kind < 0.7:
                planes.paper[self._y : self._y + high, self._left : self._right] *= rng.uniform(0.7, 0.95)
            planes.stamp(Region.PRINT, text, left, top)
        self._y += high

    def _paragraph(self) -> None:
        rng, style = self._rng, self._style
        size = max(5, round(style.print * rng.uniform(0.55, 1.1)))
        gap = round(size * rng.uniform(1.1, 1.6))
        shade = float(rng.uniform(0.5, 1))
        left = self._left + round(rng.choice([0, 0, 0.5]) * (self._right - self._left))
        for _ in range(int(rng.integers(1, 9))):
            if self._y + size > self._end:
                return
            self._text(left, self._y, int(rng.integers(6, 22)), size, shade)
            self._y += gap

    def _codes(self) -> None:
        rng = self._rng
        side = round(self._style.print * rng.uniform(3, 9))
        left = round(rng.uniform(self._left, max(self._left + 1, self._right - 2 * side)))
        if rng.random() < 0.5:
            image = printing.qr_code(side, rng)
        else:
            image = printing.bar_code(max(6, side // 2), 2 * side, rng)
        self._planes.fill(Region.OTHER, image, left, self._y)
        self._y += image.shape[0] if rng.random() < 0.5 else side // 4

    def _photograph(self, height: int, width: int) -> Array:
        """Cut a piece out of a photograph: 255 for black."""
        rng, pictures = self._rng, self._sources.pictures
        if not pictures:
            noise = rng.normal(0, 1, (max(2, height // 12), max(2, width // 12))).astype(np.float32)
            large = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
            return np.asarray(np.clip(128 + 60 * large, 0, 255), np.uint8)
        return photograph(pictures[int(rng.integers(len(pictures)))], height, width, rng)

    def _picture(self) -> None:
        rng = self._rng
        side = round(self._style.print * rng.uniform(5, 14))
        left = round(rng.uniform(self._left, max(self._left + 1, self._right - side)))
        self._planes.fill(Region.OTHER, self._photograph(side, side), left, self._y)
        self._y += side if rng.random() < 0.5 else side // 4

    # What people fill in.

    def _write(
        self,
        text: Written,
        left: float,
        baseline: float,
        capital: float,
        most: float,
        region: Region = Region.WRITING,
    ) -> tuple[float, float]:
        """Put writing on the page, feet on a line; return its left and right edge."""
        scale = capital / text.cap
        scale_x = min(scale, most / max(1, text.ink.shape[1]))
        size = (max(1, round(text.ink.shape[1] * scale_x)), max(1, round(text.ink.shape[0] * scale)))
        ink = cv2.resize(text.ink, size, interpolation=cv2.INTER_AREA)
        margin = round(abs(self._style.slant) * size[1]) + 1 if not text.cells else 0
        if margin:
            ink = np.pad(ink, ((0, 0), (margin, margin)))
            foot = (text.top + text.cap) * scale
            matrix = np.array([[1, -self._style.slant, self._style.slant * foot], [0, 1, 0]], np.float32)
            ink = cv2.warpAffine(ink, matrix, (ink.shape[1], ink.shape[0]))
        top = round(baseline - (text.top + text.cap) * scale)
        start = round(left) - margin
        self._planes.stamp(region, np.asarray(ink, np.uint8), start, top, self._style.pen_shade)
        return left, left + size[0]

    def _rule(self, start: tuple[float, float], end: tuple[float, float], kind: str = "solid") -> None:
        """Draw a form line: solid, dots or dashes."""
        plane, style = self._planes.ink[Region.LINES], self._style
        shade = round(255 * style.line_shade)
        if kind == "solid":
            cv2.line(
                plane, (round(start[0]), round(start[1])), (round(end[0]), round(end[1])), shade, style.pen
            )
            return
        step = max(3, 3 * style.pen)
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for at in np.arange(0, length, step):
            x = round(start[0] + (end[0] - start[0]) * at / length)
            y = round(start[1] + (end[1] - start[1]) * at / length)
            plane[y : y + style.pen, x : x + max(1, style.pen)] = shade

    def _box(self, left: float, top: float, right: float, bottom: float) -> None:
        for start, end in itertools.pairwise(
            [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        ):
            self._rule(start, end)

    def _fields(self) -> None:
        """One to five rows of fields, one to four beside each other."""
        rng = self._rng
        for _ in range(int(rng.integers(1, 6))):
            if self._y > self._end - 2 * self._style.capital:
                return
            columns = int(rng.choice([1, 1, 2, 2, 3, 4]))
            edges = np.linspace(self._left, self._right, columns + 1)
            if columns > 1:
                edges[1:-1] += rng.normal(0, 0.08, columns - 1) * (self._right - self._left) / columns
            heights = [self._field(round(one), round(other)) for one, other in itertools.pairwise(edges)]
            self._y += max(heights) + round(rng.uniform(0.1, 0.9) * self._style.print)

    def _field(self, left: int, right: int) -> int:
        """Print a field from a left to a right column and write in it; return its height."""
        rng, style = self._rng, self._style
        captions = (
            style.captions if style.captions != "mixed" else str(rng.choice(["left", "above", "inside"]))
        )
        top, gap = self._y, round(0.3 * style.print)
        look = style.fields
        if look == "mixed":
            look = str(rng.choice(["comb", "half", "boxes", "rule", "dots", "box", "tint", "none"]))
        right -= round(rng.uniform(0, 0.06) * (right - left)) + gap
        if right - left < 3 * style.capital:
            return style.capital
        caption = round(min(right - left, 12 * style.print))
        image = printing.print_text(
            printing.choose_words(int(rng.integers(1, 4)), style.font, rng), style.font, style.print
        )[:, :caption]
        shade = float(rng.uniform(0.6, 1))
        high = round(style.capital * rng.uniform(1.15, 2.1))
        start = left
        if captions == "left" and rng.random() < 0.3:  # In two lines.
            half = (image.shape[1] + 1) // 2
            level = top + (high - round(1.9 * image.shape[0])) // 2
            for row, part in enumerate((image[:, :half], image[:, half:])):
                self._planes.stamp(Region.PRINT, part, left, level + row * image.shape[0], shade)
            start = left + half + gap
        elif captions == "left":
            level = top + round((high - image.shape[0]) * rng.uniform(0.4, 0.9))
            self._planes.stamp(Region.PRINT, image, left, level, shade)
            start = left + image.shape[1] + gap
        elif captions == "above":
            self._planes.stamp(Region.PRINT, image, left, top, shade)
            top += image.shape[0] + gap // 2
        else:
            look = look if look in ("box", "tint", "none") else "box"
            self._planes.stamp(Region.PRINT, image, left + gap, top + gap // 2, shade)
            high += image.shape[0]
        if right - start < 2 * style.capital:
            return high
        self._fill_field(look, start, right, top, top + high)
        return top + high - self._y

    def _fill_field(self, look: str, left: int, right: int, top: int, bottom: int) -> None:
        """Draw a field and write in it."""
        rng, style, planes = self._rng, self._style, self._planes
        capital = style.capital * float(np.clip(rng.normal(1, 0.08), 0.8, 1.2))
        baseline = bottom - rng.uniform(0.05, 0.25) * style.capital
        filled = rng.random() < _FILLED_SHARE
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        if look in ("comb", "half", "boxes"):
            text = self._draw_comb(look, left, right, top, bottom, capital, filled)
            planes.fields.append(Field(text, corners))
            return
        if look == "rule":
            self._rule((left, bottom), (right, bottom))
        elif look == "dots":
            self._rule((left, bottom), (right, bottom), "dots")
        elif look == "box":
            self._box(left, top, right, bottom)
        elif look == "tint":
            planes.paper[top:bottom, left:right] *= rng.uniform(0.75, 0.95)
        text = ""
        if filled and rng.random() < 0.06:  # Filled in by a machine.
            self._text(
                left + style.pen + 2, round(baseline - capital), int(rng.integers(1, 4)), round(1.2 * capital)
            )
        elif filled:
            room = right - left - capital
            written = self._maker.written(self._hand, int(room / capital / 0.8), None)
            at = left + rng.uniform(0.1, 0.6) * capital
            self._write(written, at, baseline, capital, room)
            text = written.text
        elif rng.random() < 0.08:  # Struck through because it does not apply.
            middle = (top + bottom) / 2
            shade = round(255 * style.pen_shade)
            cv2.line(
                planes.ink[Region.OTHER],
                (round(left + 0.1 * (right - left)), round(middle + rng.normal(0, 3))),
                (round(right - rng.uniform(0.1, 0.6) * (right - left)), round(middle + rng.normal(0, 6))),
                shade,
                max(1, round(capital * 0.08)),
                cv2.LINE_AA,
            )
        planes.fields.append(Field(text, corners))

    def _draw_comb(
        self, look: str, left: int, right: int, top: int, bottom: int, capital: float, filled: bool
    ) -> str:
        """Draw cells and write in them; return what is written."""
        rng, style, planes = self._rng, self._style, self._planes
        pitch = capital * rng.uniform(0.85, 1.6)
        count = max(1, min(int((right - left) / pitch), int(rng.choice([2, 3, 6, 10, 16, 30]))))
        walls = left + pitch * np.arange(count + 1)
        white = look == "boxes" and rng.random() < 0.2
        space = rng.uniform(0.02, 0.2) * pitch if look == "boxes" else 0.0
        if white:
            planes.paper[max(0, top - 3) : bottom + 3, left:right] *= rng.uniform(0.6, 0.92)
        for one, other in itertools.pairwise(walls):
            if white:
                planes.paper[top:bottom, round(one + space / 2) : round(other - space / 2)] = 1.0
            elif look == "boxes":
                self._box(one + space / 2, top, other - space / 2, bottom)
        if look != "boxes":
            high = top if look == "comb" else bottom - rng.uniform(0.2, 0.6) * (bottom - top)
            for wall in walls:
                self._rule((wall, high), (wall, bottom))
            self._rule((walls[0], bottom), (walls[-1], bottom))
            if look == "comb":
                self._rule((walls[0], top), (walls[-1], top))
        if rng.random() < 0.15:
            self._guides(walls.tolist(), top, bottom)
        if rng.random() < 0.08:  # What is to be written, printed in the cells: D D M M Y Y Y Y.
            for one, character in zip(walls[:-1].tolist(), "DDMMYYYY", strict=False):
                image = printing.print_text(character, style.font, round(0.8 * capital))
                planes.stamp(
                    Region.PRINT,
                    image,
                    round(one + (pitch - image.shape[1]) / 2),
                    round(top + 0.3 * capital),
                    0.35,
                )
        if not filled:
            return ""
        crossed = int(rng.integers(1, count)) if count > 1 and rng.random() < 0.08 else 0
        for wall in walls[:crossed].tolist():
            self._cross_out(wall, top, wall + pitch, bottom)
        written = self._maker.written(self._hand, count - crossed, pitch / capital)
        baseline = bottom - 0.5 * (bottom - top - capital) - rng.normal(0, 0.05) * capital
        scale = capital / written.cap
        first = left + crossed * pitch
        self._write(
            written, first - written.cells[0] * scale if written.cells else first, baseline, capital, 1e6
        )
        return "X" * crossed + written.text

    def _cross_out(self, left: float, top: float, right: float, bottom: float) -> None:
        """Cross a cell out with the pen that writes."""
        rng, style = self._rng, self._style
        pen = max(1, round(style.capital * rng.uniform(0.05, 0.15)))
        reach = rng.uniform(0.05, 0.3) * (right - left)
        shade = round(255 * style.pen_shade)
        for ends in (((left, top), (right, bottom)), ((right, top), (left, bottom))):
            points = np.array(ends) + rng.normal(0, 0.04, (2, 2)) * (right - left)
            inner = points + (points.mean(axis=0) - points) * (2 * reach / (right - left))
            start, end = ([round(at) for at in point] for point in inner.tolist())
            cv2.line(self._planes.ink[Region.WRITING], start, end, shade, pen, cv2.LINE_AA)

    def _guides(self, walls: Sequence[float], top: int, bottom: int) -> None:
        """Draw seven-segment guides into cells."""
        high, low = top + 0.15 * (bottom - top), bottom - 0.15 * (bottom - top)
        for one, other in itertools.pairwise(walls):
            inset = 0.22 * (other - one)
            self._box(one + inset, high, other - inset, low)
            self._rule((one + inset, (high + low) / 2), (other - inset, (high + low) / 2))

    def _table(self) -> None:
        """A table: a printed head, rows with printed and written cells."""
        rng, style = self._rng, self._style
        columns, rows = int(rng.integers(2, 7)), int(rng.integers(2, 9))
        edges = np.linspace(self._left, self._right, columns + 1)
        edges[1:-1] += rng.normal(0, 0.1, columns - 1) * (self._right - self._left) / columns
        printed = rng.random(columns) < 0.3
        high = round(style.capital * rng.uniform(1.3, 2.2))
        has_lines = rng.random() < 0.85
        top = self._y
        for row in range(rows + 1):
            if self._y + high > self._end:
                break
            for column, (one, other) in enumerate(itertools.pairwise(edges.tolist())):
                left, right = round(one + 0.2 * style.print), round(other - 0.2 * style.print)
                if has_lines:
                    self._box(one, self._y, other, self._y + high)
                if row == 0 or printed[column]:
                    level = self._y + max(0, (high - style.print) // 2)
                    numbered = row > 0 and rng.random() < 0.4
                    image = printing.print_text(
                        str(row)
                        if numbered
                        else printing.choose_words(int(rng.integers(1, 4)), style.font, rng),
                        style.font,
                        round(style.print * (rng.uniform(1, 2) if numbered else 1)),
                    )
                    self._planes.stamp(Region.PRINT, image[:, : max(1, right - left)], left, level, 0.9)
                elif right - left > 2 * style.capital:
                    self._fill_field("none", left, right, self._y, self._y + high)
            self._y += high
        if not has_lines and self._y > top:
            self._rule((self._left, top), (self._right, top))

    def _ticks(self) -> None:
        """Boxes to tick, some ticked, with their captions; now and then circled words."""
        rng, style = self._rng, self._style
        side = round(style.print * rng.uniform(0.8, 1.8))
        for _ in range(int(rng.integers(1, 4))):
            if self._y + side > self._end:
                return
            x = self._left
            while x < self._right - 6 * style.print:
                shape = rng.random()
                if shape < 0.8:
                    self._box(x, self._y, x + side, self._y + side)
                else:
                    cv2.circle(
                        self._planes.ink[Region.LINES],
                        (x + side // 2, self._y + side // 2),
                        side // 2,
                        round(255 * style.line_shade),
                        style.pen,
                        cv2.LINE_AA,
                    )
                if rng.random() < 0.4:
                    pen = max(1, round(style.capital * rng.uniform(0.05, 0.15)))
                    image = printing.tick(round(side * rng.uniform(0.8, 1.7)), pen, rng)
                    at = x + round(rng.normal(0, 0.15) * side), self._y - round(rng.uniform(0, 0.5) * side)
                    self._planes.stamp(Region.OTHER, image, *at, style.pen_shade)
                wide, _ = self._text(x + round(1.4 * side), self._y, int(rng.integers(1, 4)), style.print)
                x += round(1.4 * side) + wide + round(rng.uniform(0.5, 3) * style.print)
            self._y += round(side * rng.uniform(1.2, 2))

    def _signature(self) -> None:
        rng, style = self._rng, self._style
        high, wide = round(style.capital * rng.uniform(2, 5)), round(style.capital * rng.uniform(5, 14))
        left = round(rng.uniform(self._left, max(self._left + 1, self._right - wide)))
        if rng.random() < 0.8:
            self._planes.stamp(
                Region.OTHER, printing.scribble(high, wide, rng), left, self._y, style.pen_shade
            )
        self._rule((left, self._y + 0.8 * high), (left + wide, self._y + 0.8 * high))
        self._text(left, self._y + round(0.85 * high), 2, style.print)
        self._y += high + style.print

    def _tallies(self) -> None:
        rng, style = self._rng, self._style
        x = self._left
        while x < self._right - 6 * style.capital:
            image = printing.tally(style.capital, int(rng.integers(1, 6)), rng)
            self._planes.stamp(Region.OTHER, image, x, self._y, style.pen_shade)
            x += image.shape[1] + round(rng.uniform(0.3, 3) * style.capital)
        self._y += round(1.3 * style.capital)

    def _writing(self) -> None:
        """Free lines of writing."""
        rng, style = self._rng, self._style
        gap = style.capital * rng.uniform(1.4, 2.4)
        for _ in range(int(rng.integers(1, 6))):
            if self._y + gap > self._end:
                return
            self._line(self._left, self._right, self._y + gap, style.capital)
            self._y += round(gap)

    def _line(self, left: float, right: float, baseline: float, capital: float) -> None:
        rng = self._rng
        room = (right - left) * rng.uniform(0.3, 1)
        written = self._maker.written(self._hand, int(room / capital / 0.8), None)
        self._write(written, left, baseline, capital, room)
        high = 1.2 * capital
        corners = [
            [left, baseline - high],
            [left + room, baseline - high],
            [left + room, baseline],
            [left, baseline],
        ]
        self._planes.fields.append(Field(written.text, np.array(corners, np.float32)))

    def _plain_page(self) -> None:
        """Writing alone, on plain, ruled or squared paper, in one size."""
        rng, style = self._rng, self._style
        capital = style.capital * rng.uniform(1, 1.6)
        gap = capital * rng.uniform(1.4, 2.6)
        kind = rng.random()
        height, width = self._planes.area.shape
        if kind < 0.3:
            for level in np.arange(self._y + gap, height, gap):
                self._rule((0, level + 2), (width, level + 2))
        elif kind < 0.42:
            cell = capital * rng.uniform(0.3, 1.4)
            for at in np.arange(0, width, max(4, cell)):
                self._rule((at, 0), (at, height))
            for at in np.arange(0, height, max(4, cell)):
                self._rule((0, at), (width, at))
        spread = rng.random() < 0.15
        while self._y + gap < self._end:
            left = self._left + (rng.uniform(0, 0.3) * width if rng.random() < 0.2 else 0)
            if spread:  # Single words here and there.
                capital = style.capital * rng.uniform(0.7, 2.5)
                gap = max(gap, capital * 1.3)
            self._line(left, self._right, self._y + gap, capital)
            self._y += round(gap * (2 if rng.random() < 0.1 else 1))

    def _extras(self) -> None:
        """What lies across a form: stamps, marks to register by, notes at the edge, holes."""
        rng, style, planes = self._rng, self._style, self._planes
        height, width = planes.area.shape
        if rng.random() < 0.2:
            side = round(style.print * rng.uniform(6, 14))
            image = printing.stamp_image(side, self._sources.print_fonts, rng)
            at = round(rng.uniform(0, width - side)), round(rng.uniform(0, max(1, height - side)))
            planes.stamp(Region.OTHER, image, *at, float(rng.uniform(0.4, 1)))
        if rng.random() < 0.3:
            self._register_marks()
        if rng.random() < 0.15:  # Small print that runs up the edge.
            font = style.font
            image = printing.print_text(printing.choose_words(8, font, rng), font, max(6, style.print - 2))
            planes.stamp(Region.PRINT, np.rot90(image), width - 2 * image.shape[0], height // 3, 0.8)
        if rng.random() < 0.1:
            for y in (height // 3, 2 * height // 3):
                cv2.circle(planes.ink[Region.OTHER], (width // 40, y), max(4, width // 70), 255, -1)
        if rng.random() < 0.15:  # A word across the print.
            capital = style.capital * rng.uniform(1, 2)
            self._line(rng.uniform(0, 0.6) * width, width, rng.uniform(0.1, 0.95) * height, capital)

    def _register_marks(self) -> None:
        """Marks by which machines find a form's place: at its corners, and some anywhere along its edges."""
        rng, planes = self._rng, self._planes
        height, width = planes.area.shape
        side = max(4, round(self._style.print * rng.uniform(0.5, 1.6)))
        places = list(itertools.product((side, width - 3 * side), (side, height - 2 * side)))
        for _ in range(int(rng.integers(0, 12))):
            x = side if rng.random() < 0.3 else round(rng.uniform(side, width - 2 * side))
            places.append((x, round(rng.uniform(side, height - 2 * side))))
        for place in places:
            planes.stamp(Region.OTHER, printing.register_mark(side, rng), *place)


def photograph(picture: Array, height: int, width: int, rng: np.random.Generator) -> Array:
    """Cut a piece out of a photograph, turned and stretched: uint8, height×width, 255 for black."""
    high, wide = picture.shape
    share = rng.uniform(0.3, 1)
    rows, columns = max(2, int(high * share)), max(2, int(wide * share))
    y, x = int(rng.integers(high - rows + 1)), int(rng.integers(wide - columns + 1))
    piece = np.rot90(picture[y : y + rows, x : x + columns], int(rng.integers(4)))
    scaled = cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(255 - np.clip(scaled * rng.uniform(0.7, 1.3), 0, 255), np.uint8)
