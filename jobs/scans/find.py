"""Find the scans below a folder, in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from lettermill.jobs.errors import NoScans, UsageProblem
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


def find_scans(root: Path | Place, only: Sequence[str] = ("",)) -> tuple[list[str], LeftOut]:
    """List the scans below a folder; there must be one.

    Args:
        root: the scan root.
        only: as for `list_scans`.

    Returns:
        As `list_scans`.

    Raises:
        UsageProblem: as `list_scans`.
        NoScans: there is no file with a suffix of `SCAN_SUFFIXES`.
    """
    scans, left_out = list_scans(root, only)
    if not scans:
        known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
        next_step = f"Scans are files that end with one of: {known}"
        if left_out.linked_folders.count:
            next_step = f"Give the folder that a link leads to, or copy it there. {next_step}"
        seen = "; ".join(left_out.sentences()) or "no files there, or hidden ones alone"
        where = f"below {display_path(root)}" if tuple(only) == ("",) else "among what was given"
        raise NoScans(f"no scans {where} ({seen})", next_step)
    return scans, left_out


def list_scans(root: Path | Place, only: Sequence[str] = ("",)) -> tuple[list[str], LeftOut]:
    """List the scans below a folder.

    Hidden files and folders and those of systems are neither scans nor counted. Links to folders are not
    followed, so the walk always ends.

    Args:
        root: the scan root.
        only: the files and folders to look at, by their paths below the root; by default the root itself. A
            file that is named here is looked at even if it is hidden.

    Returns:
        Paths below the root with `/`, in natural order (scan2 before scan10), and what else is there.

    Raises:
        UsageProblem: the root, or a folder in `only`, does not exist, is no folder, or may not be listed.
    """
    place = locate(root)
    files: set[str] = set()
    others: set[str] = set()
    for part in only:
        if not part or (place / part).is_folder():
            odd: list[str] = []
            prefix = f"{part}/" if part else ""
            files.update(prefix + path for path in (place / part if part else place).files(odd))
            others.update(prefix + path for path in odd)
        else:
            files.add(part)
    scans = [path for path in files if is_scan(path)]
    scans.sort()  # For names that differ only in leading zeros.
    scans.sort(key=_natural_key)
    linked = [path for path in others if (place / path).is_folder()]
    return scans, LeftOut.of(files.difference(scans), linked, others.difference(linked))


def common_folder(sources: Sequence[Place]) -> tuple[Place, tuple[str, ...]]:
    """Return the folder that holds all that a person named, for `find_scans`.

    Args:
        sources: files and folders.

    Returns:
        The folder, and the paths below it of what was named; no path where it is the folder itself.

    Raises:
        UsageProblem: something does not exist, or no folder holds it all.
    """
    found = [_existing(source) for source in sources]
    if len(found) == 1 and found[0].is_folder():
        return found[0], ()
    root = found[0].parent
    while any(not _lies_below(one, root) for one in found):
        if root == root.parent:
            raise UsageProblem(
                f"no folder holds both {display_path(found[0])} and the others",
                "Read them one after the other.",
            )
        root = root.parent
    return root, tuple(dict.fromkeys(one.below(root) for one in found))


def _existing(source: Place) -> Place:
    """Return a file or folder without links on the way to it; a file may be a link itself."""
    if source.is_folder():
        return source.resolve()
    if source.exists():
        return source.parent.resolve() / source.name
    raise UsageProblem(
        f"{display_path(source)} does not exist", "Give the folder that holds the scans, or files."
    )


def _lies_below(place: Place, root: Place) -> bool:
    try:
        return place.below(root) != "."
    except ValueError:
        return False


def is_scan(name: str) -> bool:
    """Return whether a file's name or path ends like that of a scan."""
    return os.path.splitext(name)[1].lower() in SCAN_SUFFIXES  # noqa: PTH122 - a string


def _natural_key(path: str) -> str:
    """Return a sort key in which the numbers of a path count as numbers: the count of their digits first.

    NUL is in no path and sorts before everything, so a name that ends where another has a number comes first.
    """
    return re.sub("[0-9]+", lambda found: _number_key(found[0].lstrip("0")), path)


def _number_key(digits: str) -> str:
    return f"\0{chr(len(digits))}{digits}"
