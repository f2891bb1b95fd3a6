"""Find the form fields of a PDF that can be filled in on a screen.

It runs in a child process, as all that opens PDFs (`isolated`).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

import msgspec

from lettermill.jobs.scans.checks import decoder_errors, disk_errors
from lettermill.jobs.scans.pdf_pages import POINTS_PER_INCH, open_pdf

_REQUIRED, _COMB = 1 << 1, 1 << 24
"""Flags of a field (PDF 32000-1, 12.7.3.1 and 12.7.4.3)."""

_BYTES_PER_UNIT = 2
"""Of UTF-16, in which PDFium gives texts."""

Type = Literal["text", "tick", "radio", "choice", "signature"]


class PdfField(msgspec.Struct, frozen=True):
    """A form field of a PDF.

    Attributes:
        name: as the PDF has it; radio buttons of one group have the same.
        type: what it is.
        box: x, y, width and height in pixels of the page as it is rendered.
        cells: of a comb; 0 without one.
        choices: the words of a list.
        value: what a radio button stands for.
        required: whether it must be filled in.
    """

    name: str
    type: Type
    box: tuple[int, int, int, int]
    cells: int = 0
    choices: tuple[str, ...] = ()
    value: str = ""
    required: bool = False


def form_fields(file: BinaryIO, dpi: int) -> list[PdfField]:
    """Return the fields of the first page of a PDF in their order, without buttons.

    Args:
        file: the PDF.
        dpi: at which the page is rendered.

    Raises:
        ScanError: the PDF cannot be opened.
    """
    with disk_errors(), open_pdf(file) as document, decoder_errors():
        document.init_forms()
        if not len(document) or document.formenv is None:  # The PDF has no form.
            return []
        return list(_fields_of(document[0], document.formenv, dpi))


def _fields_of(page: Any, form: Any, dpi: int) -> Iterator[PdfField]:
    import pypdfium2.raw as raw

    types: dict[int, Type] = {
        raw.FPDF_FORMFIELD_TEXTFIELD: "text",
        raw.FPDF_FORMFIELD_CHECKBOX: "tick",
        raw.FPDF_FORMFIELD_RADIOBUTTON: "radio",
        raw.FPDF_FORMFIELD_COMBOBOX: "choice",
        raw.FPDF_FORMFIELD_LISTBOX: "choice",
        raw.FPDF_FORMFIELD_SIGNATURE: "signature",
    }
    width, height = (math.ceil(side * dpi / POINTS_PER_INCH) for side in page.get_size())

    def pixel(x: float, y: float) -> tuple[int, int]:
        right, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, right, down)
        return min(max(0, right.value), width), min(max(0, down.value), height)

    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        try:
            kind = types.get(raw.FPDFAnnot_GetFormFieldType(form, annotation))
            place = raw.FS_RECTF()
            if kind is None or not raw.FPDFAnnot_GetRect(annotation, place):
                continue
            corners = pixel(place.left, place.top), pixel(place.right, place.bottom)
            (left, right), (top, low) = (sorted(side) for side in zip(*corners, strict=True))
            flags = raw.FPDFAnnot_GetFormFieldFlags(form, annotation)
            cells = ctypes.c_float()
            has_cells = kind == "text" and flags & _COMB
            if has_cells:
                raw.FPDFAnnot_GetNumberValue(annotation, b"MaxLen", cells)
            options = max(0, raw.FPDFAnnot_GetOptionCount(form, annotation)) if kind == "choice" else 0
            yield PdfField(
                _text(raw.FPDFAnnot_GetFormFieldName, form, annotation),
                kind,
                (left, top, right - left, low - top),
                int(cells.value),
                tuple(_text(raw.FPDFAnnot_GetOptionLabel, form, annotation, at) for at in range(options)),
                _text(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation) if kind == "radio" else "",
                bool(flags & _REQUIRED),
            )
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _text(getter: Any, *arguments: Any) -> str:
    """Return a text that PDFium writes into a buffer, which it first says the size of."""
    import pypdfium2.raw as raw

    size = getter(*arguments, None, 0)
    buffer = (raw.FPDF_WCHAR * (size // _BYTES_PER_UNIT))()
    getter(*arguments, buffer, size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")
