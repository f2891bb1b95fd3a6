"""Write PAGE-XML (2019-07-15), the format of OCR research: one region, lines, words, glyphs, alternatives.

https://github.com/PRImA-Research-Lab/PAGE-XML
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent

from lettermill.jobs.export.common import (
    bounding_box,
    least_confidence,
    printable,
    quarter_turns,
    word_text,
    xml_bytes,
)
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, LineReading, PageReading

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"

_ORIENTATION = {1: "-90", 2: "180", 3: "90"}
"""Degrees clockwise that turn letters upright, by the quarter turns that they are off."""


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
        region = _add_boxed(page, "TextRegion", "region", bounding_box(reading.letters))
        turned = quarter_turns(reading)
        if turned:
            region.set("orientation", _ORIENTATION[turned])
        for number, line in enumerate(reading.lines, 1):
            _add_line(region, f"line{number}", line)
        _add_texts(region, [(reading.text, least_confidence(reading.letters))])
    indent(root)
    return xml_bytes(root)


def _add_line(region: Element, name: str, line: LineReading) -> None:
    row = _add_boxed(region, "TextLine", name, line.box)
    for count, word in enumerate(line.words, 1):
        of_word = f"{name}_word{count}"
        string = _add_boxed(row, "Word", of_word, bounding_box(word))
        for position, letter in enumerate(word, 1):
            glyph = _add_boxed(string, "Glyph", f"{of_word}_glyph{position}", letter.box)
            _add_texts(glyph, ((char, f"{confidence:.4f}") for char, confidence in letter.ranking))
        _add_texts(string, [(word_text(word), least_confidence(word))])
    _add_texts(row, [(line.text, least_confidence(line.letters))])


def _add_boxed(parent: Element, tag: str, name: str, box: Box) -> Element:
    element = SubElement(parent, tag, id=name)
    right, bottom = box.x + box.width, box.y + box.height
    points = f"{box.x},{box.y} {right},{box.y} {right},{bottom} {box.x},{bottom}"
    SubElement(element, "Coords", points=points)
    return element


def _add_texts(element: Element, choices: Iterable[tuple[str, str]]) -> None:
    """Add the readings of an element with their confidences, best first."""
    for index, (content, confidence) in enumerate(choices):
        equivalent = SubElement(element, "TextEquiv", index=str(index), conf=confidence)
        SubElement(equivalent, "Unicode").text = content
