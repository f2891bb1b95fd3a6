"""Letters far larger than the page's: titles are kept; frames, drawings and lines of the form are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.segmentation.components import Component, find_components
from lettermill.segmentation.large_letters import find_large_letters
from lettermill.segmentation.page import segment
from tests.segmentation.drawn import Draw, shape_of

HIGHEST = 88.0


def letters(text: str, height: int, gap: int = 30) -> list[Component]:
    """Letters drawn beside each other, one component each."""
    ink = np.zeros((2 * height, 2 * height * len(text)), np.uint8)
    scale = 1.05 * height / cv2.getTextSize("H", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)[0][1]
    x = 10
    for letter in text:
        stroke = max(2, height // 16)
        cv2.putText(ink, letter, (x, round(1.5 * height)), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, stroke)
        x = int(np.flatnonzero(ink.any(axis=0))[-1]) + gap
    return sorted(find_components(ink), key=lambda one: one.left)


def found(components: list[Component]) -> list[bool]:
    return [bool(one) for one in find_large_letters(components, HIGHEST)]


@pytest.mark.parametrize("height", [130, 180, 260])
def test_the_letters_of_a_title_are_found(height: int) -> None:
    assert found(letters("MENU", height)) == [True] * 4


def test_an_i_is_found_among_others() -> None:
    assert found(letters("GIFT", 160)) == [True] * 4


def test_a_large_initial_is_found_beside_a_letter_of_nearly_its_height() -> None:
    small = letters("L", 90)[0]
    large = letters("A", 130)[0]
    ink = np.zeros((300, 400), np.uint8)
    for one, left in ((large, 10), (small, 10 + large.width + 12)):
        moved = [contour - (one.left - left, one.bottom - 250) for contour in one.contours]
        cv2.drawContours(ink, moved, -1, 255, cv2.FILLED)
    pair = sorted(find_components(ink), key=lambda one: one.left)
    assert found(pair) == [True, False]


def test_letters_of_usual_height_are_not_large() -> None:
    assert found(letters("TABLE", 80)) == [False] * 5


def test_a_single_large_shape_is_no_letter() -> None:
    assert found(letters("A", 160)) == [False]


def outlines(*boxes: tuple[int, int, int, int], stroke: int = 6) -> list[Component]:
    ink: NDArray[np.uint8] = np.zeros((400, 800), np.uint8)
    for left, top, width, height in boxes:
        cv2.rectangle(ink, (left, top), (left + width, top + height), 255, stroke)
    return find_components(ink)


def test_frames_beside_each_other_are_no_letters() -> None:
    assert not any(found(outlines((20, 20, 120, 150), (180, 20, 120, 150), (340, 22, 120, 150))))


def test_upright_lines_beside_each_other_are_no_letters() -> None:
    assert not any(found(outlines((20, 20, 1, 200), (80, 20, 1, 200), (140, 20, 1, 200))))


def test_nothing_is_found_among_nothing() -> None:
    assert found([]) == []


@pytest.mark.parametrize("ratio", [3, 4])
def test_a_title_over_its_text_is_a_line(draw: Draw, ratio: int) -> None:
    title = draw("MENU", letter=40 * ratio, stroke=14).page
    text = draw("TOMATO SOUP", "BAKED FISH", "APPLE PIE AND TEA", letter=40).page
    width = max(title.shape[1], text.shape[1])
    page = np.vstack(
        [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=215) for part in (title, text)]
    )
    assert shape_of(segment(page)) == [[4], [6, 4], [5, 4], [5, 3, 3, 3]]
