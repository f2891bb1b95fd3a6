"""Draws characters as one hand writes them: glyphs of a set, pen strokes of one writer, or a font.

Every character of a line comes from one hand, so that the line looks as if one person wrote it. A set
without writers (SD19) gives glyphs of about the same slant and pen, chosen out of a few.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import MARKS
from lettermill.training.letters.stroke_archive import Stroke

Array = NDArray[np.uint8]

SIGNS = '()!?:;+=$%#&"'
"""What people write between letters and digits that the network is to pass over: no line's text has it."""

_LOW_LETTERS, _DEEP_LETTERS = frozenset("acemnorsuvwxz"), frozenset("gjpqy")
_X_HEIGHT = 0.68
"""Height of a lower-case letter without ascender, in heights of a capital."""

_CHOICES = 8
"""Glyphs of a set that compete for being the likest to the line's pen and slant."""


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One character's ink.

    Attributes:
        ink: uint8, h×w, 255 for ink, cropped to the ink.
        top: its first row, in pixels below the top of a capital.
    """

    ink: Array
    top: int


class Hand(Protocol):
    """Draws characters as one person writes them."""

    def draw(self, character: str, cap: int, rng: np.random.Generator) -> Drawn | None:
        """Draw one character for capitals of `cap` pixels; None if this hand has none."""


@dataclasses.dataclass(frozen=True)
class GlyphSet:
    """Glyphs of a set without writers.

    Attributes:
        images: uint8, n×h×w, white ink on black; the longest side of a capital is `side` pixels.
        of: for each character the numbers of its glyphs.
        style: float32, n×2: stroke width in pixels and slant (columns a row), both divided by their spread.
        side: the longest side of a glyph's ink in pixels.
    """

    images: Array
    of: Mapping[str, NDArray[np.intp]]
    style: NDArray[np.float32]
    side: int

    @staticmethod
    def of_images(images: Array, labels: Sequence[str], side: int) -> GlyphSet:
        """Group glyphs by label and measure the style of each."""
        names = np.asarray(labels)
        style = np.array([_style(image) for image in images], np.float32)
        return GlyphSet(
            images,
            {str(name): np.flatnonzero(names == name) for name in np.unique(names)},
            style / np.maximum(style.std(axis=0), 1e-3),
            side,
        )


def _style(image: Array) -> tuple[float, float]:
    """Measure a glyph's stroke width in pixels and its slant, from its moments."""
    ink = image >= 128
    area = int(ink.sum())
    inner = int(cv2.erode(ink.astype(np.uint8), np.ones((3, 3), np.uint8)).sum())
    edge = max(1, area - inner)
    moments = cv2.moments(ink.astype(np.uint8), binaryImage=True)
    slant = moments["mu11"] / moments["mu02"] if moments["mu02"] > 0 else 0.0
    return 2 * area / edge, float(np.clip(slant, -1, 1))


class GlyphHand:
    """Writes with the glyphs of a set that are likest to one pen and slant."""

    def __init__(self, glyphs: GlyphSet, lower_share: float, rng: np.random.Generator) -> None:
        self._glyphs = glyphs
        self._lower_share = lower_share
        self._own = glyphs.style[rng.integers(len(glyphs.images))]
        self._thickness = float(rng.uniform(0.07, 0.14))

    def draw(self, character: str, cap: int, rng: np.random.Generator) -> Drawn | None:
        """Draw one character for capitals of `cap` pixels; None if the set has none."""
        if character in MARKS + SIGNS:
            strokes = (mark_strokes if character in MARKS else sign_strokes)(character, rng)
            return draw_strokes(strokes, cap, self._thickness * cap)
        name = character
        if character.isalpha() and rng.random() < self._lower_share and character.lower() in self._glyphs.of:
            name = character.lower()
        numbers = self._glyphs.of.get(name)
        if numbers is None:
            return None
        some = rng.choice(numbers, _CHOICES)
        best = some[np.abs(self._glyphs.style[some] - self._own).sum(axis=1).argmin()]
        image = crop(self._glyphs.images[best])
        share = _X_HEIGHT if name in _LOW_LETTERS else 1.0
        scale = share * cap / self._glyphs.side
        size = (max(1, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale)))
        ink = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        top = cap - size[1]
        if name in _DEEP_LETTERS:
            top = round((1 - _X_HEIGHT) * cap)
        elif name not in _LOW_LETTERS and not name.islower():
            top = round((cap - size[1]) * rng.uniform(0.3, 1))
        return Drawn(np.asarray(ink, np.uint8), top)


class StrokeHand:
    """Writes with the pen strokes of one writer, drawn with one pen."""

    def __init__(self, drawings: Mapping[str, Sequence[Sequence[Stroke]]], rng: np.random.Generator) -> None:
        self._drawings = drawings
        self._thickness = float(np.exp(rng.uniform(np.log(0.04), np.log(0.17))))
        self._shake = float(rng.uniform(0, 0.04))

    def draw(self, character: str, cap: int, rng: np.random.Generator) -> Drawn | None:
        """Draw one character for capitals of `cap` pixels; None if the writer never wrote it."""
        if character in MARKS + SIGNS:
            strokes = (mark_strokes if character in MARKS else sign_strokes)(character, rng)
            return draw_strokes(strokes, cap, self._thickness * cap)
        choices = self._drawings.get(character)
        if not choices:
            return None
        drawing = choices[int(rng.integers(len(choices)))]
        points = np.concatenate(drawing)
        low, high = points.min(axis=0), points.max(axis=0)
        height, width = float(high[1] - low[1]), float(high[0] - low[0])
        scale = float(np.clip(rng.normal(1, 0.05), 0.85, 1.15)) / max(height, width / 1.6, 1e-3)
        moved = [
            ((stroke - (low[0], high[1])) * scale + (0, 1) + rng.normal(0, self._shake, 2)).astype(np.float32)
            for stroke in drawing
        ]
        return draw_strokes(moved, cap, self._thickness * cap)


class FontHand:
    """Writes with a font."""

    def __init__(self, glyphs: Mapping[str, Drawn], size: int) -> None:
        self._glyphs = glyphs
        self._size = size

    def draw(self, character: str, cap: int, rng: np.random.Generator) -> Drawn | None:
        """Draw one character for capitals of `cap` pixels; None if the font has none."""
        drawn = self._glyphs.get(character)
        if drawn is None:
            return None
        scale = cap / self._size
        size = tuple(max(1, round(side * scale)) for side in drawn.ink.shape[::-1])
        ink = cv2.resize(drawn.ink, size, interpolation=cv2.INTER_AREA)
        return Drawn(np.asarray(ink, np.uint8), round(drawn.top * scale))


def crop(image: Array) -> Array:
    """Return the part of an image that holds ink."""
    left, top, width, height = cv2.boundingRect((image >= 64).astype(np.uint8))
    return image[top : top + height, left : left + width] if width else image[:1, :1]


def draw_strokes(strokes: Sequence[Stroke], cap: int, thickness: float) -> Drawn:
    """Draw strokes with a round pen.

    Args:
        strokes: float32, n×2: x to the right, y down, in heights of a capital, y = 0 at its top.
        cap: height of a capital in pixels.
        thickness: of the pen, in pixels; below 1.4 the line is one pixel wide and fainter.
    """
    points = np.concatenate(strokes) * cap
    margin = int(thickness) + 2
    low = np.floor(points.min(axis=0)).astype(int) - margin
    high = np.ceil(points.max(axis=0)).astype(int) + margin
    width, height = (high - low + 1).tolist()
    image = np.zeros((height, width), np.uint8)
    pen = max(1, round(thickness))
    fixed = [np.rint((stroke * cap - low) * 16).astype(np.int32).reshape(-1, 1, 2) for stroke in strokes]
    shade = 255 if thickness >= 1 else max(120, int(255 * thickness))
    cv2.polylines(image, fixed, False, shade, pen, cv2.LINE_AA, shift=4)
    left, top, width, height = cv2.boundingRect((image >= 32).astype(np.uint8))
    return Drawn(image[top : top + height, left : left + width], int(low[1]) + top)


def mark_strokes(mark: str, rng: np.random.Generator) -> list[Stroke]:
    """Draw a mark by hand: strokes in heights of a capital."""
    near = rng.normal(0, 0.05, (2, 2))
    if mark == "/":
        ends = np.array([[rng.uniform(0.08, 0.6), -0.1], [0, 1.1]])
    elif mark == "-":
        level = rng.uniform(0.4, 0.65)
        ends = np.array([[0, level], [rng.uniform(0.2, 0.55), level]])
    elif mark == "'":
        ends = np.array([[0.08, -0.05], [rng.uniform(-0.02, 0.08), rng.uniform(0.15, 0.3)]])
        near /= 2
    elif mark == ",":
        ends = np.array([[0.08, rng.uniform(0.85, 1)], [rng.uniform(-0.06, 0.06), rng.uniform(1.08, 1.3)]])
        near /= 2
    else:
        level = rng.uniform(0.88, 1.02)
        ends = np.array([[0, level], [rng.uniform(0, 0.05), level + rng.uniform(0, 0.04)]])
        near /= 5
    start, end = ends + near
    middle = (start + end) / 2 + rng.normal(0, 0.02, 2)
    return [np.array([start, middle, end], np.float32)]


def sign_strokes(sign: str, rng: np.random.Generator) -> list[Stroke]:
    """Draw one of `SIGNS` by hand: strokes in heights of a capital, each with a shape of its own."""
    high, wide = float(rng.uniform(0.9, 1.25)), float(rng.uniform(0.14, 0.34))
    top = 0.5 - high / 2 + float(rng.normal(0, 0.05))
    dot = [[0.0, 0.0], [0.02, 0.03]]
    bar, post = [[0.0, 0.5], [1.0, 0.5]], [[0.0, 0.0], [0.0, 1.0]]
    bow = [[1.0, 0.0], [0.35, 0.18], [0.0, 0.5], [0.35, 0.82], [1.0, 1.0]]
    snake = [[1.0, 0.15], [0.5, 0.05], [0.05, 0.25], [0.5, 0.5], [0.95, 0.75], [0.5, 0.95], [0.0, 0.85]]
    circle = [[0.0, 0.5], [0.5, 0.0], [1.0, 0.5], [0.5, 1.0], [0.0, 0.5]]
    hook = [[0.0, 0.2], [0.4, 0.0], [0.9, 0.15], [0.85, 0.4], [0.4, 0.55], [0.4, 0.72]]
    loop = [
        [1.0, 1.0],
        [0.2, 0.3],
        [0.35, 0.0],
        [0.65, 0.2],
        [0.1, 0.6],
        [0.2, 0.95],
        [0.6, 0.95],
        [1.0, 0.55],
    ]
    # Each part: its shape in a unit square, and left, top, width and height of the square.
    parts: dict[str, list[tuple[list[list[float]], float, float, float, float]]] = {
        "(": [(bow, 0, top, wide, high)],
        ")": [([[1 - x, y] for x, y in bow], 0, top, wide, high)],
        "!": [([[0.5, 0.0], [0.4, 1.0]], 0, 0, 0.12, 0.68), (dot, 0.04, 0.95, 1, 1)],
        "?": [(hook, 0, 0, wide + 0.25, 1), (dot, 0.4 * (wide + 0.25), 0.95, 1, 1)],
        ":": [(dot, 0, 0.35, 1, 1), (dot, 0, 0.9, 1, 1)],
        ";": [(dot, 0, 0.35, 1, 1), ([[1.0, 0.0], [0.0, 1.0]], -0.05, 0.85, 0.1, 0.3)],
        "+": [(bar, 0, 0.2, 0.6, 0.7), ([[0.5, 0.0], [0.5, 1.0]], 0, 0.2, 0.6, 0.7)],
        "=": [(bar, 0, 0, wide + 0.25, 0.8), (bar, 0, 0.25, wide + 0.25, 0.8)],
        "$": [(snake, 0, 0, wide + 0.3, 1), ([[0.5, 0.0], [0.5, 1.0]], 0, -0.12, wide + 0.3, 1.25)],
        "%": [
            (circle, 0, 0.05, 0.28, 0.3),
            ([[1.0, 0.0], [0.0, 1.0]], 0.05, 0, 0.5, 1),
            (circle, 0.4, 0.6, 0.28, 0.3),
        ],
        "#": [
            ([[0.4, 0.0], [0.25, 1.0]], 0, 0, 0.7, 1),
            ([[0.8, 0.0], [0.65, 1.0]], 0, 0, 0.7, 1),
            (bar, 0, -0.15, 0.7, 1),
            (bar, 0, 0.15, 0.7, 1),
        ],
        "&": [(loop, 0, 0, wide + 0.35, 1)],
        '"': [(post, 0, -0.05, 1, 0.25), (post, 0.14, -0.05, 1, 0.25)],
    }
    strokes = []
    for shape, left, upper, width, height in parts[sign]:
        points = _smooth(np.array(shape) * (width, height)) + np.array((left, upper))
        bent = points * rng.uniform(0.85, 1.15) + rng.normal(0, 0.02, 2)
        strokes.append((bent + rng.normal(0, 0.006, bent.shape)).astype(np.float32))
    return strokes


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the corners of a stroke (Chaikin 1974); its ends stay."""
    for _ in range(2 if len(points) > 2 else 0):
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        inner = np.stack((near, far), axis=1).reshape(-1, 2)
        points = np.concatenate((points[:1], inner[1:-1], points[-1:]))
    return points
