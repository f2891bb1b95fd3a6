"""What the process that asks (`isolated`) and the child that decodes (`child`) send each other.

A request is a line of JSON with open files beside it: the scan; and where a PDF is to be written, its text
and the file to write. The child answers with an empty line when it begins with the request, so that only a
file that was begun is blamed for the child's death; then with an `Answer` as a line of JSON, and the pixels
after it.
"""

from __future__ import annotations

import msgspec

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.jobs.settings import Limits

LONGEST_REQUEST_BYTES = 4096

FILE_MODES = ("rb", "rb", "wb")
"""How the files of a request are opened."""


class Count(msgspec.Struct, frozen=True, tag="count"):
    """Count the pages of a TIFF or PDF file."""

    limits: Limits


class Render(msgspec.Struct, frozen=True, tag="render"):
    """Draw a page of a PDF, or decode a HEIC."""

    limits: Limits
    page: int
    dpi: int
    pages: int | None


class FindFields(msgspec.Struct, frozen=True, tag="fields"):
    """Find the form fields of a PDF's first page."""

    limits: Limits
    dpi: int


class WriteSearchable(msgspec.Struct, frozen=True, tag="searchable"):
    """Write a scan as a PDF with invisible text."""

    limits: Limits
    dpi: int


Request = Count | Render | FindFields | WriteSearchable


class Answer(msgspec.Struct, frozen=True):
    """What came of a request.

    Attributes:
        pages: how many were counted.
        fields: the form fields.
        shape: height and width of the pixels that follow, uint8.
        code: why there is neither; None where the request was fulfilled.
        message: the same for a person.
    """

    pages: int = 0
    fields: tuple[PdfField, ...] = ()
    shape: tuple[int, int] = (0, 0)
    code: ErrorCode | None = None
    message: str = ""
