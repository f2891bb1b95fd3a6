"""Draw what was read over the pale scan: boxes and letters, for a person who compares the two."""

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

LONGEST_SIDE_PIXELS = 2000
"""The longest side of a drawing: the letters of an A4 page are legible, and it takes about a megabyte."""

_LETTER_PIXELS = 36
"""The height of a letter on a drawing, where there is room."""

_LARGEST_ZOOM = 4
_INK_SHARE = 0.55
"""How dark the ink of the scan stays beneath the drawing, as a share of its darkness."""

_UNFLAGGED_COLOUR = (0x1F, 0x5F, 0xA8)
_FLAGGED_COLOUR = (0xC4, 0x1A, 0x1A)

_GREYS = 48
_SHADES = 16
"""How many greys, and shades of each colour, the file of a drawing has."""


def draw(page: NDArray[np.uint8], lines: Sequence[LineReading]) -> PIL.Image.Image:
    """Draw a box around each letter of a page and the letter above it; flagged ones are thick and red.

    Args:
        page: uint8, h×w, 0 black … 255 white, as it was read.
        lines: what was read; boxes in pixels of the page.

    Returns:
        An RGB picture, enlarged or shrunk so that its letters are legible.
    """
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    letters = [letter for line in lines for letter in line.letters]
    wanted = _LETTER_PIXELS / max(1.0, median([letter.box.height for letter in letters] or [_LETTER_PIXELS]))
    zoom = min(wanted, _LARGEST_ZOOM, LONGEST_SIDE_PIXELS / max(page.shape))
    height, width = (max(1, round(side * zoom)) for side in page.shape)
    pale = PIL.Image.fromarray(page).resize((width, height), PIL.Image.Resampling.BOX)
    picture = pale.point(lambda grey: 255 - (255 - grey) * _INK_SHARE).convert("RGB")
    pen = PIL.ImageDraw.Draw(picture)
    size = min(_LETTER_PIXELS, max(9.0, 0.7 * zoom * _LETTER_PIXELS / wanted))
    font = PIL.ImageFont.load_default(size)

    @functools.cache
    def shape(char: str) -> tuple[PIL.Image.Image, int, int]:
        """Return a character's mask, and its left and top seen from the middle of its foot; drawn once."""
        left, top, right, bottom = font.getbbox(char, anchor="ms")
        left, top = math.floor(left), math.floor(top)
        mask = PIL.Image.new("L", (math.ceil(right) - left, math.ceil(bottom) - top))
        PIL.ImageDraw.Draw(mask).text((-left, -top), char, 255, font, anchor="ms")
        return mask, left, top

    for letter in letters:
        box, colour = letter.box, _FLAGGED_COLOUR if letter.flagged else _UNFLAGGED_COLOUR
        # A result file may be forged and hold any box: cut off what lies outside of the page.
        left, right = (min(max(0, x * zoom), width) for x in (box.x, box.x + max(0, box.width)))
        top, bottom = (min(max(0, y * zoom), height) for y in (box.y, box.y + max(0, box.height)))
        pen.rectangle((left, top, right, bottom), outline=colour, width=3 if letter.flagged else 1)
        # At the upper edge of the page the letter is drawn inside its box.
        mask, beside, above = shape(letter.letter)
        place = round((left + right) / 2) + beside, round(max(top - 2, size)) + above
        picture.paste(colour, place, mask)
    return picture


def to_png(picture: PIL.Image.Image) -> bytes:
    """Return a drawing as a PNG file of few colours, which is packed in a tenth of a second."""
    import PIL.Image

    # A palette chosen from the picture would hold only colours of its paper, and show a red letter grey.
    colours = [(grey, grey, grey) for grey in np.linspace(0, 255, _GREYS).astype(int).tolist()]
    for pen in (_UNFLAGGED_COLOUR, _FLAGGED_COLOUR):
        colours += np.linspace((255, 255, 255), pen, _SHADES + 1)[1:].astype(int).tolist()
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    file = io.BytesIO()
    picture.quantize(palette=palette, dither=PIL.Image.Dither.NONE).save(file, "PNG", compress_level=3)
    return file.getvalue()
