"""Squares and circles to tick, and cells that hold a letter."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.segmentation.components import Sizes, find_components
from lettermill.segmentation.tick_boxes import drop_boxes
from lettermill.segmentation.values import Box

SIZES = Sizes(40.0, 4.0)

Ink = NDArray[np.uint8]


def paper() -> Ink:
    return np.zeros((240, 400), np.uint8)


def box(ink: Ink, side: int = 44, wall: int = 3, x: int = 60, y: int = 80) -> Ink:
    cv2.rectangle(ink, (x, y), (x + side, y + side), 255, wall)
    return ink


def turned(ink: Ink, degrees: float) -> Ink:
    matrix = cv2.getRotationMatrix2D((200, 120), degrees, 1.0)
    return np.asarray(cv2.warpAffine(ink, matrix, ink.shape[::-1]), np.uint8)


def left(ink: Ink, sizes: Sizes = SIZES) -> int:
    """How many components are left."""
    return len(drop_boxes(find_components(ink), sizes)[0])


@pytest.mark.parametrize(("side", "wall"), [(26, 2), (26, 3), (40, 2), (40, 5), (52, 2), (52, 6)])
@pytest.mark.parametrize("degrees", [0.0, 1.5, -3.0])
def test_empty_boxes_are_dropped(side: int, wall: int, degrees: float) -> None:
    assert left(turned(box(paper(), side, wall), degrees)) == 0


@pytest.mark.parametrize(
    "strokes",
    [
        [((70, 100), (80, 115)), ((80, 115), (98, 88))],
        [((66, 86), (98, 118)), ((98, 86), (66, 118))],
        [((62, 100), (80, 122)), ((80, 122), (118, 66))],
        [((50, 70), (114, 134)), ((114, 70), (50, 134))],
    ],
    ids=["tick", "cross", "tick over a corner", "cross over all corners"],
)
def test_ticks_are_dropped_with_their_boxes(strokes: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    ink = box(paper())
    for one, other in strokes:
        cv2.line(ink, one, other, 255, 4)
    assert left(ink) == 0


@pytest.mark.parametrize("size", [(18, 20), (20, 20), (16, 22)])
def test_round_letters_stay(size: tuple[int, int]) -> None:
    ink = paper()
    cv2.ellipse(ink, (100, 120), size, 8, 0, 360, 255, 4)
    # No hand closes a circle without a bump.
    cv2.line(ink, (96, 100), (104, 96), 255, 4)
    assert left(ink) == 1


def test_a_d_with_straight_sides_stays() -> None:
    ink = paper()
    cv2.line(ink, (80, 100), (80, 140), 255, 4)
    for y in (100, 140):
        cv2.line(ink, (80, y), (98, y), 255, 4)
    cv2.ellipse(ink, (98, 120), (16, 20), 0, -90, 90, 255, 4)
    assert left(ink) == 1


def circles(*places: tuple[int, int]) -> Ink:
    ink = paper()
    for place in places:
        cv2.circle(ink, place, 22, 255, 3, cv2.LINE_AA)
    return ink


def test_circles_to_tick_are_dropped() -> None:
    ink = circles((100, 60), (100, 160))
    cv2.line(ink, (92, 58), (104, 68), 255, 3)
    cv2.line(ink, (160, 40), (160, 80), 255, 4)
    assert left(ink) == 1


def test_a_lone_circle_and_circles_in_words_are_letters() -> None:
    assert left(circles((100, 60))) == 1
    words = circles((100, 60), (100, 160))
    for y in (60, 160):
        cv2.line(words, (134, y - 20), (134, y + 20), 255, 4)
    assert left(words) == 4


def test_a_bold_d_stays() -> None:
    ink = paper()
    corners = [(80, 100), (97, 100), (106, 109), (106, 121), (97, 130), (80, 130)]
    cv2.polylines(ink, [np.array(corners, np.int32)], True, 255, 8)
    assert left(ink) == 1


def test_a_letter_in_a_large_lone_box_stays_and_may_be_a_tick() -> None:
    ink = box(paper(), 70)
    cv2.line(ink, (80, 100), (80, 140), 255, 4)
    cv2.line(ink, (80, 120), (110, 120), 255, 4)
    components, lone = drop_boxes(find_components(ink), SIZES)
    assert [(one.left, one.height) for one in components] == [(78, 45)]
    assert lone == [Box(58, 78, 75, 75)]


def test_boxes_beside_each_other_are_cells_at_any_size() -> None:
    ink = box(box(paper(), 48), 48, x=120)
    for x in (75, 135):
        cv2.line(ink, (x, 90), (x, 118), 255, 4)
    components, lone = drop_boxes(find_components(ink), SIZES)
    assert len(components) == 2
    assert lone == []


def test_a_letter_that_touches_the_wall_of_its_cell_loses_only_the_wall() -> None:
    ink = box(paper(), 80)
    cv2.line(ink, (100, 80), (100, 140), 255, 4)
    (stem,), _ = drop_boxes(find_components(ink), SIZES)
    assert stem.width <= 6
    assert 45 <= stem.height <= 62


def test_small_writing_is_not_searched_for_boxes() -> None:
    assert left(box(paper(), 12, 2), Sizes(10.0, 2.0)) == 1
