"""Check that the images of a PDF page were drawn: PDFium silently leaves out what it cannot decode."""

from __future__ import annotations

import contextlib
import io
import re
import zlib
from typing import Any

import numpy as np

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.mend import FILL_LEVELS, JPEG_END, whole_jpeg

_LARGE_SHARE = 0.1
"""Of the page: where as much of it was not drawn, writing may be lost; a logo or a stamp is smaller."""

_SMALL_SHARE = 0.01
"""Of the page: smaller images are not looked at, because there may be thousands."""

_SIMPLE_FILTERS = frozenset(
    {"FlateDecode", "LZWDecode", "RunLengthDecode", "ASCII85Decode", "ASCIIHexDecode"}
)
"""Compressions that PDFium undoes by itself, and whose result has a known size."""


_PIXEL_BITS = {bits * colours for bits in (1, 2, 4, 8, 16) for colours in (1, 3, 4)}
"""Bits that a pixel may have."""

_TAIL_BYTES = 32
"""At the end of a JPEG in a PDF, where its end marker is."""


_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_NAME = rb"/([^\s/<>\[\]()]+)"
_DEFINED = re.compile(_NAME + rb" \d+ 0 R")
_NUMBER = rb"(\S{1,20})\s+"
_DRAWN = re.compile(_NUMBER * 6 + rb"cm\s+(?:/\S+\s+gs\s+)?" + _NAME + rb"\s+Do\b")
"""In a file that PDFium wrote: streams, names of objects, and a matrix with the name of what it places."""

_MOST_COMMAND_BYTES = 1 << 20
"""Drawing commands of a page that are looked at: those of a scan are few."""


def check_images(document: Any, page: int, images: list[Any], area: float, is_blank: bool) -> None:
    """Check that the images of a page can be decoded and are whole.

    Args:
        document: a pypdfium2.PdfDocument.
        page: number of one of its pages, from 1.
        images: the page's pypdfium2.PdfImage objects.
        area: of the page, in square points.
        is_blank: whether nothing is to be seen on the page. Then no image may be missing, however small.

    Raises:
        ScanError: images are missing.
    """
    shares = [_area(image) / area for image in images]
    lost = sum(
        share
        for image, share in zip(images, shares, strict=True)
        if (share >= _SMALL_SHARE or is_blank) and not _is_whole(image)
    )
    if max(shares, default=0) < _LARGE_SHARE:  # Otherwise the page has its scan.
        lost += _undefined_area(document, page) / area
    if lost >= _LARGE_SHARE or (lost and is_blank):
        raise ScanError(
            ErrorCode.TRUNCATED, "an image on the page is cut off or cannot be decoded: make the PDF again"
        )


def _undefined_area(document: Any, page: int) -> float:
    """Return how much a page draws of images that the file does not have, in square points.

    PDFium has no objects for them. But the file that it writes of a single page has a simple form: one
    dictionary after the other, in plain text, and pixels or drawing commands behind.
    """
    import pypdfium2

    written = io.BytesIO()
    with pypdfium2.PdfDocument.new() as single:
        single.import_pages(document, [page - 1])
        single.save(written)
    defined = set(_DEFINED.findall(written.getvalue()))
    area = 0.0
    for content in _STREAM.findall(written.getvalue()):
        with contextlib.suppress(zlib.error):
            content = zlib.decompressobj().decompress(content, _MOST_COMMAND_BYTES)
        for *numbers, name in _DRAWN.findall(content):
            if name not in defined:
                with contextlib.suppress(ValueError):
                    a, b, c, d, _, _ = map(float, numbers)
                    area += abs(a * d - b * c)
    return area


def _area(image: Any) -> float:
    """Return the area that an image covers on its page, in square points."""
    area, part = 1.0, image
    while part is not None:
        a, b, c, d, _, _ = part.get_matrix().get()
        area *= abs(a * d - b * c)
        part = part.container
    return area


def _is_whole(image: Any) -> bool:
    import pypdfium2

    try:
        pixels = image.get_bitmap().to_numpy()
    except pypdfium2.PdfiumError:
        return False
    filters = image.get_filters()
    if filters[-1:] == ["DCTDecode"]:
        content = bytes(image.get_data(decode_simple=True))
        # Some programs write a few bytes behind the end.
        has_end = JPEG_END in content[-_TAIL_BYTES:] and not np.isin(pixels[-1, -1], FILL_LEVELS).all()
        return has_end or whole_jpeg(io.BytesIO(content)) is not None
    if set(filters) <= _SIMPLE_FILTERS and pixels[-1].min() == pixels[-1].max():
        return _has_all_bytes(image)  # Of a cut image, PDFium leaves the last rows blank.
    return True


def _has_all_bytes(image: Any) -> bool:
    width, height = image.get_px_size()
    size = len(image.get_data(decode_simple=True))
    # PDFium says 8 bits of grey levels of 2 or 4, so all that are possible are compared.
    sizes = {-(-width * bits // 8) * height for bits in _PIXEL_BITS}
    return size in sizes or size >= -(-width * image.get_metadata().bits_per_pixel // 8) * height
