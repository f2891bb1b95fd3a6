"""Fields are named after captions in plain capitals; what is not read surely gives no name."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.segmentation.fields import find_fields
from lettermill.worker.reading.captions import SETTINGS, caption_names
from lettermill.worker.reading.classifier import Classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), SETTINGS.characters)


def form(*captions: tuple[str, tuple[int, int]]) -> NDArray[np.uint8]:
    """A form of 1654×1200 pixels with a box of 500×90 under each caption, given with its place."""
    page = Image.new("L", (1654, 1200), 255)
    pen = ImageDraw.Draw(page)
    for text, (x, y) in captions:
        pen.text((x, y), text, font=ImageFont.load_default(30), fill=0)
        pen.rectangle((x, y + 44, x + 500, y + 134), outline=0, width=3)
    return np.asarray(page)


def names(page: NDArray[np.uint8], classifier: Classifier) -> list[str | None]:
    found = find_fields(page)
    return caption_names(page, [field.box for field in found], classifier)


def test_captions_above(classifier: Classifier) -> None:
    page = form(("SURNAME", (80, 100)), ("SHELF", (900, 100)), ("REMARKS", (80, 400)))
    assert names(page, classifier) == ["surname", "shelf", "remarks"]


def test_a_caption_beside_its_field(classifier: Classifier) -> None:
    page = Image.fromarray(form(("", (700, 100)), ("", (700, 300))))
    ImageDraw.Draw(page).text((300, 170), "SURNAME", font=ImageFont.load_default(30), fill=0)
    assert names(np.asarray(page), classifier) == ["surname", None]


def test_what_gives_no_name(classifier: Classifier) -> None:
    """A second field of the same caption, a mark, and letters that the readers do not know."""
    page = form(("SURNAME", (80, 100)), ("SURNAME", (900, 100)), ("X", (80, 400)), ("Größe", (900, 400)))
    assert names(page, classifier) == ["surname", None, None, None]


def test_the_caption_of_the_field_above_is_not_taken(classifier: Classifier) -> None:
    page = form(("SURNAME", (80, 100)), ("", (80, 240)))
    assert names(page, classifier) == ["surname", None]
