"""Boxes on the page: the smallest upright box around ink, clipped to the page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.segmentation.boxes import (
    clip_to_page,
    component_boxes,
    crop_box,
    enclosing_box,
    page_boxes,
)
from lettermill.segmentation.components import find_components
from lettermill.segmentation.values import Box, Ink

EDGES = st.tuples(*[st.integers(-50, 150)] * 4).map(
    lambda e: (min(e[0], e[2]), min(e[1], e[3]), max(e[0], e[2]) + 1, max(e[1], e[3]) + 1)
)


def frame(to_page: NDArray[np.float64]) -> Ink:
    return Ink(np.zeros((60, 80), np.uint8), 0.0, to_page)


def at_scale(scale: float) -> NDArray[np.float64]:
    """From a frame shrunk by a scale to the page, between pixel centres."""
    shift = 0.5 / scale - 0.5
    return np.array([[1 / scale, 0, shift], [0, 1 / scale, shift]])


def test_a_box_in_a_frame_of_the_pages_size_is_that_of_its_pixels() -> None:
    mask = cv2.rectangle(np.zeros((60, 80), np.uint8), (10, 20), (29, 24), 255, -1)
    assert component_boxes(find_components(mask), frame(np.eye(2, 3))).tolist() == [[10, 20, 30, 25]]


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_pixel_of_a_shrunk_frame_covers_all_its_page_pixels(factor: int) -> None:
    points = np.array([[3, 5], [4, 5]], np.int32)
    ((left, top, right, bottom),) = page_boxes([points], frame(at_scale(1 / factor))).tolist()
    assert (left, top, right, bottom) == (3 * factor, 5 * factor, 5 * factor, 6 * factor)


def test_no_shapes_have_no_boxes() -> None:
    assert page_boxes([], frame(np.eye(2, 3))).shape == (0, 4)


@given(degrees=st.floats(-180, 180), x=st.integers(0, 79), y=st.integers(0, 59))
def test_boxes_follow_a_rotation(degrees: float, x: int, y: int) -> None:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    to_page = np.array([[cosine, -sine, 30.0], [sine, cosine, -7.0]])
    ((left, top, right, bottom),) = page_boxes([np.array([[x, y]], np.int32)], frame(to_page)).tolist()
    middle = to_page[:, :2] @ (x, y) + to_page[:, 2] + 0.5
    assert left <= middle[0] <= right <= left + 2
    assert top <= middle[1] <= bottom <= top + 2


@given(edges=EDGES, height=st.integers(1, 100), width=st.integers(1, 100))
def test_a_clipped_box_is_on_the_page_and_unchanged_if_it_was(
    edges: tuple[int, int, int, int], height: int, width: int
) -> None:
    box = clip_to_page(edges, (height, width))
    assert 0 <= box.x < box.x + box.width <= width
    assert 0 <= box.y < box.y + box.height <= height
    left, top, right, bottom = edges
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        assert box == Box(left, top, right - left, bottom - top)


@given(st.lists(EDGES, min_size=1, max_size=6))
def test_the_enclosing_box_touches_the_outermost_edges(edges: list[tuple[int, int, int, int]]) -> None:
    boxes = [Box(left, top, right - left, bottom - top) for left, top, right, bottom in edges]
    around = enclosing_box(boxes)
    lows, highs = np.array(edges)[:, :2].min(axis=0), np.array(edges)[:, 2:].max(axis=0)
    assert [around.x, around.y] == lows.tolist()
    assert [around.x + around.width, around.y + around.height] == highs.tolist()


def test_the_box_of_a_crop_is_around_its_strokes_only() -> None:
    crop = np.full((12, 10), 127, np.uint8)
    crop[4:9, 3:5] = 128
    assert crop_box(crop, 20, 30, frame(np.eye(2, 3)), (100, 100)) == Box(23, 34, 2, 5)
    assert crop_box(crop, 20, 30, frame(np.eye(2, 3)), (100, 24)) == Box(23, 34, 1, 5)
