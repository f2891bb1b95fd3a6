"""Open, count and draw PDFs with PDFium.

A hostile PDF can end its process, so all of this but `is_pdf` runs in a child process (`isolated`).
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.checks import (
    check_pages,
    check_pixels,
    decoder_errors,
    disk_errors,
    first_line,
    no_such_page,
)
from lettermill.jobs.settings import Limits

POINTS_PER_INCH = 72

_HEADER_BYTES = 1024
"""Where a PDF's header may be: viewers accept other bytes before it."""


def is_pdf(file: BinaryIO) -> bool:
    """Return whether a file is a PDF, by its first bytes."""
    file.seek(0)
    return b"%PDF-" in file.read(_HEADER_BYTES)


def open_pdf(file: BinaryIO) -> Any:
    """Open a PDF as a pypdfium2.PdfDocument.

    Raises:
        ScanError: it is damaged or asks for a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ScanError.with_remedy(ErrorCode.PASSWORD, "the PDF asks for a password") from error
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE, f"the PDF is damaged ({first_line(error)}): make it again"
        ) from error
    if len(document) > os.fstat(file.fileno()).st_size:
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE, f"the PDF claims {len(document)} pages, more than it has bytes"
        )
    return document


def count_pdf_pages(file: BinaryIO, limits: Limits) -> int:
    """Count the pages of a PDF.

    Raises:
        ScanError: the file cannot be opened, or has too many pages.
    """
    with open_pdf(file) as document:
        return check_pages(len(document), None, limits)


def render(file: BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    """Draw a page of a PDF in grey.

    Args, result and errors are those of `reader.read_page`.
    """
    import pypdfium2

    with disk_errors(), open_pdf(file) as document, decoder_errors():
        check_pages(len(document), pages, limits)
        if page > len(document):
            raise no_such_page(page)
        try:
            sheet = document[page - 1]
            scale = dpi / POINTS_PER_INCH
            width, height = sheet.get_size()
            check_pixels("page", round(width * scale), round(height * scale), limits)
            images = list(sheet.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
            for image in images:
                width, height = image.get_px_size()
                check_pixels("image on the page", width, height, limits)
            pixels = sheet.render(scale=scale, grayscale=True).to_numpy()
            if pixels.min() == pixels.max():
                # PDFium leaves out what it cannot decode; a page of which nothing is left is not empty.
                for image in images:
                    image.get_bitmap()
            return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)  # A copy: the bitmap closes.
        except pypdfium2.PdfiumError as error:
            raise ScanError(
                ErrorCode.TRUNCATED,
                f"page {page} of the PDF is damaged ({first_line(error)}): make the PDF again",
            ) from error
