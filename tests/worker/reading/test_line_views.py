"""Views of a line: their columns are those of the ink frame, on straight, turned and scaled pages."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS
from lettermill.segmentation.page import segment
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.line_views import views_of
from tests.worker.reading.test_line_network import written


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def turned(page: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return np.asarray(
        cv2.warpAffine(page, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


@pytest.mark.parametrize("degrees", [0.0, 3.0])
@pytest.mark.parametrize("whole", [False, True])
def test_letters_are_seen_where_their_ink_is(classifier: Classifier, degrees: float, whole: bool) -> None:
    page = turned(np.pad(written("KHMTAE"), ((8, 8), (40, 40)), constant_values=235), degrees)
    found = segment(page, "line", "keep")
    (line,) = found.lines
    assert found.ink is not None
    assert classifier.line_network is not None
    candidates = [one for word in line.words for one in word.candidates]
    views = views_of(page, candidates, line.letter, found.ink, classifier.line_network, whole)
    assert len(views) == (3 if whole else 1)
    for view in views[:1] if degrees else views:
        seen = [view.left + view.columns * (one + other) / 2 for one, other in view.letters_seen()]
        middles = [one.left + one.ink.shape[1] / 2 for one in candidates]
        assert len(middles) == 6
        away = np.abs(np.subtract.outer(seen, middles))
        assert max(away.min(axis=0).max(), away.min(axis=1).max()) < 0.5 * line.letter


def test_a_page_wider_than_opencv_warps(classifier: Classifier) -> None:
    page = np.pad(written("KHM"), ((8, 8), (40, 33_000)), constant_values=235)
    found = segment(page, "line", "keep")
    (line,) = found.lines
    assert found.ink is not None
    assert classifier.line_network is not None
    candidates = [one for word in line.words for one in word.candidates]
    (view, *_) = views_of(page, candidates, line.letter, found.ink, classifier.line_network, whole=True)
    assert len(view.probabilities) > 1000
    assert view.text(classifier.line_network.characters).startswith("KHM")
