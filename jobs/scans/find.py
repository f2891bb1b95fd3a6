"""Find the scans below a folder, in natural order."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lettermill.jobs.errors import NoScans
from lettermill.jobs.records.left_out import LeftOut
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


def find_scans(root: Path | Place) -> tuple[list[str], LeftOut]:
    """List the scans below a folder; there must be one.

    Args:
        root: the scan root.

    Returns:
        As `list_scans`.

    Raises:
        UsageProblem: as `list_scans`.
        NoScans: there is no file with a suffix of `SCAN_SUFFIXES`.
    """
    scans, left_out = list_scans(root)
    if not scans:
        known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
        next_step = f"Scans are files that end with one of: {known}"
        if left_out.linked_folders.count:
            next_step = f"Give the folder that a link leads to, or copy it there. {next_step}"
        seen = "; ".join(left_out.sentences()) or "no files there, or hidden ones alone"
        raise NoScans(f"no scans below {display_path(root)} ({seen})", next_step)
    return scans, left_out


def list_scans(root: Path | Place) -> tuple[list[str], LeftOut]:
    """List the scans below a folder.

    Hidden files and folders and those of systems are neither scans nor counted. Links to folders are not
    followed, so the walk always ends.

    Args:
        root: the scan root.

    Returns:
        Paths below the root with `/`, in natural order (scan2 before scan10), and what else is there.

    Raises:
        UsageProblem: the root does not exist, is no folder, or may not be listed.
    """
    place = locate(root)
    scans: list[str] = []
    files: list[str] = []
    others: list[str] = []
    for path in place.files(others):
        is_scan = os.path.splitext(path)[1].lower() in SCAN_SUFFIXES  # noqa: PTH122 - a string
        (scans if is_scan else files).append(path)
    scans.sort()  # For names that differ only in leading zeros.
    scans.sort(key=_natural_key)
    linked = [path for path in others if (place / path).is_folder()]
    return scans, LeftOut.of(files, linked, set(others).difference(linked))


def _natural_key(path: str) -> str:
    """Return a sort key in which the numbers of a path count as numbers: the count of their digits first.

    NUL is in no path and sorts before everything, so a name that ends where another has a number comes first.
    """
    return re.sub("[0-9]+", lambda found: _number_key(found[0].lstrip("0")), path)


def _number_key(digits: str) -> str:
    return f"\0{chr(len(digits))}{digits}"
