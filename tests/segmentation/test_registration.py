"""A scan is laid on the form that it is of, and on no other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.pages import forms
from bench.pages.hands import Hand, font_hands
from bench.pages.layouts import PRINT_FONTS
from lettermill.segmentation.registration import Blank, cut, prepare, register
from lettermill.segmentation.values import Box


@pytest.fixture(scope="module")
def blank() -> Blank:
    return prepare(forms.blank())


@pytest.fixture(scope="module")
def hands() -> list[Hand]:
    return [hand for hand in font_hands(PRINT_FONTS) if hand.name == "DejaVuSans"]


@pytest.mark.parametrize("seed", range(6))
def test_scans_turned_scaled_askew_blurred_and_noisy(blank: Blank, hands: list[Hand], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scan, true = forms.distorted(forms.filled(forms.texts(rng), hands[0], rng), rng)
    found = register(blank, scan, forms.BOXES)
    assert found.matches
    assert max(forms.field_error(box, found.to_scan, true) for box in forms.BOXES) < 2


@pytest.mark.parametrize("draw", [forms.other_form, forms.other_edition])
@pytest.mark.parametrize("seed", range(3))
def test_another_form_is_refused(blank: Blank, draw: forms.Draw, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scan, _ = forms.distorted(draw(rng), rng)
    assert not register(blank, scan, forms.BOXES).matches


def test_one_field_that_has_moved_is_named(blank: Blank) -> None:
    page = forms.blank().copy()
    box = forms.BOXES[3]
    moved = page[box.y - 40 : box.y + box.height + 5, box.x - 5 : box.x + box.width + 5].copy()
    page[box.y - 40 : box.y + box.height + 5, box.x - 5 : box.x + box.width + 5] = 255
    page[box.y - 40 : box.y + box.height + 5, box.x + 85 : box.x + box.width + 95] = moved
    found = register(blank, page, forms.BOXES)
    assert found.found > 0.9
    assert found.lost == (3,)
    assert not found.matches


def test_the_blank_itself(blank: Blank) -> None:
    found = register(blank, blank.image, forms.BOXES)
    assert found.found == 1
    assert found.residual < 0.02
    np.testing.assert_allclose(found.to_scan / found.to_scan[2, 2], np.eye(3), atol=0.05)


@pytest.mark.parametrize(
    "page",
    [
        np.full((600, 800), 255, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.random.default_rng(1).integers(0, 256, (700, 900), np.uint8),
    ],
    ids=["white", "one pixel", "noise"],
)
def test_what_is_no_form(blank: Blank, page: NDArray[np.uint8]) -> None:
    assert not register(blank, page, forms.BOXES).matches


def test_a_mirrored_form_is_refused(blank: Blank) -> None:
    assert not register(blank, np.ascontiguousarray(blank.image[:, ::-1]), forms.BOXES).matches


def test_a_blank_with_too_little_print() -> None:
    page = np.full((1000, 1400), 255, np.uint8)
    cv2.rectangle(page, (100, 100), (400, 200), 0, 3)
    with pytest.raises(ValueError, match="too little is printed"):
        prepare(page)


def test_a_cut_is_straight_and_as_large_as_asked(blank: Blank, hands: list[Hand]) -> None:
    rng = np.random.default_rng(3)
    scan, true = forms.distorted(blank.image, rng)
    patch = cut(scan, true, Box(60, 60, 900, 180), 0.5)
    assert patch.shape == (90, 450)
    small = cv2.resize(blank.image[60:240, 60:960], (450, 90), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(patch.ravel(), small.ravel())[0, 1] > 0.8
