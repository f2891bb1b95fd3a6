"""The line network of the installed model: any width, masked to an alphabet, the same in pieces."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, LETTERS, MARKS
from lettermill.segmentation.line_image import LINE_ROWS, STEP_COLUMNS, line_image
from lettermill.worker.reading.line_evidence import Steps
from lettermill.worker.reading.line_network import WIDEST_COLUMNS, LineNetwork

CONTENT = load_model(installed_model_folder()).line_network or b""
CARD: dict[str, Any] = load_model(installed_model_folder()).line_card or {}


@pytest.fixture(scope="module")
def network() -> LineNetwork:
    return LineNetwork(CONTENT, CARD, LETTERS + MARKS)


def written(text: str, gap: int = 40) -> NDArray[np.uint8]:
    page = np.full((60, 60 + gap * len(text)), 235, np.uint8)
    for number, character in enumerate(text):
        place = (30 + gap * number, 44)
        cv2.putText(page, character, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, 40, 3, cv2.LINE_AA)
    return page


def test_it_reads(network: LineNetwork) -> None:
    probabilities = network.probabilities(line_image(written("KITE")))
    assert Steps(probabilities, 0, 1).text(network.characters) == "KITE"


@pytest.mark.parametrize("columns", [8, 64, 72, 504])
def test_one_row_for_each_step(network: LineNetwork, columns: int) -> None:
    probabilities = network.probabilities(np.zeros((LINE_ROWS, columns), np.uint8))
    assert probabilities.shape == (columns // STEP_COLUMNS, len(network.characters) + 1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_other_characters_are_left_out() -> None:
    digits = LineNetwork(CONTENT, CARD, ALPHABETS["digits"])
    text = Steps(digits.probabilities(line_image(written("SOB"))), 0, 1).text(digits.characters)
    assert text.isdigit() or not text


def test_a_very_wide_line_is_read_in_pieces(network: LineNetwork) -> None:
    image = line_image(written("ABCDEFGHKLMNPRSTUVWXYZ" * 6))
    assert image.shape[1] > WIDEST_COLUMNS
    pieces = network.probabilities(image)
    assert len(pieces) == image.shape[1] // STEP_COLUMNS
    part = network.probabilities(image[:, :1600])
    same = (pieces[:700].argmax(axis=1) == part[:700].argmax(axis=1)).mean()
    assert same > 0.98


@pytest.mark.parametrize(
    ("content", "card", "characters", "message"),
    [
        (b"no network", {}, "AB", "the line network cannot be loaded"),
        (CONTENT, {"line_version": 0}, "AB", "was trained on lines of version 0"),
        (CONTENT, {}, "AÄ", "the line network does not know Ä"),
        (CONTENT, {"labels": ["A", "B"]}, "AB", "42 outputs, its card 2 labels"),
    ],
)
def test_what_is_no_such_network(content: bytes, card: dict[str, Any], characters: str, message: str) -> None:
    with pytest.raises(ModelProblem, match=message):
        LineNetwork(content, {**CARD, **card}, characters)
