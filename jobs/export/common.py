"""Share between formats: names, boxes and confidences of words, quarter turns, and files per page."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from xml.etree import ElementTree as ET

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, Letter, PageReading
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place
from lettermill.jobs.storage.scan_files import scan_files

PutPages = Callable[[ManifestEntry, Sequence[PageReading]], None]
"""Takes a page of a scan and the readings of that scan; raises ScanError if the scan cannot be opened."""

_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold, or that change on their way through it."""

TURNED = "TURNED"
"""The quality code of a page that lies on a side or upside down."""


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """Where a format is written.

    Attributes:
        place: a file or a folder.
        own: whether everything there was written by Lettermill and may be removed.
    """

    place: Place
    own: bool


def printable(name: str) -> str:
    r"""Return a scan's name as text that every format holds: other bytes and controls show as \xNN."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", display_path(name))


def bounding_box(letters: Iterable[Letter]) -> Box:
    """Return the box that holds the boxes of some letters."""
    boxes = [letter.box for letter in letters]
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    return Box(left, top, right - left, max(box.y + box.height for box in boxes) - top)


def least_confidence(letters: Iterable[Letter]) -> str:
    """Return the confidence of a word or a line, 0–1 with four decimals: that of its least certain letter."""
    return f"{min(letter.confidence for letter in letters):.4f}"


def word_text(letters: Iterable[Letter]) -> str:
    """Return letters as a word."""
    return "".join(letter.letter for letter in letters)


def quarter_turns(reading: PageReading) -> int:
    """Return how many quarter turns, clockwise, the letters of a page are turned on the scan: 0 to 3."""
    if TURNED not in reading.quality:
        return 0
    ends = [(line.letters[0].box, line.letters[-1].box) for line in reading.lines]
    right = sum(2 * (last.x - first.x) + last.width - first.width for first, last in ends)
    down = sum(2 * (last.y - first.y) + last.height - first.height for first, last in ends)
    if abs(right) >= abs(down):
        return 0 if right >= 0 else 2
    return 1 if down > 0 else 3


def xml_files(
    to_bytes: Callable[[PageReading, Job], bytes], suffix: str
) -> Callable[[Job, Destination], AbstractContextManager[PutPages]]:
    """Return the writer of a format with one file per page, named after its scan; see `ScanFiles`.

    Args:
        to_bytes: makes the file of a page.
        suffix: the end of the files' names.
    """

    @contextlib.contextmanager
    def writer(job: Job, destination: Destination) -> Iterator[PutPages]:
        folder = scan_files(destination.place, suffix, own=destination.own)

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                number = f".{reading.page}" if entry.pages > 1 else ""
                folder.add(entry.scan, to_bytes(reading, job), number)

        yield put
        folder.finish()

    return writer


def xml_bytes(root: ET.Element, doctype: str = "") -> bytes:
    """Return an XML file, UTF-8."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}'.encode() + ET.tostring(root) + b"\n"
