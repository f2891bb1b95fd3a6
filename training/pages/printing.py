"""Prints: text in fonts, symbols, bar codes, QR codes, bars, stamps, pictures; uint8 images, 255 for ink."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[np.uint8]

_SMALLEST_FONT_PIXELS, _LARGE_FONT_PIXELS, _FINER = 5, 40, 4
"""Text below 40 pixels is drawn four times as large: fonts align small letters with pixels, scans do not."""

_SYLLABLE_TEXT = (
    "an be ca de en for ga har in jo ka la mer no of pro qua re sta ter un ver wi xen ya zo "
    "ing ment tion al le ur sch ein eau oir ado"
)
_FORM_TEXT = (
    "Name Surname Date of birth Address City State Zip Phone Email No. Total Amount Signature Form Please in "
    "block letters only Yes No Male Female Office use Number Code Branch Account Type Vehicle Policy Period "
    "Nom Prénom Adresse Ville Nachname Vorname Straße Ort Geburtsdatum Nombre Apellido Fecha Cognome Data "
    "the of and to in is for this that with any if not"
)
_SYLLABLES, _FORM_WORDS = tuple(_SYLLABLE_TEXT.split()), tuple(_FORM_TEXT.split())
_SCRIPTS = {"devanagari": (0x0905, 0x0939), "thai": (0x0E01, 0x0E2E), "arabic": (0x0621, 0x064A)}
"""Letters of the scripts that a font's name tells."""


@functools.lru_cache(maxsize=4000)
def _font(path: Path, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), pixels)


def choose_words(count: int, font: Path, rng: np.random.Generator) -> str:
    """Make up printed words; for a font of another script, in that script."""
    for name, (first, last) in _SCRIPTS.items():
        if name in font.name:
            return " ".join(
                "".join(map(chr, rng.integers(first, last + 1, int(rng.integers(2, 8)))))
                for _ in range(count)
            )
    words = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.45:
            words.append(str(_FORM_WORDS[int(rng.integers(len(_FORM_WORDS)))]))
        elif kind < 0.88:
            parts = int(rng.integers(1, 4))
            words.append("".join(_SYLLABLES[int(rng.integers(len(_SYLLABLES)))] for _ in range(parts)))
        elif kind < 0.96:
            words.append(str(rng.integers(10 ** int(rng.integers(1, 6)))))
        else:
            words.append(str(rng.choice(list("()/-&*+•:.%§"))))
    text = " ".join(words)
    case = rng.random()
    if case < 0.2:
        return text.upper()
    if case < 0.6:
        return text[:1].upper() + text[1:]
    return text.title() if case < 0.7 else text


def print_text(text: str, font: Path, pixels: int) -> Array:
    """Print one line of text.

    Args:
        text: the line.
        font: the file of the font.
        pixels: its size; capitals are about 0.7 of it.

    Returns:
        uint8, h×w, 255 for ink, without white around it; one pixel of paper if nothing can be printed.
    """
    pixels = max(_SMALLEST_FONT_PIXELS, pixels)
    finer = _FINER if pixels < _LARGE_FONT_PIXELS else 1
    face = _font(font, finer * pixels)
    left, top, right, bottom = (int(side) for side in face.getbbox(text))
    if right <= left or bottom <= top:
        return np.zeros((1, 1), np.uint8)
    width, height = (-(-(side + 2) // finer) for side in (right - left, bottom - top))
    image = Image.new("L", (finer * width, finer * height))
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, 255, face)
    drawn = cv2.resize(np.asarray(image, np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, np.uint8)


def print_symbol(font: Path, pixels: int, rng: np.random.Generator) -> Array:
    """Print a symbol of a font of symbols, or a character if it has none where they usually are."""
    missing = print_text(chr(0xE000), font, pixels)
    for _ in range(20):
        image = print_text(chr(int(rng.integers(0xF000, 0xF8FF))), font, pixels)
        if not np.array_equal(image, missing):
            return image
    return print_text(str(rng.choice(list(string.ascii_uppercase))), font, pixels)


def bar_code(height: int, width: int, rng: np.random.Generator) -> Array:
    """Draw a bar code."""
    image = np.zeros((height, width), np.uint8)
    x = 0
    while x < width:
        bar, gap = rng.integers(1, 5, 2) * max(1, width // 150)
        image[:, x : x + bar] = 255
        x += int(bar + gap)
    return image


def qr_code(side: int, rng: np.random.Generator) -> Array:
    """Draw a square of modules with three finder patterns, as a QR code has."""
    modules = int(rng.choice([21, 25, 29, 33]))
    code = (rng.random((modules, modules)) < 0.5).astype(np.uint8) * 255
    finder = np.full((7, 7), 255, np.uint8)
    finder[1:6, 1:6] = 0
    finder[2:5, 2:5] = 255
    for x, y in ((0, 0), (modules - 7, 0), (0, modules - 7)):
        code[max(0, y - 1) : y + 8, max(0, x - 1) : x + 8] = 0
        code[y : y + 7, x : x + 7] = finder
    return np.asarray(cv2.resize(code, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)


def stamp_image(side: int, fonts: Sequence[Path], rng: np.random.Generator) -> Array:
    """Draw a rubber stamp: a ring or a frame with turned print, in parts without ink."""
    image = np.zeros((side, side), np.uint8)
    pen = max(1, round(side * rng.uniform(0.01, 0.03)))
    middle = side // 2
    if rng.random() < 0.6:
        cv2.circle(image, (middle, middle), middle - pen - 1, 255, pen, cv2.LINE_AA)
        if rng.random() < 0.6:
            cv2.circle(image, (middle, middle), round(middle * 0.68), 255, pen, cv2.LINE_AA)
    else:
        high = round(side * rng.uniform(0.2, 0.4))
        cv2.rectangle(image, (pen, middle - high), (side - pen - 1, middle + high), 255, pen)
    font = fonts[int(rng.integers(len(fonts)))]
    for row in range(int(rng.integers(1, 4))):
        text = print_text(choose_words(2, font, rng).upper(), font, max(6, side // 9))
        y = middle + round((row - 1) * side / 7)
        x = max(0, middle - text.shape[1] // 2)
        part = image[y : y + text.shape[0], x : x + text.shape[1]]
        np.maximum(part, text[: part.shape[0], : part.shape[1]], out=part)
    turn = cv2.getRotationMatrix2D((middle, middle), float(rng.uniform(-40, 40)), 1)
    image = np.asarray(cv2.warpAffine(image, turn, (side, side)), np.uint8)
    grain = cv2.GaussianBlur(rng.normal(0, 1, image.shape).astype(np.float32), (0, 0), max(1.0, side / 40))
    dry = np.clip(0.8 + grain * rng.uniform(0, 4), 0.1, 1)
    return np.asarray(image * dry, np.uint8)


def scribble(height: int, width: int, rng: np.random.Generator) -> Array:
    """Draw a signature: a few smooth strokes of a pen that form no letters."""
    image = np.zeros((height, width), np.uint8)
    pen = max(1, round(height * rng.uniform(0.015, 0.06)))
    at = 0.0
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(5, 16))
        steps = rng.uniform(-0.1, 0.28, count) * width / count * 4
        x = np.cumsum(steps) + at
        low, high = sorted(rng.uniform(0.05, 0.95, 2))
        y = np.where(np.arange(count) % 2, low, high) + rng.normal(0, 0.12, count)
        points = np.stack([np.clip(x, 1, width - 2), np.clip(y, 0.03, 0.97) * height], axis=1)
        points = _smoothed(points)
        cv2.polylines(image, [np.rint(points * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, shift=4)
        at = float(rng.uniform(0, 0.5)) * width
    return image


def tick(side: int, pen: int, rng: np.random.Generator) -> Array:
    """Draw a hand's tick, cross, or filling scribble for a box.

    Args:
        side: height of the image in pixels; it is twice as wide, because ticks run out of their box.
        pen: thickness of the pen in pixels.
        rng: the only source of randomness.
    """
    image = np.zeros((side, 2 * side), np.uint8)
    kind = rng.random()
    if kind < 0.55:
        far = rng.uniform(0.7, 1.9)
        corners = np.array([[0.1, 0.55], [0.28, 0.8], [0.4, 0.92], [0.55, 0.6], [far, 0.06]])
        strokes = [_smoothed(corners[int(rng.integers(2)) :] + rng.normal(0, 0.04, 2))]
    elif kind < 0.9:
        corners = np.array([[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]) + rng.normal(0, 0.08, (4, 2))
        bend = rng.normal(0, 0.06, (2, 2))
        strokes = [
            _smoothed(np.array([one, (one + other) / 2 + by, other]))
            for one, other, by in zip(corners[::2], corners[1::2], bend, strict=True)
        ]
    else:
        strokes = [np.stack([np.linspace(0.1, 0.9, 9), np.where(np.arange(9) % 2, 0.15, 0.85)], axis=1)]
    for stroke in strokes:
        points = np.clip(stroke * side, pen, (2 * side - pen, side - pen))
        cv2.polylines(image, [np.rint(points * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, shift=4)
    return image


def _smoothed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the corners of a stroke (Chaikin's corner cutting)."""
    for _ in range(3):
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        points = np.concatenate([points[:1], np.stack((near, far), axis=1).reshape(-1, 2), points[-1:]])
    return points


def register_mark(side: int, rng: np.random.Generator) -> Array:
    """Draw a mark by which machines find a form: a square, two of them, a corner, a triangle, a ring."""
    image = np.zeros((side, 2 * side), np.uint8)
    kind = int(rng.integers(5))
    if kind < 2:
        image[:, :side] = 255
        if kind:
            step = side // 2
            image[:] = 0
            image[:step, :step] = 255
            image[step : 2 * step, step : 2 * step] = 255
    elif kind == 2:
        arm = max(2, side // 4)
        image[:arm, :side] = 255
        image[:, :arm] = 255
    elif kind == 3:
        corners = np.array([[0, 0], [side - 1, 0], [side - 1, side - 1]], np.int32)
        cv2.fillPoly(image, [corners], 255)
    else:
        cv2.circle(image, (side // 2, side // 2), max(1, side // 2 - 1), 255, -1, cv2.LINE_AA)
        cv2.circle(image, (side // 2, side // 2), side // 4, 0, -1, cv2.LINE_AA)
    square = image[:, :side] if kind != 1 else image
    return np.ascontiguousarray(square[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))])


def tally(side: int, count: int, rng: np.random.Generator) -> Array:
    """Draw tally strokes, every fifth across."""
    image = np.zeros((side, max(4, round(side * (0.25 * count + 0.3)))), np.uint8)
    pen = max(1, round(side * rng.uniform(0.05, 0.12)))
    for number in range(count):
        x = side * (0.15 + 0.25 * number)
        if number % 5 == 4:
            ends = (x - 1.15 * side, 0.75 * side), (x + 0.1 * side, 0.25 * side)
        else:
            ends = (
                (x + rng.normal(0, 0.04) * side, 0.05 * side),
                (x + rng.normal(0, 0.04) * side, 0.95 * side),
            )
        start, end = ((round(a), round(b)) for a, b in ends)
        cv2.line(image, start, end, 255, pen, cv2.LINE_AA)
    return image
