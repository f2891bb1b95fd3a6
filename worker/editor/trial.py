"""Try a template on a scan: what is read in each field, what it means, and how the field looks there."""

from __future__ import annotations

import base64
import functools
import threading

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.form_template import Template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.settings import Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form

_SETTINGS = Settings(alphabet="alnum")

_reading = threading.Lock()
"""The networks have one thread at a time."""


class TriedField(msgspec.Struct, frozen=True):
    """What was read in a field.

    Attributes:
        name: its name.
        text: what was read; empty if nothing is there.
        value: what it means; empty for a kind without values, and where the kind's rule is broken.
        broken: how the kind's rule is broken.
        confidence: 0–1; None without letters.
        look_at: whether a person should look at it.
        picture: the field on the scan, a PNG in base64.
    """

    name: str
    text: str
    value: str
    broken: str
    confidence: float | None
    look_at: bool
    picture: str


class Tried(msgspec.Struct, frozen=True):
    """What was read on a sheet.

    Attributes:
        fields: in the order of the template, without those that are ignored.
        broken_rules: the cell of fields.csv: the rules that are broken.
    """

    fields: tuple[TriedField, ...]
    broken_rules: str


def try_template(template: Template, page: NDArray[np.uint8]) -> Tried:
    """Read a page with a template.

    Args:
        template: the template.
        page: uint8, h×w, grey.

    Raises:
        ScanError: the page is not the form.
        ModelProblem: the shipped model is damaged.
    """
    with _reading:
        form = Form(template, _classifier())
        lines, _ = form.read(page, _SETTINGS)
        pictures = form.pictures(page)
    found = form_values(template, PageReading("tried", "tried", 1, Status.DONE, lines=lines))
    fields = tuple(
        TriedField(
            field.name,
            value.text,
            value.checked.value if field.kind.has_value else "",
            value.checked.broken,
            value.confidence,
            field.name in found.look_at,
            _png(pictures[field.name]),
        )
        for field, value in zip(template.fields, found.values, strict=True)
    )
    return Tried(fields, found.meant[-1] if template.has_rules else "")


@functools.cache
def _classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), _SETTINGS.characters)


def _png(picture: NDArray[np.uint8]) -> str:
    _, content = cv2.imencode(".png", picture)
    return base64.b64encode(content.tobytes()).decode()
