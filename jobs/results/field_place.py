"""Say where on a scan a form's fields are, by the letters of those that were read.

A result does not say how the scan lies on its blank. But the first letter of a field is written at its left
end, and so the fields that were read show where the others are: close enough to show the place to a person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.form_template import Field, Template
from lettermill.jobs.records.readings import Box, PageReading

_FARTHEST_FIELD_HEIGHTS = 0.75
"""How far from its expected place a first letter may be, in heights of its field; others do not count."""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a field is on its scan.

    Attributes:
        box: the field with the letters that were read in it; the whole page where nobody knows.
        quarter_turns: by how many quarter turns against the clock the scan is turned to be upright.
    """

    box: Box
    quarter_turns: int


def place_of(template: Template, reading: PageReading, name: str) -> FieldPlace:
    """Return where a field of a page is."""
    lie = lie_of(template.fields, reading)
    boxes = [line.box for line in reading.lines if line.field == name]
    if lie:
        boxes += [lie.box(field) for field in template.fields if field.name == name]
    page = Box(0, 0, reading.width or 0, reading.height or 0)
    return FieldPlace(_around(boxes, page) if boxes else page, lie.quarter_turns if lie else 0)


def field_crop(pixels: NDArray[np.uint8], place: FieldPlace) -> NDArray[np.uint8]:
    """Cut a field out of its page, upright, with some paper around it; the page if the box lies outside.

    Args:
        pixels: the page, h×w.
        place: the field.
    """
    box = place.box
    margin = max(6, min(box.width, box.height) // 5)
    left, top = max(box.x - margin, 0), max(box.y - margin, 0)
    crop = pixels[top : box.y + box.height + margin, left : box.x + box.width + margin]
    return np.rot90(crop if crop.size else pixels, place.quarter_turns)


def _around(boxes: Sequence[Box], page: Box) -> Box:
    """Return the rectangle around boxes, inside the page if its size is known."""
    left, top = max(0, min(box.x for box in boxes)), max(0, min(box.y for box in boxes))
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    if page.width and page.height:
        right, bottom = min(right, page.width), min(bottom, page.height)
    return Box(left, top, max(1, right - left), max(1, bottom - top))


@dataclasses.dataclass(frozen=True, slots=True)
class Lie:
    """How a scan lies on its blank: turned, scaled and shifted.

    Attributes:
        turn: complex number by which a point of the blank (x + iy) is multiplied.
        shift: complex number that is added then: pixels of the scan.
    """

    turn: complex
    shift: complex

    @property
    def quarter_turns(self) -> int:
        """By how many quarter turns against the clock the scan has to be turned to be upright, 0–3."""
        return round(float(np.angle(self.turn)) / (np.pi / 2)) % 4

    def box(self, field: Field) -> Box:
        """Return a field's box on the scan: the rectangle around its corners."""
        x, y, width, height = field.box.x, field.box.y, field.box.width, field.box.height
        corners = [complex(x + right, y + down) for right in (0, width) for down in (0, height)]
        points = [self.turn * corner + self.shift for corner in corners]
        left, top = min(point.real for point in points), min(point.imag for point in points)
        right, bottom = max(point.real for point in points), max(point.imag for point in points)
        return Box(round(left), round(top), round(right - left), round(bottom - top))


def lie_of(fields: Sequence[Field], reading: PageReading) -> Lie | None:
    """Estimate how a page lies on the blank of its form.

    Args:
        fields: the fields of the template.
        reading: the page as it was read.

    Returns:
        None if fewer than two fields have letters.
    """
    lines = {line.field: line for line in reading.lines}
    blank, scan, heights = [], [], []
    for field in fields:
        if field.name in lines:
            first = lines[field.name].letters[0].box
            inset = field.box.width / field.comb / 2 if field.comb else field.box.height / 2
            blank.append(complex(field.box.x + inset, field.box.y + field.box.height / 2))
            scan.append(complex(first.x + first.width / 2, first.y + first.height / 2))
            heights.append(field.box.height)
    if len(blank) < 2:
        return None
    from_, to = np.array(blank), np.array(scan)
    lie = _fitted(from_, to)
    off = np.abs(lie.turn * from_ + lie.shift - to)
    near = off <= _FARTHEST_FIELD_HEIGHTS * np.array(heights) * abs(lie.turn)
    return _fitted(from_[near], to[near]) if near.sum() >= 2 else lie


def _fitted(blank: NDArray[np.complex128], scan: NDArray[np.complex128]) -> Lie:
    """Return the turn, scale and shift that bring points of the blank nearest to those of the scan."""
    centred = blank - blank.mean()
    turn = complex(np.vdot(centred, scan - scan.mean()) / np.vdot(centred, centred))
    return Lie(turn, complex(scan.mean() - turn * blank.mean()))
