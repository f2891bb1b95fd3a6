"""Counting the pages of documents when a job is made."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lettermill.jobs.errors import ScanError
from lettermill.jobs.scans.decode import open_scan
from lettermill.jobs.scans.isolated import Contained
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.place import Place

_SECONDS_A_FILE = 60


class PageCounter:
    """Counts pages of TIFF and PDF files in a child process; use it as a context manager.

    Args:
        root: the scan root: workers open nothing that lies elsewhere, either.
        limits: pages of a file that are refused, and what the child may cost.
    """

    def __init__(self, root: Place, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._contained = Contained()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._contained.close()

    def count(self, scan: str) -> int:
        """Return the number of pages, at least 1.

        A file that cannot be counted, or has too many, counts as one page: the worker that opens it records
        why it fails.

        Args:
            scan: path below the root of a TIFF or PDF file, with `/`.
        """
        try:
            with open_scan(self._root, scan, self._limits) as (file, _):
                return self._contained.count_pages(file, self._limits, _SECONDS_A_FILE)
        except ScanError:
            return 1
