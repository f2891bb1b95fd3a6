"""Make the pictures of the report: doubtful letters, and drawings of the worst pages."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.letter_crop import letter_crop, page_pixels
from lettermill.jobs.results.overlay import draw, to_png
from lettermill.jobs.results.summary import DoubtfulLetter, WorstPage

if TYPE_CHECKING:
    import PIL.Image

OVERLAYS = "overlays"
"""The folder of the drawings in the job folder."""

_MARGIN_SHARE = 0.25
"""Paper around a letter's picture, as a share of its longer side: neighbours help to judge it."""

_LETTER_PIXELS = (160, 160)
_THUMBNAIL_PIXELS = (420, 300)
_THUMBNAIL_QUALITY = 60
"""Quality of the JPEG, 0–100."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a doubtful letter.

    Attributes:
        doubtful: the letter.
        source: the picture as a data URI; empty if there is none.
        missing: why there is no picture; empty if there is one.
    """

    doubtful: DoubtfulLetter
    source: str
    missing: str


@dataclasses.dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing of one of the worst pages.

    Attributes:
        page: the page.
        thumbnail: the drawing, small, as a data URI; empty if there is none.
        overlay: the path of the drawing below the job folder; empty if there is none.
        missing: why there is no drawing; empty if there is one.
    """

    page: WorstPage
    thumbnail: str
    overlay: str
    missing: str


def make_pictures(
    job: Job, letters: Sequence[DoubtfulLetter], worst: Sequence[WorstPage]
) -> tuple[list[Picture], list[Drawing]]:
    """Cut out letters, and draw pages into the folder `OVERLAYS`; older drawings are removed.

    Each page is decoded once, and only one page is in memory at a time.

    Args:
        job: the job.
        letters: the letters to cut out.
        worst: the pages to draw.

    Returns:
        A picture per letter and a drawing per page, in the order given.

    Raises:
        ResultsNotWritable: the job folder does not take the drawings.
    """
    folder = job.path / OVERLAYS
    old = set(folder.files()) if folder.is_folder() else set()
    if worst:
        folder.make()
    pictures: dict[DoubtfulLetter, Picture] = {}
    drawings: dict[str, Drawing] = {}
    for entry in dict.fromkeys([*(page.entry for page in worst), *(letter.entry for letter in letters)]):
        of_page = [letter for letter in letters if letter.entry == entry]
        to_draw = [page for page in worst if page.entry == entry]
        try:
            pixels = page_pixels(job, entry)
        except ScanError as error:
            pictures.update({letter: Picture(letter, "", error.message) for letter in of_page})
            for page in to_draw:
                drawings[entry.id] = Drawing(page, "", "", error.message)
            continue
        pictures.update({letter: _picture(letter, pixels) for letter in of_page})
        for page in to_draw:
            name = f"{entry.id}.png"
            drawing = draw(pixels, page.lines)
            (folder / name).write(to_png(drawing))
            old.discard(name)
            drawing.thumbnail(_THUMBNAIL_PIXELS)
            thumbnail = _data_uri(drawing, "JPEG", quality=_THUMBNAIL_QUALITY)
            drawings[entry.id] = Drawing(page, thumbnail, f"{OVERLAYS}/{name}", "")
    for name in old:
        (folder / name).unlink(missing_ok=True)
    return [pictures[letter] for letter in letters], [drawings[page.entry.id] for page in worst]


def _picture(letter: DoubtfulLetter, pixels: NDArray[np.uint8]) -> Picture:
    crop, _ = letter_crop(pixels, letter.letter.box, _MARGIN_SHARE)
    if crop.size == 0:
        return Picture(letter, "", "the letter's place lies outside of the scan")
    import PIL.Image

    picture = PIL.Image.fromarray(crop)
    picture.thumbnail(_LETTER_PIXELS)
    return Picture(letter, _data_uri(picture, "PNG", optimize=True), "")


def _data_uri(picture: PIL.Image.Image, kind: str, **how: Any) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
