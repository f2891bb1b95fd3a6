"""The occlusion map finds the ink that decides, and is empty without ink."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.explain import PATCH_PIXELS, occlusion_map


def ink_within(rows: slice, columns: slice):
    """A network of two answers that sees one window alone: the more ink in it, the surer of the first."""

    def probabilities(glyphs: np.ndarray) -> np.ndarray:
        sure = 0.5 + 0.49 * glyphs[:, rows, columns].mean(axis=(1, 2)) / 255
        return np.stack([sure, 1 - sure], axis=1).astype(np.float32)

    return probabilities


@pytest.mark.parametrize(("top", "left"), [(0, 0), (5, 17), (12, 12), (25, 25)])
def test_the_map_shows_the_window_that_decides(top: int, left: int) -> None:
    rows, columns = slice(top, top + 3), slice(left, left + 3)
    glyph = np.full((28, 28), 255, np.uint8)
    found = occlusion_map(ink_within(rows, columns), glyph)
    assert found.shape == (28, 28)
    assert found.dtype == np.float32
    peak = np.unravel_index(found.argmax(), found.shape)
    assert rows.start <= peak[0] < rows.stop
    assert columns.start <= peak[1] < columns.stop
    far = np.ones((28, 28), bool)
    far[
        max(0, top - PATCH_PIXELS) : top + 3 + PATCH_PIXELS,
        max(0, left - PATCH_PIXELS) : left + 3 + PATCH_PIXELS,
    ] = False
    assert not found[far].any()


def test_ink_that_speaks_against_is_negative() -> None:
    window = slice(4, 7), slice(4, 7)
    glyph = np.full((28, 28), 255, np.uint8)
    against = occlusion_map(ink_within(*window), glyph, column=1)
    assert np.allclose(against, -occlusion_map(ink_within(*window), glyph, column=0), atol=1e-6)
    assert against.min() < 0


def test_a_glyph_without_ink_has_an_empty_map() -> None:
    network = Classifier(load_model(installed_model_folder()), LETTERS).probabilities
    assert not occlusion_map(network, np.zeros((28, 28), np.uint8)).any()


def test_the_tail_makes_the_q() -> None:
    glyph = np.zeros((28, 28), np.uint8)
    cv2.circle(glyph, (13, 13), 9, 255, 2, cv2.LINE_AA)
    cv2.line(glyph, (16, 16), (24, 24), 255, 2, cv2.LINE_AA)
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    assert classifier.rank(classifier.probabilities(glyph[None]))[0][0][0] == "Q"
    found = occlusion_map(classifier.probabilities, glyph)
    # Far more depends on the corner with the tail than on the one across from it.
    assert found[14:, 14:].max() > 3 * found[:14, :14].max()
