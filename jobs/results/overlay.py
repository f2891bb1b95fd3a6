"""Drawings of pages: boxes and letters over the pale scan, for a person who compares the two."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import LineReading

if TYPE_CHECKING:
    import PIL.Image

LONGEST_SIDE = 2000
"""Pixels of a drawing at most: an A4 page's letters can be read on it, and it takes about a megabyte."""

_LETTER = 36
"""Pixels that a letter is high on a drawing, where there is room."""

_LARGEST_ZOOM = 4
_PALE = 0.55
"""How dark the scan's ink stays beneath the drawing."""

_SURE = (0x1F, 0x5F, 0xA8)
_FLAGGED = (0xC4, 0x1A, 0x1A)
_GREYS = 48
_SHADES = 16


def draw(page: NDArray[np.uint8], lines: Sequence[LineReading]) -> PIL.Image.Image:
    """Draw what was read over a page: a box a letter and the letter above it, flagged ones thick and red.

    Args:
        page: uint8, h×w, grey, as it was read.
        lines: with boxes in pixels of the page.

    Returns:
        RGB, the page's shape enlarged or shrunk so that its letters can be read.
    """
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    letters = [letter for line in lines for letter in line.letters]
    wanted = _LETTER / max(1.0, median([letter.box.height for letter in letters] or [_LETTER]))
    zoom = min(wanted, _LARGEST_ZOOM, LONGEST_SIDE / max(page.shape))
    height, width = (max(1, round(side * zoom)) for side in page.shape)
    pale = PIL.Image.fromarray(page).resize((width, height), PIL.Image.Resampling.BOX)
    picture = pale.point(lambda grey: 255 - (255 - grey) * _PALE).convert("RGB")
    pen = PIL.ImageDraw.Draw(picture)
    size = min(_LETTER, max(9.0, 0.7 * zoom * _LETTER / wanted))
    font = PIL.ImageFont.load_default(size)

    @functools.cache
    def shape(char: str) -> tuple[PIL.Image.Image, int, int]:
        """A character, and where it begins beside the middle of its foot: drawn once, laid often."""
        left, top, right, bottom = font.getbbox(char, anchor="ms")
        left, top = math.floor(left), math.floor(top)
        mask = PIL.Image.new("L", (math.ceil(right) - left, math.ceil(bottom) - top))
        PIL.ImageDraw.Draw(mask).text((-left, -top), char, 255, font, anchor="ms")
        return mask, left, top

    for letter in letters:
        box, colour = letter.box, _FLAGGED if letter.flagged else _SURE
        # A result file that somebody wrote may hold any box: what lies outside of the page is cut off.
        left, right = (min(max(0, x * zoom), width) for x in (box.x, box.x + max(0, box.width)))
        top, bottom = (min(max(0, y * zoom), height) for y in (box.y, box.y + max(0, box.height)))
        pen.rectangle((left, top, right, bottom), outline=colour, width=3 if letter.flagged else 1)
        # At the page's upper edge the letter stands in its box.
        mask, beside, above = shape(letter.letter)
        place = round((left + right) / 2) + beside, round(max(top - 2, size)) + above
        picture.paste(colour, place, mask)
    return picture


def to_png(picture: PIL.Image.Image) -> bytes:
    """Return a drawing's file, in a few greys and shades of the pen, and packed in a tenth of a second."""
    import PIL.Image

    # Chosen by the picture, the colours would be those of its paper, and a red letter among many grey.
    colours = [(grey, grey, grey) for grey in np.linspace(0, 255, _GREYS).astype(int).tolist()]
    for pen in (_SURE, _FLAGGED):
        colours += np.linspace((255, 255, 255), pen, _SHADES + 1)[1:].astype(int).tolist()
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    file = io.BytesIO()
    picture.quantize(palette=palette, dither=PIL.Image.Dither.NONE).save(file, "PNG", compress_level=3)
    return file.getvalue()
