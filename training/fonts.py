"""Draws the letters of handwriting fonts, alone and as lines cut by Lettermill's own segmentation.

By the lines training sees letters as the workers cut them: with a neighbour's stroke, without a bar that
stood apart, or two in one piece. A piece that covers no single letter becomes an example of what is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from jobs.settings import DIGITS, LETTERS
from segmentation.page import segment
from segmentation.values import Candidate
from training.formats import NO_LETTER, LabelledImages, unreadable

LINES = 6
"""Lines that are written with each font."""

_CHARACTERS = 22  # in a line, spaces included
_PIXELS = (36, 64)  # height of the font
_PIXELS_ALONE = 96
_WHOLE, _ALONE = 0.9, 0.1  # share of its letter's ink a piece has; share of another letter's that it may have
_HALF = 0.6  # less of a letter than this, and it is a part
_INKED = 128

Array = NDArray[np.uint8]


def read_font(path: Path) -> LabelledImages:
    """Draw each of A–Z and 0–9 of a handwriting font, and `LINES` lines as segmentation cuts them.

    Args:
        path: a ttf, otf, woff or woff2 file; its name is the writer's.

    Returns:
        Images labelled with the letter, or with "" where a piece of a line is no single one.

    Raises:
        BadData: the file is no font.
    """
    try:
        content = [_drawn(path, label) for label in (*LETTERS, *DIGITS)]
        rng = np.random.default_rng(sum(path.name.encode()))
        for _ in range(LINES):
            page, truth = _written(path, rng)
            content += _cut(page, truth)
    except (OSError, ValueError) as error:
        raise unreadable(path, "a font", error) from error
    images, labels = zip(*content, strict=True)
    return LabelledImages(list(images), list(labels), [path.stem] * len(labels))


def _drawn(path: Path, label: str) -> tuple[Array, str]:
    """Draw one character, black on white."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (3 * _PIXELS_ALONE, 3 * _PIXELS_ALONE), 255)
    font = ImageFont.truetype(str(path), _PIXELS_ALONE)
    ImageDraw.Draw(page).text((_PIXELS_ALONE, _PIXELS_ALONE), label, 0, font)
    return np.asarray(page), label


def _cut(page: Array, truth: list[tuple[str, Array]]) -> Iterator[tuple[Array, str]]:
    """Cut a line and yield what was cut with its label; not where that is unclear."""
    for candidate in _candidates(page):
        label = _label(candidate, truth)
        if label is not None:
            yield candidate.ink, label


def _candidates(page: Array) -> Iterator[Candidate]:
    for line in segment(page, "line").lines:
        for word in line.words:
            yield from word.candidates


def _written(path: Path, rng: np.random.Generator) -> tuple[Array, list[tuple[str, Array]]]:
    """Write a line letter by letter on grainy, unevenly lit paper.

    Returns:
        The page, uint8 h×w, dark on light, and for each letter its ink alone on the same frame.
    """
    from PIL import Image, ImageDraw, ImageFont

    size = int(rng.integers(*_PIXELS))
    font = ImageFont.truetype(str(path), size)
    width, height = size * (_CHARACTERS + 4), size * 3
    at, tight = float(size), rng.normal(0, 0.05) * size
    truth: list[tuple[str, Array]] = []
    alphabet = LETTERS * 3 + DIGITS + " " * 14
    for character in rng.choice(list(alphabet), _CHARACTERS):
        if character != " ":
            letter = Image.new("L", (width, height))
            ImageDraw.Draw(letter).text((at, size * 0.8 + rng.normal(0, 0.02) * size), character, 255, font)
            truth.append((str(character), np.asarray(letter)))
        at += font.getlength(str(character)) + tight
    ink = np.max([letter for _, letter in truth], axis=0) if truth else np.zeros((height, width), np.uint8)
    light = np.linspace(rng.uniform(150, 250), rng.uniform(150, 250), width)[None, :]
    paper = light - rng.uniform(70, 140) * (ink / 255.0) + rng.normal(0, rng.uniform(1, 6), ink.shape)
    page = np.clip(paper, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(page, (0, 0), rng.uniform(0.4, 1.2)).astype(np.uint8, copy=False), truth


def _label(candidate: Candidate, truth: list[tuple[str, Array]]) -> str | None:
    """Return whose ink a piece holds: the character, "" for a part or several, None where that is unclear."""
    box = candidate.box
    piece = cv2.resize(candidate.ink, (box.width, box.height), interpolation=cv2.INTER_AREA)
    own = np.asarray(cv2.dilate(piece, np.ones((3, 3), np.uint8)) >= _INKED)
    shares = []
    for character, ink in truth:
        strong = ink >= _INKED
        inside = strong[box.y : box.y + box.height, box.x : box.x + box.width]
        whole = np.count_nonzero(strong)
        if whole:
            shares.append((np.count_nonzero(inside & own) / whole, character))
    (best, character), *others = sorted(shares, reverse=True)
    second = others[0][0] if others else 0.0
    if best >= _WHOLE and second <= _ALONE:
        return character
    if best < _HALF or second > _HALF:
        return NO_LETTER
    return None
