"""Drafts the fields of a template: from the boxes of a blank form, or from the form fields of a PDF."""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lettermill.jobs.inputs.field_kinds import LONGEST_NAME_CHARACTERS, MOST_CELLS, plain_word
from lettermill.jobs.inputs.pattern import automaton_of_words
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.segmentation.fields import FoundField
from lettermill.segmentation.values import Box

LEAST_SIDE_PIXELS = 8
"""Smaller fields of a PDF are hidden ones."""


@dataclass(frozen=True, slots=True)
class DraftField:
    """A field of a template that is to be written.

    Attributes:
        name: its column.
        box: in pixels of the blank.
        keys: what its table says after name and box.
        comb: its number of cells; None without a comb.
    """

    name: str
    box: Box
    keys: Mapping[str, Any]
    comb: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        """Its table."""
        box = [self.box.x, self.box.y, self.box.width, self.box.height]
        comb = {"comb": self.comb} if self.comb else {}
        return {"name": self.name, "box": box, **self.keys, **comb}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a template will say.

    Attributes:
        fields: its fields.
        rules: its rules between fields.
    """

    fields: tuple[DraftField, ...]
    rules: tuple[str, ...] = ()

    def values(self, blank: str, dpi: int) -> dict[str, Any]:
        """Return the template's values, as `template_text` takes them.

        Args:
            blank: name of the blank form's file.
            dpi: at which it is rendered, if it is a PDF.
        """
        values: dict[str, Any] = {"blank": blank}
        if blank.lower().endswith(".pdf"):
            values["dpi"] = dpi
        if self.rules:
            values["rules"] = list(self.rules)
        return values | {"fields": [field.values for field in self.fields]}


def draft_of_boxes(fields: Sequence[FoundField], names: Sequence[str]) -> Draft:
    """Return a draft with the boxes and combs of a blank form.

    Args:
        fields: the boxes and combs.
        names: a name for each.
    """
    drafts = [
        DraftField(name, field.box, {"alphabet": "alnum"}, field.comb)
        for name, field in zip(names, fields, strict=True)
    ]
    return Draft(tuple(drafts))


def draft_of_pdf(fields: Sequence[PdfField]) -> tuple[Draft, list[str]]:
    """Return a draft with the form fields of a PDF, and the names of those that are left out.

    Left out are fields that are too small to be filled in by hand, and those that lie on another.
    """
    taken: set[str] = set()
    drafts: list[DraftField] = []
    left_out = []
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for number, field in enumerate(fields, 1):
        box = Box(*field.box)
        cells = field.cells if 1 <= field.cells <= MOST_CELLS else None
        too_small = min(box.width // (cells or 1), box.height) < LEAST_SIDE_PIXELS
        if too_small or any(_overlap(box, other.box) for other in drafts):
            left_out.append(field.name)
            continue
        name = _column(f"{field.name}_{field.value}" if field.value else field.name, number, taken)
        if field.type == "radio":
            groups[field.name].append(name)
        keys = _keys(field)
        if field.required and field.type != "radio":
            keys["required"] = True
        drafts.append(DraftField(name, box, keys, cells))
    rules = [f"at most one of {', '.join(names)}" for names in groups.values() if len(names) > 1]
    return Draft(tuple(drafts), tuple(rules)), left_out


def _keys(field: PdfField) -> dict[str, Any]:
    """Return the keys that say what a field of a PDF may hold."""
    if field.type in ("tick", "radio"):
        return {"kind": "tick"}
    if field.type == "signature":
        return {"kind": "signature"}
    words = [plain_word(word) for word in field.choices]
    if field.type == "choice" and words and len(set(words)) == len(words):
        try:
            automaton_of_words(words)
        except ValueError:  # A word with characters that aren't read.
            return {"alphabet": "alnum"}
        return {"kind": "choice", "choices": list(field.choices)}
    return {"alphabet": "alnum"}


def _column(name: str, number: int, taken: set[str]) -> str:
    """Return a name that a column can have and no other field has."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    plain = re.sub(r"^[^A-Za-z]+", "", plain)[: LONGEST_NAME_CHARACTERS - 4].rstrip("_")
    found = plain or f"field_{number}"
    if found.lower() in taken or re.search(r"(?i)(^|_)(confidence|value)$", found):
        found = f"{found}_{number}"
    taken.add(found.lower())
    return found


def _overlap(one: Box, other: Box) -> bool:
    return max(one.x, other.x) < min(one.x + one.width, other.x + other.width) and max(one.y, other.y) < min(
        one.y + one.height, other.y + other.height
    )
