"""Makes lines for the line network: a text, written by one hand, on a form, scanned, as a line image."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import MARKS
from lettermill.segmentation.line_image import line_image
from lettermill.training.letters.stroke_archive import Drawing
from lettermill.training.lines.form_paper import Sheet, lay_out
from lettermill.training.lines.hands import (
    FontHand,
    GlyphHand,
    Hand,
    StrokeHand,
    crop,
    draw_strokes,
)
from lettermill.training.lines.line_sources import LineSources
from lettermill.training.lines.scanning import scan
from lettermill.training.lines.texts import draw_text
from lettermill.training.lines.writing import Cells, Written, write

Array = NDArray[np.uint8]

WIDEST_COLUMNS = 640
"""Wider lines are not trained on: a batch is as wide as its widest line."""

_CAPITAL_PIXELS = (48, 36)
_WORD_SHARE = 0.18
"""Share of the lines that are a word which a person wrote as a whole."""

_EMPTY_SHARE = 0.022
"""Share of the lines on which nothing is written."""

_CELLS_SHARE = 0.42
_GLYPH_WEIGHT, _STROKE_WEIGHT, _FONT_WEIGHT = 0.5, 0.3, 0.2
"""How often each kind of hand writes, if all are there."""

_THIN_SHARE, _THICK_SHARE = 0.04, 0.17
"""Bounds of a pen's thickness in heights of a capital."""

_LONGEST_WORD = 25
"""Characters of a word as pen strokes; longer ones are whole sentences."""

_REMEMBERED = 200
"""Lines whose feet or heads may reach into others."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TrainingLine:
    """A line to train on.

    Attributes:
        image: uint8, 32×w, as `line_image` makes it.
        text: what is written, without spaces.
        marks_unknown: whether marks may be written that the text lacks; then only the kind of character of
            the text may be answered.
    """

    image: Array
    text: str
    marks_unknown: bool = False


class LineMaker:
    """Makes lines, one after the other; the same sources and seed give the same lines.

    Args:
        sources: what the lines are made from.
        rng: the only source of randomness.
    """

    def __init__(self, sources: LineSources, rng: np.random.Generator) -> None:
        self._sources = sources
        self._rng = rng
        self._vocabulary = sources.vocabulary
        self._drawings = sources.drawings_by_character
        self._others: list[Array] = []
        weights = np.array(
            [
                _GLYPH_WEIGHT * (sources.glyphs is not None),
                _STROKE_WEIGHT * bool(sources.writers),
                _FONT_WEIGHT * bool(sources.fonts),
            ]
        )
        self._shares = weights / weights.sum()

    def line(self) -> TrainingLine:
        """Make a line, at most 640 columns wide."""
        while True:
            written = self._written()
            if written is None:
                continue
            sheet = lay_out(written, self._sources.captions, self._others, self._rng)
            grey = self._cut(scan(sheet, self._rng), sheet)
            if grey is None:
                continue
            image = line_image(grey)
            if image.shape[1] <= WIDEST_COLUMNS:
                return TrainingLine(image, written.text)

    def _hand(self) -> Hand:
        """Choose who writes."""
        rng, sources = self._rng, self._sources
        kind = rng.choice(3, p=self._shares)
        if kind == 0 and sources.glyphs is not None:
            lower_share = 0.0 if rng.random() < 0.82 else (0.3 if rng.random() < 0.8 else 1.0)
            return GlyphHand(sources.glyphs, lower_share, rng)
        if kind == 1:
            writer = dict(sources.writers[int(rng.integers(len(sources.writers)))])
            if rng.random() < 0.5 or len(writer) < 30:  # Borrow from others what this one never wrote.
                for character, drawings in self._drawings.items():
                    writer.setdefault(character, [drawings[int(rng.integers(len(drawings)))]])
            return StrokeHand(writer, rng)
        font = sources.fonts[int(rng.integers(len(sources.fonts)))]
        return FontHand(font.glyphs, font.capital)

    def _written(self) -> Written | None:
        """Write a line; None if the hand lacks a character, or the word is too long."""
        rng = self._rng
        capital = int(rng.choice(_CAPITAL_PIXELS))
        if self._sources.words and rng.random() < _WORD_SHARE:
            return self._word(capital)
        if rng.random() < _EMPTY_SHARE:
            return _empty(capital, rng)
        text = draw_text(self._vocabulary, rng)
        if not text.replace(" ", ""):
            return None
        written = write(text, self._hand(), capital, self._cells(text), rng)
        if written is None:
            return None
        stretch = float(np.exp(rng.normal(0, 0.13)))
        written = dataclasses.replace(
            written,
            ink=_stretched(written.ink, stretch),
            cells=tuple(wall * stretch for wall in written.cells),
        )
        if (len(self._others) < _REMEMBERED or rng.random() < 0.1) and written.ink.any():
            self._others = [*self._others, crop(written.ink)][-_REMEMBERED:]
        return written

    def _cells(self, text: str) -> Cells | None:
        """Choose the cells to write in; None for a free line. Marks seldom have a cell of their own."""
        rng = self._rng
        if rng.random() >= _CELLS_SHARE or (any(mark in text for mark in MARKS) and rng.random() < 0.4):
            return None
        empty = (int(rng.choice([0, 0, 0, 1, 2])), int(rng.choice([0, 0, 1, 2, 3, 5])))
        return Cells(float(rng.uniform(0.75, 1.5)), empty, float(rng.choice([0, 0, 0, 0.1])))

    def _word(self, capital: int) -> Written | None:
        """Draw a word that a person wrote as a whole; None if it is too long."""
        rng = self._rng
        strokes, text = self._sources.words[int(rng.integers(len(self._sources.words)))]
        points = np.concatenate(strokes)
        low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-3)
        if len(text) > _LONGEST_WORD or size[0] > 25 * size[1] or not text.strip():
            return None
        high = 1.0 if len(text) < 3 else 1.15
        moved: Drawing = [((stroke - low) / size[1] * high).astype(np.float32) for stroke in strokes]
        thickness = float(np.exp(rng.uniform(np.log(_THIN_SHARE), np.log(_THICK_SHARE)))) * capital
        drawn = draw_strokes(moved, capital, thickness)
        ink = _stretched(drawn.ink, float(np.exp(rng.normal(0, 0.12))))
        return Written(ink, capital, max(0, -drawn.top), text.replace(" ", ""))

    def _cut(self, grey: Array, sheet: Sheet) -> Array | None:
        """Cut the line's rows out about as the segmentation does; None if too little is left."""
        rng = self._rng
        scale = grey.shape[0] / sheet.ink.shape[0]
        top, capital = sheet.top * scale, sheet.cap * scale
        first = int(max(0, top - rng.uniform(0.05, 0.75) * capital))
        last = int(min(grey.shape[0], top + capital * (1 + rng.uniform(0.05, 0.75))))
        if rng.random() < 0.75:
            grey = grey[first : max(last, first + 4)]
        if min(grey.shape) < 4:
            return None
        stretch = float(np.exp(rng.normal(0, 0.08)))
        if abs(stretch - 1) <= 0.02:
            return grey
        size = max(4, round(grey.shape[1] * stretch)), grey.shape[0]
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _stretched(ink: Array, stretch: float) -> Array:
    """Make ink wider or narrower."""
    size = max(2, round(ink.shape[1] * stretch)), ink.shape[0]
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _empty(capital: int, rng: np.random.Generator) -> Written:
    """Make a line on which nothing is written, half of the time with cells."""
    if rng.random() < 0.5:
        pitch, count = rng.uniform(0.7, 1.4) * capital, int(rng.integers(2, 9))
        ink = np.zeros((capital, int(count * pitch) + 1), np.uint8)
        return Written(ink, capital, 0, "", tuple(number * pitch for number in range(count + 1)))
    return Written(np.zeros((capital, int(rng.uniform(0.5, 6) * capital)), np.uint8), capital, 0, "")
