"""Write searchable PDFs: the pages of a scan, with the text that was read laid invisibly over the ink.

It opens scans with PDFium, so it runs in a child process (`jobs.scans.isolated`).
"""

from __future__ import annotations

import ctypes
import io
import math
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.records.readings import Box
from lettermill.jobs.scans.checks import disk_errors, first_line
from lettermill.jobs.scans.decode import on_paper, open_image
from lettermill.jobs.scans.pdf_pages import POINTS_PER_INCH, is_pdf, open_pdf
from lettermill.jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

_FONT = b"Helvetica"
_CAPITAL_HEIGHT = 0.718
"""Of the font, in font sizes."""

_LEAST_DPI, _MOST_DPI = 100, 2400
"""Resolutions that are believed: programs that do not know the resolution write 1, 72 or 96."""

_ORIENTATION_TAG = 0x0112
"""EXIF's tag of how a picture is turned."""

_TO_SHOWN = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""For each EXIF orientation, the matrix (a b c d e f, as in PDF) from the stored to the shown picture, both
1×1, y up."""


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A word and its box, in pixels of the page as a viewer shows it."""

    text: str
    box: Box


class PageText(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The text of a page.

    Attributes:
        lines: the words of each line.
        turns: by how many quarter turns clockwise the letters are turned, 0 to 3.
    """

    lines: tuple[tuple[Word, ...], ...] = ()
    turns: int = 0


def write_searchable(scan: BinaryIO, pages: list[PageText], out: BinaryIO, dpi: int, limits: Limits) -> None:
    """Write a scan as a PDF with invisible text.

    A PDF keeps its pages as they are. A picture becomes a page, at the resolution that the file states, else
    at `dpi`: a JPEG keeps its bytes, others are compressed without loss.

    Args:
        scan: the scan's file.
        pages: the text of each of its pages.
        out: the file to write.
        dpi: the resolution in which boxes on a PDF's pages are counted.
        limits: what is refused.

    Raises:
        ScanError: a page cannot be opened.
    """
    import pypdfium2

    with disk_errors():
        try:
            if is_pdf(scan):
                with open_pdf(scan) as document:
                    for index, text in enumerate(pages):
                        if text.lines:
                            page = document[index]
                            _add(document, page, text, _from_pixels(page, dpi))
                            page.gen_content()
                    document.save(out)
                return
            with open_image(scan, limits) as load, pypdfium2.PdfDocument.new() as document:
                for number, text in enumerate(pages, 1):
                    # A page that is saved by itself is compressed; all pictures at once would not fit into
                    # memory.
                    with pypdfium2.PdfDocument(_picture_page(scan, load(number), text, dpi)) as single:
                        document.import_pages(single)
                document.save(out)
        except pypdfium2.PdfiumError as error:
            raise ScanError(
                ErrorCode.TRUNCATED, f"the PDF is damaged ({first_line(error)}): make it again"
            ) from error


def _picture_page(scan: BinaryIO, image: Image, text: PageText, dpi: int) -> io.BytesIO:
    import pypdfium2

    with pypdfium2.PdfDocument.new() as document:
        shown = _TO_SHOWN.get(image.getexif().get(_ORIENTATION_TAG, 1), _TO_SHOWN[1])
        scale = np.array([POINTS_PER_INCH / one for one in _resolution(image, dpi)])
        size = scale * image.size
        if shown[0] == 0:  # A quarter turn: width and height change places.
            scale, size = scale[::-1], size[::-1]
        page = document.new_page(*size)
        picture = _picture(document, scan, image)
        width, height = size
        a, b, c, d, e, f = shown
        picture.set_matrix(
            pypdfium2.PdfMatrix(a * width, b * height, c * width, d * height, e * width, f * height)
        )
        page.insert_obj(picture)
        _add(document, page, text, np.array([[scale[0], 0, 0], [0, -scale[1], height]]))
        page.gen_content()
        content = io.BytesIO()
        document.save(content)
        return content


def _picture(document: Any, scan: BinaryIO, image: Image) -> Any:
    """Return a picture as an object of a PDF."""
    import pypdfium2

    if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
        scan.seek(0)
        picture = pypdfium2.PdfImage.new(document)
        picture.load_jpeg(scan, inline=True, autoclose=False)
        return picture
    paper = on_paper(image)
    grey = paper.mode in ("1", "L", "LA")
    picture = pypdfium2.PdfImage.new(document)
    picture.set_bitmap(pypdfium2.PdfBitmap.from_pil(paper.convert("L" if grey else "RGB")))
    return picture


def _resolution(image: Image, otherwise: int) -> tuple[float, float]:
    """Return the dots per inch that a picture states for its width and height as it is stored."""
    across, down = (float(one) for one in image.info.get("dpi", (0, 0)))
    if all(_LEAST_DPI <= one <= _MOST_DPI for one in (across, down)):
        return across, down
    return otherwise, otherwise


def _from_pixels(page: Any, dpi: int) -> NDArray[np.float64]:
    """Return the matrix, float64 2×3, from pixels of a drawn PDF page to the page's own coordinates."""
    from pypdfium2 import raw

    width, height = (math.ceil(points * dpi / POINTS_PER_INCH) for points in page.get_size())

    def corner(x: int, y: int) -> NDArray[np.float64]:
        across, down = ctypes.c_double(), ctypes.c_double()
        raw.FPDF_DeviceToPage(page, 0, 0, width, height, 0, x, y, across, down)
        return np.array([across.value, down.value])

    origin = corner(0, 0)
    return np.column_stack(
        ((corner(width, 0) - origin) / width, (corner(0, height) - origin) / height, origin)
    )


def _add(document: Any, page: Any, text: PageText, from_pixels: NDArray[np.float64]) -> None:
    """Lay invisible words over a page.

    Args:
        document: the PDF.
        page: one of its pages.
        text: the words.
        from_pixels: matrix, 2×3, from pixels to the page's coordinates.
    """
    from pypdfium2 import raw

    font = raw.FPDFText_LoadStandardFont(document, _FONT)
    for line in text.lines:
        for number, word in enumerate(line, 1):
            # The space keeps words apart whose gap is narrower than a PDF reader expects.
            content = word.text if number == len(line) else f"{word.text} "
            origin, along, up = _axes(word.box, text.turns)
            along = along / sum(_advance(font, char) for char in word.text)
            up = up / _CAPITAL_HEIGHT
            matrix = from_pixels @ np.column_stack((np.vstack((along, up, origin)), (0, 0, 1))).T
            item = raw.FPDFPageObj_CreateTextObj(document, font, 1)
            characters = np.frombuffer(f"{content}\0".encode("utf-16-le"), np.uint16)
            raw.FPDFText_SetText(item, characters.ctypes.data_as(raw.FPDF_WIDESTRING))
            raw.FPDFTextObj_SetTextRenderMode(item, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
            raw.FPDFPageObj_SetMatrix(item, raw.FS_MATRIX(*matrix.T.ravel()))
            raw.FPDFPage_InsertObject(page, item)
    raw.FPDFFont_Close(font)


def _axes(box: Box, turns: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return where a word begins on its baseline, and the vectors along the word and up, in pixels."""
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
    origin, above, behind = (np.array(corners[(turns + step) % 4], float) for step in (0, 1, -1))
    return origin, behind - origin, above - origin


def _advance(font: Any, char: str) -> float:
    """Return the advance width of a letter in font sizes; 1 where the font lacks it."""
    from pypdfium2 import raw

    width = ctypes.c_float()
    raw.FPDFFont_GetGlyphWidth(font, ord(char), 1, width)
    return width.value or 1.0
