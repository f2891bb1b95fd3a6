"""Cut pictures of letters, lines and pages from the scans when the browser asks for them."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box
from lettermill.jobs.results.field_place import FieldPlace, field_crop
from lettermill.jobs.results.letter_crop import letter_crop, page_pixels
from lettermill.jobs.web.letter_table import LetterTable

_PICTURES_KEPT = 20_000
"""How many pictures of letters stay in memory: about 2 kB each."""

_MARGIN_SHARE = 0.3
"""Paper around a letter, as a share of its longer side: neighbours help to judge it."""

_FADED_INK_SHARE = 0.35
"""How much of the ink beside the letter's box is left, so that nobody judges the neighbour."""

_LETTER_SIDE_PIXELS = 128
_LINE_PIXELS = (1400, 240)
_PAGE_PIXELS = (900, 900)
_FIELD_PIXELS = (1000, 240)
_FRAME_COLOUR = (200, 30, 30)
_LARGEST_ZOOM = 4.0


class Crops:
    """Cuts letters, lines and pages out of a job's scans; one page is decoded at a time.

    Args:
        job: the job.
        letters: its letters.
    """

    def __init__(self, job: Job, letters: LetterTable) -> None:
        self._job = job
        self._letters = letters
        self._lock = threading.Lock()
        self._cut: OrderedDict[int, bytes] = OrderedDict()
        self._page: tuple[str, NDArray[np.uint8]] | None = None

    def letter(self, number: int, also: Sequence[int] = ()) -> bytes:
        """Return the picture of a letter, PNG; other letters of its page are cut at the same time.

        Args:
            number: the letter.
            also: letters that will be asked for next. Those on the same page and the doubtful letters of the
                page are cut, too, so that the page is decoded once.

        Raises:
            ScanError: the scan cannot be read, or the letter's place lies outside of it.
        """
        with self._lock:
            if number not in self._cut:
                pixels = self._pixels(number)
                for other in self._letters.doubtful_beside(number, also):
                    crop = _letter(self._letters.box(other), pixels)
                    if crop.size:
                        self._cut[other] = _png(crop, (_LETTER_SIDE_PIXELS, _LETTER_SIDE_PIXELS))
                while len(self._cut) > _PICTURES_KEPT:
                    self._cut.popitem(last=False)
            try:
                self._cut.move_to_end(number)
                return self._cut[number]
            except KeyError as error:
                raise ScanError(
                    ErrorCode.SCAN_CHANGED, "the letter's place lies outside of the scan"
                ) from error

    def line(self, number: int) -> bytes:
        """Return a letter's line with a frame around the letter, PNG.

        Raises:
            ScanError: the scan cannot be read.
            NotAJob: the page's result is gone.
        """
        _, line = self._letters.in_context(number)
        margin = max(12, line.box.height // 3)
        box, letter = line.box, self._letters.box(number)
        left, top = max(min(box.x, letter.x) - margin, 0), max(min(box.y, letter.y) - margin, 0)
        right = max(box.x + box.width, letter.x + letter.width) + margin
        bottom = max(box.y + box.height, letter.y + letter.height) + margin
        # A line as wide as a page would be too small to read: show only the part around the letter.
        reach = 3 * (bottom - top)
        middle = letter.x + letter.width // 2
        left, right = max(left, middle - reach), min(right, middle + reach)
        with self._lock:
            pixels = self._pixels(number)[top:bottom, left:right]
        inner = Box(letter.x - left, letter.y - top, letter.width, letter.height)
        return _framed(pixels, inner, _LINE_PIXELS)

    def page(self, number: int) -> bytes:
        """Return a letter's page with a frame around the letter, PNG.

        Raises:
            ScanError: the scan cannot be read.
        """
        with self._lock:
            pixels = self._pixels(number)
        return _framed(pixels, self._letters.box(number), _PAGE_PIXELS)

    def field(self, entry: ManifestEntry, place: FieldPlace) -> bytes:
        """Return a field of a form with some paper around it, upright, PNG.

        Raises:
            ScanError: the scan cannot be read.
        """
        with self._lock:
            page = self._page_pixels(entry)
        return _png(field_crop(page, place), _FIELD_PIXELS)

    def form(self, entry: ManifestEntry, place: FieldPlace) -> bytes:
        """Return a page with a frame around a field, upright, PNG.

        Raises:
            ScanError: the scan cannot be read.
        """
        with self._lock:
            page = self._page_pixels(entry)
        return _framed(page, place.box, _PAGE_PIXELS, place.quarter_turns)

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        return self._page_pixels(self._letters.entry(number))

    def _page_pixels(self, entry: ManifestEntry) -> NDArray[np.uint8]:
        if self._page is None or self._page[0] != entry.id:
            self._page = None  # Before the next page is decoded, so that only one is in memory.
            self._page = entry.id, page_pixels(self._job, entry)
        return self._page[1]


NO_PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128" viewBox="0 0 128 128">'
    b'<path d="M8 8h112v112H8z" fill="none" stroke="#a32020" stroke-width="3" stroke-dasharray="8 6"/>'
    b'<text x="64" y="60" text-anchor="middle" font-family="sans-serif" font-size="20" fill="#a32020">'
    b'no<tspan x="64" dy="24">picture</tspan></text></svg>'
)
"""An SVG picture that says that there is none; the page of the single letter says why."""


def _letter(box: Box, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a letter with the ink around its box faded; empty if it lies outside of the page."""
    crop, (left, top) = letter_crop(pixels, box, _MARGIN_SHARE)
    paper = np.percentile(crop, 90) if crop.size else 255.0
    faded: NDArray[np.uint8] = np.clip(paper + (crop - paper) * _FADED_INK_SHARE, 0, 255).astype(np.uint8)
    y, x = max(box.y - top, 0), max(box.x - left, 0)
    inside = slice(y, box.y - top + box.height), slice(x, box.x - left + box.width)
    faded[inside] = crop[inside]
    return faded


def _framed(pixels: NDArray[np.uint8], box: Box, size: tuple[int, int], quarter_turns: int = 0) -> bytes:
    """Return pixels as a PNG of at most a size, with a frame around a box, turned against the clock."""
    import PIL.Image
    import PIL.ImageDraw

    picture = PIL.Image.fromarray(pixels)
    # Small scans are enlarged, so that the frame has the same width on all scans.
    scale = min(size[0] / picture.width, size[1] / picture.height, _LARGEST_ZOOM)
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    picture = picture.convert("RGB")
    gap = 4
    frame = (
        *(box.x * scale - gap, box.y * scale - gap),
        *((box.x + box.width) * scale + gap, (box.y + box.height) * scale + gap),
    )
    PIL.ImageDraw.Draw(picture).rectangle(frame, outline=_FRAME_COLOUR, width=3)
    picture = picture.rotate(90 * quarter_turns, expand=True)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _png(pixels: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    import PIL.Image

    picture = PIL.Image.fromarray(pixels)
    picture.thumbnail(size)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
