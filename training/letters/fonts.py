"""Draws the letters of handwriting fonts, alone and in lines that Lettermill's segmentation cuts.

In the lines training sees letters as workers cut them: with a neighbour's stroke, without a detached bar, or
two letters in one component. A component that does not cover one whole letter trains the reject class.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.letters.set_formats import LabelledImages, unreadable
from lettermill.training.letters.written_lines import cut_line

LINES = 6
"""Lines that are written with each font."""

_LINE_CHARACTERS = 16
_ALONE_PIXELS = 96
"""Size of the font for characters drawn alone."""

_CAPITAL_SHARE = 0.7
"""Height of a capital as a share of the font's size, in most fonts."""

Array = NDArray[np.uint8]


def read_font(path: Path) -> LabelledImages:
    """Draw each of A–Z and 0–9 of a handwriting font, and `LINES` lines as segmentation cuts them.

    Args:
        path: a ttf, otf, woff or woff2 file; its name is taken as the writer.

    Returns:
        Images labelled with their letter, or with "" if a component of a line is not one whole letter.

    Raises:
        BadData: the file is no font.
    """
    try:
        content = [_drawn(path, label) for label in (*LETTERS, *DIGITS)]
        rng = np.random.default_rng(sum(path.name.encode()))
        for _ in range(LINES):
            text = rng.choice(list(LETTERS * 3 + DIGITS), _LINE_CHARACTERS).tolist()
            content += cut_line(text, functools.partial(_written, path), rng)
    except (OSError, ValueError) as error:
        raise unreadable(path, "a font", error) from error
    images, labels = zip(*content, strict=True)
    return LabelledImages(list(images), list(labels), [path.stem] * len(labels))


def _drawn(path: Path, label: str) -> tuple[Array, str]:
    """Draw one character, black on white."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (3 * _ALONE_PIXELS, 3 * _ALONE_PIXELS), 255)
    font = ImageFont.truetype(str(path), _ALONE_PIXELS)
    ImageDraw.Draw(page).text((_ALONE_PIXELS, _ALONE_PIXELS), label, 0, font)
    return np.asarray(page), label


def _written(path: Path, character: str, cap: int) -> Array:
    """Draw one character as `lettermill.training.letters.written_lines` needs it."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(path), max(6, round(cap / _CAPITAL_SHARE)))
    left, _, right, bottom = font.getbbox(character, anchor="ls")
    width, height = max(1, int(right - left)), max(1, int(bottom + cap))
    page = Image.new("L", (width, height), 0)
    ImageDraw.Draw(page).text((-left, cap), character, 255, font, anchor="ls")
    return np.asarray(page)
