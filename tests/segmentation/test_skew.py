"""The angle of the text is found and removed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.components import Sizes
from lettermill.segmentation.skew import deskew, find_skew
from tests.segmentation.drawn import component

SIZES = Sizes(letter=20.0, stroke=2.0)


@settings(deadline=None)
@given(degrees=st.floats(-9, 9), seed=st.integers(0, 99))
def test_the_angle_of_turned_lines_is_found(degrees: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    angle = np.deg2rad(degrees)
    components = []
    for line in range(5):
        for index in range(25):
            x, y = 30 * index, 50 * line + random.uniform(-1, 1)
            turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            components.append(component(round(turned_x), round(turned_y)))
    assert find_skew(components, SIZES) == pytest.approx(degrees, abs=0.3)


def test_few_letters_have_no_angle() -> None:
    assert find_skew([component(0, 0), component(30, 6), component(60, 11)], SIZES) == 0


@settings(deadline=None)
@given(degrees=st.floats(-10, 10), x=st.integers(20, 179), y=st.integers(20, 99))
def test_turning_leads_back_to_the_same_place(degrees: float, x: int, y: int) -> None:
    ink = np.zeros((120, 200), np.uint8)
    cv2.circle(ink, (x, y), 3, 255, -1)
    upright, back = deskew(ink, degrees, 1.0)
    rows, columns = np.nonzero(upright >= 128)
    place = back[:, :2] @ [columns.mean(), rows.mean()] + back[:, 2]
    assert place == pytest.approx([x, y], abs=0.5)


def test_a_tiny_angle_is_left_alone() -> None:
    ink = np.zeros((120, 200), np.uint8)
    upright, back = deskew(ink, 0.2, 20.0)
    assert upright is ink
    assert (back == np.eye(2, 3)).all()
