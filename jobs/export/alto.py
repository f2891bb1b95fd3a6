"""Write ALTO 4, the XML format of libraries: one block, lines, words, glyphs with their variants.

https://www.loc.gov/standards/alto/
"""

from __future__ import annotations

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

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def alto(reading: PageReading, job: Job) -> bytes:
    """Return a page as an ALTO file.

    Args:
        reading: the page, with its width and height.
        job: its job.
    """
    root = Element("alto", xmlns=_NAMESPACE, SCHEMAVERSION="4.4")
    description = SubElement(root, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    SubElement(SubElement(description, "sourceImageInformation"), "fileName").text = printable(reading.scan)
    processing = SubElement(description, "Processing", ID="reading")
    SubElement(processing, "processingCategory").text = "contentGeneration"
    software = SubElement(processing, "processingSoftware")
    SubElement(software, "softwareName").text = "Lettermill"
    SubElement(software, "softwareVersion").text = reading.version
    whole = {"HEIGHT": str(reading.height), "WIDTH": str(reading.width)}
    layout = SubElement(root, "Layout")
    page = SubElement(layout, "Page", whole, ID="page", PHYSICAL_IMG_NR=str(reading.page))
    space = SubElement(page, "PrintSpace", whole, HPOS="0", VPOS="0")
    if reading.lines:
        block = SubElement(space, "TextBlock", _position(bounding_box(reading.letters)), ID="block")
        turned = quarter_turns(reading)
        if turned:
            block.set("ROTATION", str(360 - 90 * turned))  # Counterclockwise.
        for number, line in enumerate(reading.lines, 1):
            _add_line(block, number, line)
    indent(root)
    return xml_bytes(root)


def _add_line(block: Element, number: int, line: LineReading) -> None:
    row = SubElement(block, "TextLine", _position(line.box), ID=f"line{number}")
    for count, word in enumerate(line.words, 1):
        if count > 1:
            SubElement(row, "SP")
        name = f"line{number}_word{count}"
        string = SubElement(row, "String", _position(bounding_box(word)), ID=name)
        string.attrib.update(CONTENT=word_text(word), WC=least_confidence(word))
        for letter in word:
            glyph = SubElement(string, "Glyph", _position(letter.box), CONTENT=letter.letter)
            glyph.set("GC", f"{letter.confidence:.4f}")
            for char, confidence in letter.ranking[1:]:
                SubElement(glyph, "Variant", CONTENT=char, VC=f"{confidence:.4f}")


def _position(box: Box) -> dict[str, str]:
    return {"HPOS": str(box.x), "VPOS": str(box.y), "WIDTH": str(box.width), "HEIGHT": str(box.height)}
