"""Lines that segmentation lost in the paper's pattern."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.unfound_lines import read_unfound_line
from tests.worker.reading.test_line_network import written


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def test_all_letters_are_flagged_and_lie_on_the_page(classifier: Classifier) -> None:
    page = written("KITE")
    line = read_unfound_line(page, classifier)
    assert line is not None
    assert line.text == "KITE"
    assert all(letter.flagged for letter in line.letters)
    height, width = page.shape
    for number, letter in enumerate(line.letters):
        box = letter.box
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        # Written from column 30 on, 40 columns a letter.
        assert box.x < 30 + 40 * number + 12 < box.x + box.width


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_empty_image_has_no_line(classifier: Classifier, shade: int) -> None:
    assert read_unfound_line(np.full((60, 300), shade, np.uint8), classifier) is None
