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
from lettermill.jobs.scans.pdf_images import check_images
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
    """Draw a page of a PDF in grey, with the values of its form fields and its annotations.

    Args, result and errors are those of `reader.read_page`.
    """
    import pypdfium2

    with disk_errors(), open_pdf(file) as document, decoder_errors():
        check_pages(len(document), pages, limits)
        if page > len(document):
            raise no_such_page(page)
        if document.get_formtype() == pypdfium2.raw.FORMTYPE_XFA_FULL:
            raise ScanError(
                ErrorCode.NOT_AN_IMAGE,
                "the PDF is a form that only Adobe's programs draw (XFA): "
                "print it there to a new PDF and run again",
            )
        try:
            document.init_forms()
            sheet = document[page - 1]
            scale = dpi / POINTS_PER_INCH
            width, height = sheet.get_size()
            if not width or not height:
                raise ScanError(
                    ErrorCode.TRUNCATED,
                    f"page {page} of the PDF shows nothing, because its crop box lies outside of the page: "
                    "remove the crop in a PDF program and run again",
                )
            check_pixels("page", round(width * scale), round(height * scale), limits, ", or a lower --dpi")
            images = list(sheet.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
            for image in images:
                across, down = image.get_px_size()
                check_pixels("image on the page", across, down, limits)
            pixels = sheet.render(scale=scale, grayscale=True).to_numpy()
            is_blank = pixels.min() == pixels.max()
            check_images(document, page, images, width * height, is_blank)
            if is_blank and document.count_attachments() and not any(_has_objects(one) for one in document):
                raise ScanError.with_remedy(
                    ErrorCode.FILES_ATTACHED, "the pages of the PDF are empty, and files are attached to it"
                )
            return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)  # A copy: the bitmap closes.
        except pypdfium2.PdfiumError as error:
            raise ScanError(
                ErrorCode.TRUNCATED,
                f"page {page} of the PDF is damaged ({first_line(error)}): make the PDF again",
            ) from error


def _has_objects(page: Any) -> bool:
    return next(page.get_objects(max_depth=1), None) is not None
