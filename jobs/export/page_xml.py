"""PAGE-XML (2019-07-15), the format of OCR research: one region, lines, words, glyphs with alternatives.

https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent

from lettermill.jobs.export.common import around, printable, quarter_turns, sure, text, xml
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, PageReading

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"

_ORIENTATION = {1: "-90", 2: "180", 3: "90"}
"""Degrees by which letters so many quarter turns off have to be turned clockwise to be righted."""


def page_xml(reading: PageReading, job: Job) -> bytes:
    """Return a page as a PAGE-XML file.

    Args:
        reading: the page, with its width and height.
        job: its job.
    """
    root = Element("PcGts", xmlns=_NAMESPACE)
    metadata = SubElement(root, "Metadata")
    SubElement(metadata, "Creator").text = f"Lettermill {reading.version}"
    created = dt.datetime.fromisoformat(job.created).astimezone(dt.UTC)
    for name in ("Created", "LastChange"):  # The same job gives the same bytes.
        SubElement(metadata, name).text = created.isoformat(timespec="seconds")
    page = SubElement(
        root,
        "Page",
        imageFilename=printable(reading.scan),
        imageWidth=str(reading.width),
        imageHeight=str(reading.height),
    )
    if reading.lines:
        region = _placed(page, "TextRegion", "region", around(reading.letters))
        turned = quarter_turns(reading)
        if turned:
            region.set("orientation", _ORIENTATION[turned])
        for number, line in enumerate(reading.lines, 1):
            row = _placed(region, "TextLine", f"line{number}", line.box)
            for count, word in enumerate(line.words, 1):
                name = f"line{number}_word{count}"
                string = _placed(row, "Word", name, around(word))
                for position, letter in enumerate(word, 1):
                    glyph = _placed(string, "Glyph", f"{name}_glyph{position}", letter.box)
                    _read(glyph, ((char, f"{confidence:.4f}") for char, confidence in letter.ranking))
                _read(string, [(text(word), sure(word))])
            _read(row, [(line.text, sure(line.letters))])
        _read(region, [(reading.text, sure(reading.letters))])
    indent(root)
    return xml(root)


def _placed(parent: Element, tag: str, name: str, box: Box) -> Element:
    element = SubElement(parent, tag, id=name)
    right, bottom = box.x + box.width, box.y + box.height
    points = f"{box.x},{box.y} {right},{box.y} {right},{bottom} {box.x},{bottom}"
    SubElement(element, "Coords", points=points)
    return element


def _read(element: Element, choices: Iterable[tuple[str, str]]) -> None:
    """Say what was read, with its confidence, best first."""
    for index, (content, confidence) in enumerate(choices):
        equivalent = SubElement(element, "TextEquiv", index=str(index), conf=confidence)
        SubElement(equivalent, "Unicode").text = content
