"""Which pages lose their print before they are read, and which are left as they are."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import Settings
from lettermill.worker.reading.region_network import RegionNetwork
from lettermill.worker.reading.writing_alone import writing_alone
from tests.training.pages.made import FONTS

MODEL = load_model(installed_model_folder())
NETWORK = RegionNetwork(MODEL.region_network or b"", MODEL.region_card or {})


def printed_page() -> NDArray[np.uint8]:
    """A page of printed sentences, A4 at 150 dpi."""
    page = Image.new("L", (1240, 1754), 255)
    font = ImageFont.truetype(str(FONTS / "DejaVuSans.ttf"), 22)
    for row in range(40):
        text = "Please fill in this form in block letters and sign it at the end of page 2."
        ImageDraw.Draw(page).text((120, 120 + 38 * row), text, 10, font)
    return np.asarray(page, np.uint8)


def test_print_is_erased_from_a_page() -> None:
    page, is_printed_form = writing_alone(printed_page(), Settings(), NETWORK)
    assert is_printed_form
    assert (page < 128).sum() < 0.02 * (printed_page() < 128).sum()


@pytest.mark.parametrize("settings", [{"printed": "keep"}, {"layout": "line"}])
def test_print_that_is_kept_and_single_lines_stay(settings: dict[str, Any]) -> None:
    page = printed_page()
    assert writing_alone(page, Settings(**settings), NETWORK) == (page, False)


@pytest.mark.parametrize("shape", [(150, 800), (120, 120), (900, 190)])
def test_images_of_lines_and_words_stay(shape: tuple[int, int]) -> None:
    page = np.full(shape, 255, np.uint8)
    cv2.putText(page, "WORD", (10, 80), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    assert writing_alone(page, Settings(), NETWORK)[0] is page


def test_without_a_network_nothing_is_erased() -> None:
    page = printed_page()
    assert writing_alone(page, Settings(), None) == (page, False)
