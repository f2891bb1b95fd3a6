"""Write hOCR: an XHTML page that a browser shows, with boxes and confidences in the titles of its elements.

https://kba.github.io/hocr-spec/1.2/
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from lettermill.jobs.export.common import bounding_box, least_confidence, printable, quarter_turns, xml_bytes
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, PageReading

_NAMESPACE = "http://www.w3.org/1999/xhtml"
_STYLE = ".ocr_line { display: block }"
"""Without it a browser would show all lines as one."""
_CAPABILITIES = "ocr_page ocr_line ocrx_word ocrx_cinfo"


def hocr(reading: PageReading, job: Job) -> bytes:
    """Return a page as an hOCR file.

    Args:
        reading: the page, with its width and height.
        job: its job.
    """
    root = Element("html", xmlns=_NAMESPACE)
    head = SubElement(root, "head")
    SubElement(head, "title").text = f"{printable(reading.scan)}, page {reading.page}"
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="ocr-system", content=f"Lettermill {reading.version}")
    SubElement(head, "meta", name="ocr-capabilities", content=_CAPABILITIES)
    SubElement(head, "style").text = _STYLE
    # A quote would end the name; many programs take the first semicolon for the end of the property.
    image = printable(reading.scan).replace('"', r"\x22").replace(";", r"\x3b")
    page = SubElement(SubElement(root, "body"), "div", {"class": "ocr_page", "id": "page"})
    whole = Box(0, 0, reading.width or 0, reading.height or 0)
    page.set("title", f'image "{image}"; {_position(whole)}; ppageno {reading.page - 1}')
    turned = quarter_turns(reading)
    angle = f"; textangle {360 - 90 * turned}" if turned else ""  # Counterclockwise.
    for number, line in enumerate(reading.lines, 1):
        row = SubElement(page, "span", {"class": "ocr_line", "id": f"line{number}"})
        row.set("title", _position(line.box) + angle)
        row.tail = "\n"
        for count, word in enumerate(line.words, 1):
            string = SubElement(row, "span", {"class": "ocrx_word", "id": f"line{number}_word{count}"})
            confidence = 100 * float(least_confidence(word))
            string.set("title", f"{_position(bounding_box(word))}; x_wconf {confidence:.0f}")
            string.tail = " "
            for letter in word:
                title = f"{_position(letter.box, 'x_bboxes')}; x_confs {100 * letter.confidence:.2f}"
                SubElement(string, "span", {"class": "ocrx_cinfo", "title": title}).text = letter.letter
        string.tail = ""
    return xml_bytes(root, "<!DOCTYPE html>\n")


def _position(box: Box, name: str = "bbox") -> str:
    return f"{name} {box.x} {box.y} {box.x + box.width} {box.y + box.height}"
