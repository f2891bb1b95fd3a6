"""Count the pages of TIFF and PDF files, in a child process, when a job is made."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lettermill.jobs.errors import ScanError
from lettermill.jobs.scans.checks import disk_errors
from lettermill.jobs.scans.decode import count_image_pages
from lettermill.jobs.scans.isolated import IsolatedDecoder
from lettermill.jobs.scans.pdf_pages import count_pdf_pages, is_pdf
from lettermill.jobs.scans.reader import open_file, open_scan
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.place import Place

_FILE_SECONDS = 60
"""How long counting one file may take."""


class PageCounter:
    """Counts pages of TIFF and PDF files in a child process; use it as a context manager.

    Args:
        root: the scan root: like the workers, it opens nothing outside of it.
        limits: pages of a file that are refused, and what the child may cost.
    """

    def __init__(self, root: Place, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._decoder = IsolatedDecoder()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()

    def count(self, scan: str) -> int:
        """Return the number of pages, at least 1.

        A file that cannot be counted, or has too many pages, counts as one page: the worker that opens it
        records why it fails.

        Args:
            scan: path below the root of a TIFF or PDF file, with `/`.
        """
        try:
            with open_scan(self._root, scan, self._limits) as (file, _):
                return self._decoder.count_pages(file, self._limits, _FILE_SECONDS)
        except ScanError:
            return 1


def count_pages(scan: Path | BinaryIO, limits: Limits) -> int:
    """Count the pages of a TIFF or PDF file; to be called in a child process (`jobs.scans.child`).

    Raises:
        ScanError: the file cannot be opened, or has too many pages.
    """
    if isinstance(scan, Path):
        with open_file(scan) as file:
            return count_pages(file, limits)
    with disk_errors():
        return count_pdf_pages(scan, limits) if is_pdf(scan) else count_image_pages(scan, limits)
