"""Writes letters: a handwriting font, or a writer's pen strokes drawn anew."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SUFFIXES = frozenset({".ttf", ".otf", ".woff", ".woff2"})

_TAP = 0.05  # of the drawing's longer side; capitals and digits have no dots
_SLIP, _TURN, _GROW = 0.02, 0.04, 0.04  # of a stroke by itself, as in training/letters/strokes.py

Mask = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class Glyph:
    """A letter's ink: uint8, cropped to it, 0 to 255; and the row of the baseline in it."""

    mask: Mask
    foot: float


class Hand(Protocol):
    """Writes single letters."""

    name: str

    def write(self, character: str, cap: float, pen: float, rng: np.random.Generator) -> Glyph:
        """Write one character with capitals of `cap` pixels and a pen of `pen` pixels."""


class FontHand:
    """A font; its strokes are thickened to the pen where they are thinner, never thinned.

    Args:
        path: a ttf, otf, woff or woff2 file.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = str(path)

    def write(self, character: str, cap: float, pen: float, rng: np.random.Generator) -> Glyph:
        """Write one character."""
        font = _font(self._path, round(cap))
        pad = round(2 * cap)
        left, top, right, bottom = font.getbbox(character, anchor="ls")
        image = Image.new("L", (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad))
        ImageDraw.Draw(image).text((pad - left, pad - top), character, 255, font, anchor="ls")
        mask = np.array(image)
        outline = sum(cv2.arcLength(shape, True) for shape in _contours(mask))
        missing = round(pen - 2 * np.count_nonzero(mask >= 128) / max(1.0, outline))
        if missing >= 1:
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (missing + 1, missing + 1))
            mask = cv2.dilate(mask, disc)
        return _cropped(mask, pad - top)


class StrokeHand:
    """A writer of a file of pen strokes: each letter is drawn anew, its strokes moved a little by themselves.

    Args:
        name: the writer.
        drawings: character → drawing, a list of strokes, float32 n×2, in any unit.
    """

    def __init__(self, name: str, drawings: dict[str, list[NDArray[np.float32]]]) -> None:
        self.name = name
        self._drawings = drawings

    def write(self, character: str, cap: float, pen: float, rng: np.random.Generator) -> Glyph:
        """Write one character.

        `strokes.render` takes another pen for each letter and has 96 pixels; a page has one pen.
        """
        drawing = self._drawings[character]
        points = np.concatenate(drawing)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = (cap - pen) / max(1.0, float(high[1] - low[1]))
        pad = 2 * pen + 0.3 * cap
        size = np.ceil((high - low) * scale + 2 * pad).astype(int)
        mask = np.zeros((size[1], size[0]), np.uint8)
        for stroke in drawing:
            moved = _moved((stroke - low) * scale, cap, rng) + pad
            fixed = np.rint(moved * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(mask, [fixed], False, 255, max(1, round(pen)), cv2.LINE_AA, shift=4)
        return _cropped(mask, pad + cap - pen / 2)


def font_hands(folder: Path) -> list[Hand]:
    """Return a hand for each font file of a folder that has all capitals, by name."""
    hands: list[Hand] = [
        FontHand(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES
    ]
    if not hands:
        raise FileNotFoundError(f"{folder} holds no font (ttf, otf, woff, woff2)")
    return hands


def stroke_hands(path: Path, writers: Sequence[int]) -> list[Hand]:
    """Return hands of a file of pen strokes as `lettermill.training.letters.strokes.read_strokes` takes it.

    Args:
        path: JSON: label → drawings, drawing i by writer i, counted from 1.
        writers: whose hands.
    """
    file = json.loads(path.read_text(encoding="utf-8"))
    hands: list[Hand] = []
    for writer in writers:
        drawings = {
            label: _without_taps([np.asarray(stroke, np.float32) for stroke in each[writer - 1] if stroke])
            for label, each in file.items()
            if writer <= len(each) and any(each[writer - 1])
        }
        hands.append(StrokeHand(f"{writer:03}", drawings))
    return hands


def _without_taps(drawing: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Leave out strokes in which the pen was only set down beside the letter."""
    whole = np.ptp(np.concatenate(drawing), axis=0).max()
    return [stroke for stroke in drawing if np.ptp(stroke, axis=0).max() > _TAP * whole] or drawing


@functools.cache
def _font(path: str, cap: int) -> ImageFont.FreeTypeFont:
    """Load a font in the size that makes its H `cap` pixels high."""
    _, top, _, bottom = ImageFont.truetype(path, 200).getbbox("H", anchor="ls")
    return ImageFont.truetype(path, max(1.0, 200 * cap / max(1.0, bottom - top)))


def _moved(stroke: NDArray[np.float32], cap: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift, turn and grow one stroke about its middle a little."""
    middle = (stroke.min(axis=0) + stroke.max(axis=0)) / 2
    angle, grow = rng.normal(0, _TURN), 1 + rng.normal(0, _GROW)
    turn = grow * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float32] = (stroke - middle) @ turn.T + middle + rng.normal(0, _SLIP * cap, 2)
    return moved


def _contours(mask: Mask) -> Sequence[NDArray[np.int32]]:
    shapes, _ = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return shapes


def _cropped(mask: Mask, foot: float) -> Glyph:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("the hand has no ink for this character")
    return Glyph(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], foot - rows[0])
