"""Open a scan, and read one of its pages as grey pixels.

A page that cannot be read raises `ScanError` with a code and a sentence; `read_page` raises nothing else but
`MemoryError`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.scans.checks import check_bytes, disk_errors
from lettermill.jobs.scans.decode import decode_page
from lettermill.jobs.scans.file_kind import is_heic
from lettermill.jobs.scans.isolated import isolated_decoder
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.jobs.scans.pdf_pages import is_pdf
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.disk import READ, regular_file
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place


@contextlib.contextmanager
def open_scan(root: Path | Place, scan: str, limits: Limits) -> Iterator[tuple[BinaryIO, tuple[int, int]]]:
    """Open a scan of a folder.

    Args:
        root: the scan root; the file must be below it when all links are resolved.
        scan: path below the root, with `/`.
        limits: what is refused.

    Yields:
        The file, for `read_page`, which stays the same file when its name is given to another; and its size
        in bytes and its modification time in nanoseconds.

    Raises:
        ScanError: it does not exist, is outside of the root, is no regular file, may not be read, or is too
            large to be fetched from an object store.
    """
    with disk_errors():
        file, size, mtime_ns = locate(root).open_below(scan, limits.max_megabytes * 1e6)
    with file:
        if os.fstat(file.fileno()).st_size < size:  # Too large to be fetched.
            check_bytes(size, limits)
        yield file, (size, mtime_ns)


@contextlib.contextmanager
def open_unchanged(root: Path | Place, scan: str, entry: ManifestEntry, limits: Limits) -> Iterator[BinaryIO]:
    """Open a scan of a job, provided that it is still the file that the job was made of.

    Args:
        root: as for `open_scan`.
        scan: as for `open_scan`.
        entry: one of its pages.
        limits: what is refused.

    Yields:
        The file.

    Raises:
        ScanError: as `open_scan`, or it was changed.
    """
    with open_scan(root, scan, limits) as (file, found):
        if found != (entry.bytes, entry.mtime_ns):
            raise ScanError.with_remedy(ErrorCode.SCAN_CHANGED, "the file was changed after the job was made")
        yield file


def open_file(path: Path) -> BinaryIO:
    """Open a file that a person named, wherever it is.

    Raises:
        ScanError: it does not exist, is no regular file, or may not be read.
    """
    with disk_errors():
        return regular_file(os.open(path, READ))


def read_page(
    scan: Path | BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None = None
) -> NDArray[np.uint8]:
    """Read one page as grey pixels.

    Args:
        scan: the path of the scan, or its file from `open_scan`.
        page: page number from 1; 1 for files of a single image.
        dpi: dots per inch at which a PDF page is rendered.
        limits: what is refused.
        pages: how many pages the caller reads of this file; more in the file is an error, so that none is
            left out in silence. None where only this page is wanted.

    Returns:
        uint8, h×w, 0 black to 255 white, as a viewer shows the page (EXIF rotation applied, transparency
        on white, or on black where only light ink is opaque).

    Raises:
        ScanError: the page cannot be read.
    """
    if isinstance(scan, Path):
        with open_file(scan) as file:
            return read_page(file, page, dpi, limits, pages)
    with disk_errors():
        size = os.fstat(scan.fileno()).st_size
        if size == 0:
            raise ScanError.with_remedy(ErrorCode.EMPTY_FILE, "the file is empty (0 bytes)")
        check_bytes(size, limits)
        if is_pdf(scan) or is_heic(scan):
            return isolated_decoder().render(scan, page, dpi, limits, pages)
        return decode_page(scan, page, limits, pages)


def read_form_fields(path: Path, dpi: int, limits: Limits) -> tuple[PdfField, ...]:
    """Return the form fields of a PDF's first page, in pixels at a resolution; none of another file.

    Raises:
        ScanError: the file cannot be read.
    """
    with open_file(path) as file:
        return isolated_decoder().form_fields(file, dpi, limits) if is_pdf(file) else ()
