"""Rows of cells are found by their walls; lines of text, tables and squared paper have none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.segmentation.cells import (
    LEAST_STEM_CELLS,
    cell_at,
    find_cells,
    of_single_letters,
    steps_between,
)
from lettermill.segmentation.components import Sizes
from lettermill.segmentation.form_lines import FormLines, remove_boxes, remove_form_lines
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import CellRow
from tests.segmentation.drawn import component

LETTER, PEN, LEFT, TOP = 40, 5, 50, 60
SIZES = Sizes(LETTER, PEN)

Mask = NDArray[np.uint8]
Boxes = list[tuple[int, int, int, int]]


def comb(
    cells: int,
    width: int = 48,
    height: int = 60,
    wall: int = 2,
    gap: int = 0,
    half: bool = False,
    fall: float = 0.0,
) -> tuple[Mask, Boxes]:
    """Draw a row of cells, with shared walls or a gap between; `half`: low walls on the foot line."""
    ink = np.zeros((TOP + height + 60, 2 * LEFT + cells * (width + gap)), np.uint8)
    boxes = []
    for number in range(cells):
        left = LEFT + number * (width + gap)
        right = left + width
        top, bottom = (TOP + round(fall * left) + high for high in (height // 2 if half else 0, height))
        boxes.append((left, top, right, bottom))
        for x in (left, right):
            cv2.line(ink, (x, top), (x, bottom), 255, wall)
        cv2.line(ink, (left, bottom), (right, bottom), 255, wall)
        if not half:
            cv2.line(ink, (left, top), (right, top), 255, wall)
    return ink, boxes


def write(ink: Mask, boxes: Boxes, skip: tuple[int, ...] = ()) -> Mask:
    """Draw an H in each cell but some: its stems are no walls. Returns the letters alone."""
    letters = np.zeros_like(ink)
    for number, (left, _, right, bottom) in enumerate(boxes):
        if number in skip:
            continue
        middle, foot, head = (left + right) // 2, bottom - 8, bottom - 8 - LETTER
        for x in (middle - 11, middle + 11):
            cv2.line(letters, (x, head), (x, foot), 255, PEN)
        cv2.line(letters, (middle - 11, (head + foot) // 2), (middle + 11, (head + foot) // 2), 255, PEN)
    np.maximum(ink, letters, out=ink)
    return letters


def found(ink: Mask) -> tuple[CellRow, ...]:
    """The rows of cells of a mask, as `segment` looks for them."""
    return find_cells(ink, remove_form_lines(ink, SIZES).level, SIZES)


@settings(deadline=None, max_examples=40)
@given(
    cells=st.integers(3, 20),
    width=st.integers(40, 80),
    height=st.integers(52, 90),
    wall=st.integers(1, 4),
    gap=st.sampled_from([0, 8, 14]),
    half=st.booleans(),
    fall=st.floats(-0.015, 0.015),
)
def test_a_comb_has_the_cells_that_were_drawn(
    cells: int, width: int, height: int, wall: int, gap: int, half: bool, fall: float
) -> None:
    half = half and gap == 0
    assume(not half or width <= 1.6 * (height / 2))
    assume(not half or cells >= LEAST_STEM_CELLS)  # Fewer walls as high as letters may be stems on a rule.
    ink, boxes = comb(cells, width, height, wall, gap, half, fall)
    (row,) = found(ink)
    assert len(row.cells) == cells
    # A cell may end at the next one's wall.
    assert np.abs(np.array(row.cells) - boxes).max() <= max(4 + wall, gap)


def test_letters_in_the_cells_change_nothing_and_their_stems_are_no_walls() -> None:
    empty, boxes = comb(9)
    written = empty.copy()
    write(written, boxes, skip=(3, 4))
    assert len(found(written)) == 1
    assert np.abs(np.array(found(written)[0].cells) - boxes).max() <= 4


def test_a_wall_that_a_letter_hides_is_where_the_step_says() -> None:
    ink, boxes = comb(8)
    ink[TOP + 3 : TOP + 57, boxes[2][2] - 4 : boxes[2][2] + 5] = 0
    (row,) = found(ink)
    assert len(row.cells) == 8


def test_letters_alone_have_no_cells() -> None:
    ink, boxes = comb(9)
    assert found(write(ink, boxes)) == ()


@pytest.mark.parametrize("columns", [1, 2])
def test_columns_of_a_table_are_no_cells(columns: int) -> None:
    ink, _ = comb(columns)
    assert found(ink) == ()


def test_wide_columns_are_no_cells() -> None:
    ink, _ = comb(6, width=200)
    assert found(ink) == ()


def test_a_row_with_several_letters_in_a_cell_holds_words() -> None:
    row = CellRow(((0, 0, 40, 40), (40, 0, 80, 40), (80, 0, 120, 40)))
    one, two = component(10, 10), component(24, 10)
    assert of_single_letters([row], [one], 20) == (row,)
    assert of_single_letters([row], [one, two], 20) == ()


def test_a_place_has_a_row_and_a_cell_and_letters_have_steps_between() -> None:
    rows = [CellRow(((0, 0, 40, 40), (40, 0, 80, 40))), CellRow(((100, 0, 140, 40),))]
    assert cell_at(rows, 50, 20) == (1, 2)
    assert cell_at(rows, 110, 20) == (2, 1)
    assert cell_at(rows, 90, 20) is None
    first, second, same, other, none = (component(x, 10) for x in (5, 45, 60, 110, 300))
    steps = steps_between(rows, [first, second, same, other, none])
    assert steps[:2] == [1, 0]
    assert steps[2] is not None and steps[2] > 1
    assert steps[3] is None
    assert steps_between([], [first, second]) == [None]


def test_walls_go_and_letters_stay() -> None:
    ink, boxes = comb(6)
    letters = write(ink, boxes)
    lines = FormLines(ink, np.zeros_like(ink))
    left = remove_boxes(lines, [boxes], SIZES).mask
    strokes = letters >= 128
    assert (left[strokes] >= 128).mean() > 0.98
    assert np.count_nonzero((left >= 128) & ~strokes) < 0.02 * np.count_nonzero((ink >= 128) & ~strokes)


def test_on_a_page_an_empty_cell_is_a_space_and_paper_between_cells_is_none() -> None:
    ink, boxes = comb(9, width=60, height=64)
    write(ink, boxes, skip=(4,))
    segmentation = segment(255 - ink, printed="keep")
    (row,) = segmentation.cell_rows
    assert len(row.cells) == 9
    (line,) = segmentation.lines
    assert [len(word.candidates) for word in line.words] == [4, 4]
    assert {gap.wall for word in line.words for gap in word.gaps} == {True}
