"""Writing of the other side is erased; faint writing of the same side is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import Settings
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.values import Flaw
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines
from tests.segmentation.drawn import INK, PAPER, draw

SETTINGS = Settings()
FRONT = ("SWEET PLUMS", "BREAD", "COLD BUTTER")
BACK = ("FRESH LEEKS", "GREEN PEPPERS", "SUGAR CUBES")


@pytest.fixture(scope="module")
def classifier():
    return Classifier(load_model(installed_model_folder()), SETTINGS.characters)


def read(page, classifier):
    lines, segmentation = read_lines(np.ascontiguousarray(page), SETTINGS, classifier)
    return [line.text for line in lines], set(find_flaws(segmentation))


def page_with(front, back, strength, blur=0.0):
    """`front` at full strength, `back` (a picture of writing on paper) at a share of it."""
    ink = (PAPER - back.astype(np.float32)) * strength
    if blur:
        ink = cv2.GaussianBlur(ink, (0, 0), blur)
    height, width = max(front.shape[0], ink.shape[0]), max(front.shape[1], ink.shape[1])
    page = np.full((height, width), float(PAPER), np.float32)
    page[: front.shape[0], : front.shape[1]] = front
    page[: ink.shape[0], width - ink.shape[1] :] -= (
        ink * (page[: ink.shape[0], width - ink.shape[1] :] - INK) / (PAPER - INK)
    )
    return page.round().astype(np.uint8)


def written(lines, margin=0):
    return np.pad(draw(*lines, letter=40, stroke=5).page, ((0, 0), (0, margin)), constant_values=PAPER)


@pytest.mark.parametrize("strength", [0.35, 0.5])
@pytest.mark.parametrize("blur", [0.0, 2.0])
def test_mirrored_faint_writing_is_erased(strength, blur, classifier):
    front, back = written(FRONT, margin=350), written(BACK)[:, ::-1]
    text, flaws = read(page_with(front, back, strength, blur), classifier)
    assert text == list(FRONT)
    assert Flaw.BLEED_THROUGH in flaws


def test_faint_writing_of_the_same_side_is_read(classifier):
    front, back = written(FRONT, margin=600), written(BACK)
    text, flaws = read(page_with(front, back, 0.4), classifier)
    assert text == [f"{left} {right}" for left, right in zip(FRONT, BACK, strict=True)]
    assert Flaw.BLEED_THROUGH not in flaws


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_a_page_of_mirrored_writing_is_empty(strength, classifier):
    blank = np.full((10, 10), PAPER, np.uint8)
    text, flaws = read(page_with(blank, written(BACK)[:, ::-1], strength), classifier)
    assert text == []
    assert flaws == {Flaw.BLEED_THROUGH}


@pytest.mark.parametrize("text", ["HAM", "MOUTH TAXI", "A", "OXO TOM"])
def test_few_or_symmetrical_letters_are_not_taken_for_mirrored(text, classifier):
    assert Flaw.BLEED_THROUGH not in read(written([text]), classifier)[1]
