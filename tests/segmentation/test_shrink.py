"""Images are scaled down by areas: sizes, brightness, and no scaling up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.shrink import halve, shrink
from tests.segmentation.drawn import Page


@pytest.fixture
def gradient() -> Page:
    return np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)


@pytest.mark.parametrize("scale", [1.0, 1.5, 40.0])
def test_nothing_is_scaled_up(gradient: Page, scale: float) -> None:
    small, used = shrink(gradient, scale)
    assert small is gradient
    assert used == 1


@given(height=st.integers(1, 70), width=st.integers(1, 70), scale=st.floats(0.01, 1.0, exclude_max=True))
def test_the_size_is_the_scaled_one_to_a_pixel(height: int, width: int, scale: float) -> None:
    small, used = shrink(np.full((height, width), 90, np.uint8), scale)
    assert used == scale
    assert small.dtype == np.uint8
    for side, old in zip(small.shape, (height, width), strict=True):
        assert max(1, old * scale - 1.5) <= side <= max(1, old * scale + 0.5)
    assert (small == 90).all()


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.125])
def test_powers_of_a_half_are_means_of_areas(gradient: Page, scale: float) -> None:
    small, _ = shrink(gradient, scale)
    side = round(1 / scale)
    means = gradient.reshape(96 // side, side, 128 // side, side).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 1.5


@pytest.mark.parametrize("scale", [0.9, 0.6, 0.3, 0.11])
def test_any_scale_is_about_the_mean_of_areas(gradient: Page, scale: float) -> None:
    small, _ = shrink(gradient, scale)
    exact = cv2.resize(gradient, small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - exact).max() <= 4


@given(scale=st.floats(0.001, 1.0), most=st.integers(0, 5))
def test_halving_leaves_as_many_pixels_as_wanted(scale: float, most: int) -> None:
    image = np.zeros((64, 48), np.uint8)
    halved, times = halve(image, scale, most)
    assert halved.shape == (64 >> times, 48 >> times)
    assert times <= most
    assert times == 0 or 0.5**times >= scale * (1 - 1e-12)
    assert times == most or 0.5 ** (times + 1) < scale * (1 + 1e-12) or min(halved.shape) == 1


def test_an_odd_column_or_row_is_dropped() -> None:
    image = np.zeros((5, 7), np.uint8)
    image[4], image[:, 6] = 255, 255
    halved, times = halve(image, 0.5)
    assert times == 1
    assert halved.shape == (2, 3)
    assert not halved.any()


def test_an_image_of_one_pixel_stays() -> None:
    image = np.full((1, 1), 7, np.uint8)
    assert halve(image, 0.1)[1] == 0
    assert shrink(image, 0.1)[0].tolist() == [[7]]
