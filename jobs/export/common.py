"""What the formats share: names and boxes as they say them, and files of a page each."""

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

Put = Callable[[ManifestEntry, Sequence[PageReading]], None]
"""Takes a page of a scan, and readings of its pages; raises ScanError where the scan cannot be opened."""

_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Most of these XML cannot hold at all; the others change on their way through it."""

TURNED = "TURNED"
"""The quality code of a page that lies on a side or upside down."""


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Where a format is written.

    Attributes:
        place: a file or a folder.
        own: whether all that is there is Lettermill's.
    """

    place: Place
    own: bool


def printable(name: str) -> str:
    r"""Return a scan's name as text that every format holds: what is no text, and controls, show as \xNN."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", display_path(name))


def around(letters: Iterable[Letter]) -> Box:
    """Return the box that holds the boxes of some letters."""
    boxes = [letter.box for letter in letters]
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    return Box(left, top, right - left, max(box.y + box.height for box in boxes) - top)


def sure(letters: Iterable[Letter]) -> str:
    """Return how sure a word or a line is, 0–1 with four decimals: as its least certain letter."""
    return f"{min(letter.confidence for letter in letters):.4f}"


def text(letters: Iterable[Letter]) -> str:
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
) -> Callable[[Job, Files], AbstractContextManager[Put]]:
    """Return the writer of a format that is a file a page, each under its scan's name; see `ScanFiles`.

    Args:
        to_bytes: makes a file of a page.
        suffix: how the files end.
    """

    @contextlib.contextmanager
    def writer(job: Job, files: Files) -> Iterator[Put]:
        folder = scan_files(files.place, suffix, own=files.own)

        def put(entry: ManifestEntry, readings: Sequence[PageReading]) -> None:
            for reading in readings:
                number = f".{reading.page}" if entry.pages > 1 else ""
                folder.add(entry.scan, to_bytes(reading, job), number)

        yield put
        folder.finish()

    return writer


def xml(root: ET.Element, doctype: str = "") -> bytes:
    """Return an XML file, UTF-8."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}'.encode() + ET.tostring(root) + b"\n"
