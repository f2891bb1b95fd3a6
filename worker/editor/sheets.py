"""Keep the scans on which a template can be tried: those of a folder, and those that a browser sent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.scans.find import find_scans
from lettermill.jobs.scans.reader import open_scan, read_page
from lettermill.jobs.settings import Limits, Settings

MOST_SENT = 50
"""How many scans a browser can send; a further one takes the place of the oldest."""


class Sheets:
    """The scans on which a template can be tried.

    Args:
        folder: where scans are; None for none.

    Raises:
        NoScans: there are none in the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._found = find_scans(folder)[0] if folder else []
        self._sent: dict[str, BinaryIO] = {}

    @property
    def names(self) -> list[str]:
        """The names of the scans: those that were sent, the newest first, then those of the folder."""
        return [*reversed(self._sent), *(name for name in self._found if name not in self._sent)]

    def close(self) -> None:
        """Drop what was sent."""
        for file in self._sent.values():
            file.close()
        self._sent.clear()

    def add(self, name: str, content: bytes) -> None:
        """Keep a scan that was sent, as long as the editor runs."""
        former = [name] if name in self._sent else []
        if not former and len(self._sent) >= MOST_SENT:
            former = [next(iter(self._sent))]
        for one in former:
            self._sent.pop(one).close()
        # The decoder of PDFs is given an open file, which has no name.
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        file.write(content)
        file.flush()
        self._sent[name] = file

    def page(self, name: str, page: int) -> NDArray[np.uint8]:
        """Return a page of a scan: uint8, h×w, 0 black to 255 white.

        Args:
            name: one of `names`.
            page: its number from 1.

        Raises:
            ScanError: it cannot be read.
            KeyError: there is no scan of this name.
        """
        dpi, limits = Settings().dpi, Limits()
        if name in self._sent:
            return read_page(self._sent[name], page, dpi, limits)
        if self._folder is None or name not in self._found:
            raise KeyError(name)
        with open_scan(self._folder, name, limits) as (file, _):
            return read_page(file, page, dpi, limits)
