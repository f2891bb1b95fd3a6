"""Find the scans below a folder, in natural order."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lettermill.jobs.errors import NoScans
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

RASTER_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".heic", ".heif"}
)
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
PDF_SUFFIXES = frozenset({".pdf"})
DOCUMENT_SUFFIXES = TIFF_SUFFIXES | PDF_SUFFIXES
"""Files that may have several pages; only these are opened when a job is made."""

SCAN_SUFFIXES = RASTER_SUFFIXES | DOCUMENT_SUFFIXES


def find_scans(root: Path | Place) -> tuple[list[str], int]:
    """List the scans below a folder.

    Hidden files and folders are left out. Links to folders are not followed, so the walk always ends.

    Args:
        root: the scan root.

    Returns:
        Paths below the root with `/`, in natural order (scan2 before scan10), and how many other files were
        skipped because of their suffix.

    Raises:
        UsageProblem: the root does not exist, is no folder, or may not be listed.
        NoScans: there is no file with a suffix of `SCAN_SUFFIXES`.
    """
    scans, others = [], 0
    for path in locate(root).files():
        # Keys of an object store may have empty parts, which no path has.
        is_path = "//" not in path and not path.startswith("/")
        if is_path and os.path.splitext(path)[1].lower() in SCAN_SUFFIXES:  # noqa: PTH122 - a string
            scans.append(path)
        else:
            others += 1
    if not scans:
        seen = f"{others} other files" if others else "no files"
        known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
        raise NoScans(
            f"no scans below {display_path(root)} ({seen} there)",
            f"Scans are files that end with one of: {known}",
        )
    scans.sort()  # For names that differ only in leading zeros.
    scans.sort(key=_natural_key)
    return scans, others


def _natural_key(path: str) -> str:
    """Return a sort key in which the numbers of a path count as numbers: the count of their digits first.

    NUL is in no path and sorts before everything, so a name that ends where another has a number comes first.
    """
    return re.sub("[0-9]+", lambda found: _number_key(found[0].lstrip("0")), path)


def _number_key(digits: str) -> str:
    return f"\0{chr(len(digits))}{digits}"
