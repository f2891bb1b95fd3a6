"""Scans that lie on their side or upside down are read upright, and upright ones are never turned."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines
from tests.support import ROOT

EXAMPLES = ROOT / "examples" / "scans"
SETTINGS = Settings()


@pytest.fixture(scope="module")
def classifier():
    return Classifier(load_model(installed_model_folder()), SETTINGS.characters)


def read(page, classifier):
    lines, segmentation = read_lines(np.ascontiguousarray(page), SETTINGS, classifier)
    return [line.text for line in lines], segmentation.quarters, lines


@pytest.mark.parametrize("name", ["index-card.png", "letter.pdf"])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_scan_is_read_whichever_way_it_lies(name, quarters, classifier):
    page = read_page(EXAMPLES / name, 1, 300, Limits())
    upright, _, _ = read(page, classifier)
    text, found, lines = read(np.rot90(page, -quarters), classifier)
    assert found == quarters
    assert text == upright
    height, width = (page.shape, page.shape[::-1])[quarters % 2]
    for letter in (letter for line in lines for letter in line.letters):
        assert letter.box.x + letter.box.width <= width
        assert letter.box.y + letter.box.height <= height


@pytest.mark.parametrize("text", ["NOON", "HIS OXIZ", "OXO HINI SHOX", "E", "U M W C"])
@pytest.mark.parametrize("quarters", [0, 2])
def test_letters_that_look_alike_upside_down_turn_no_page(text, quarters, classifier):
    page = np.full((120, 60 + 44 * len(text)), 225, np.uint8)
    for index, character in enumerate(text):
        cv2.putText(page, character, (30 + 44 * index, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 30, 4, cv2.LINE_AA)
    _, found, _ = read(np.rot90(page, -quarters), classifier)
    assert found in {0, quarters}


def test_scribble_is_not_turned(classifier):
    random = np.random.default_rng(4)
    page = np.full((600, 800), 230, np.uint8)
    for row in range(4):
        for column in range(10):
            points = np.array((40 + 75 * column, 60 + 130 * row)) + random.integers(0, 55, (6, 2))
            cv2.polylines(page, [points.astype(np.int32)], False, 40, 5, cv2.LINE_AA)
    _, found, _ = read(page, classifier)
    assert found == 0


def test_no_upright_grid_is_turned_and_nearly_all_turned_ones_are_righted(data, classifier):
    wrong = righted = 0
    with zipfile.ZipFile(data / "pages" / "letter_grids_dev.zip") as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith((".jpg", ".png"))][::6]
        for name in names:
            page = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
            for quarters in range(4):
                _, found, _ = read(np.rot90(page, -quarters), classifier)
                wrong += found not in {0, quarters}
                righted += quarters > 0 and found == quarters
    assert wrong == 0
    assert righted >= 0.8 * 3 * len(names)
