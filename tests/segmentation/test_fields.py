"""Boxes and combs of a blank form are found, everything else on it is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.segmentation.fields import FoundField, find_fields
from lettermill.segmentation.values import Box
from tests.segmentation.drawn import Page


@pytest.fixture
def form() -> Page:
    """A blank page of 1400×1000 pixels with a title."""
    page = np.full((1000, 1400), 250, np.uint8)
    cv2.putText(page, "APPLICATION FOR A SEAT", (80, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 30, 3)
    return page


def comb(page: Page, left: int, top: int, cells: int, width: int = 50, height: int = 60) -> None:
    for number in range(cells):
        corner = left + number * width, top
        cv2.rectangle(page, corner, (corner[0] + width, top + height), 30, 2)


def near(box: Box, left: int, top: int, right: int, bottom: int) -> bool:
    edges = box.x, box.y, box.x + box.width, box.y + box.height
    return max(abs(one - other) for one, other in zip(edges, (left, top, right, bottom), strict=True)) <= 3


def test_boxes_and_combs_are_found_row_by_row(form: Page) -> None:
    comb(form, 700, 205, 6)
    cv2.rectangle(form, (100, 200), (500, 260), 30, 2)
    cv2.rectangle(form, (100, 400), (900, 470), 30, 2)
    first, second, third = find_fields(form)
    assert first.comb is None and near(first.box, 101, 201, 500, 260)
    assert second.comb == 6 and near(second.box, 701, 206, 1000, 265)
    assert third.comb is None and near(third.box, 101, 401, 900, 470)


@pytest.mark.parametrize("cells", [2, 3, 12])
def test_a_comb_has_as_many_cells_as_were_drawn(form: Page, cells: int) -> None:
    comb(form, 100, 300, cells)
    assert [field.comb for field in find_fields(form)] == [cells]


def test_a_broken_line_still_encloses_a_field(form: Page) -> None:
    cv2.rectangle(form, (100, 200), (500, 260), 30, 3)
    form[199:203, 250:252] = 250
    assert len(find_fields(form)) == 1


def test_cells_of_other_sizes_are_fields_of_their_own(form: Page) -> None:
    cv2.rectangle(form, (100, 200), (160, 260), 30, 2)
    cv2.rectangle(form, (160, 200), (500, 260), 30, 2)
    assert [field.comb for field in find_fields(form)] == [None, None]


def test_a_box_full_of_text_is_no_field_and_one_with_a_caption_is(form: Page) -> None:
    cv2.rectangle(form, (100, 200), (500, 280), 30, 2)
    cv2.putText(form, "NAME", (106, 216), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 30, 1)
    cv2.rectangle(form, (100, 400), (500, 440), 30, 2)
    cv2.putText(form, "FOR OFFICE USE ONLY", (110, 432), cv2.FONT_HERSHEY_SIMPLEX, 1.05, 30, 4)
    (found,) = find_fields(form)
    assert near(found.box, 101, 201, 500, 280)


def test_a_page_of_text_or_of_nothing_has_no_fields(form: Page) -> None:
    assert find_fields(form) == []
    assert find_fields(np.full((400, 300), 255, np.uint8)) == []


def test_faint_print_on_grey_paper_gives_the_same_fields(form: Page) -> None:
    comb(form, 100, 300, 5)
    pale = (form * 0.3 + 120).astype(np.uint8)
    assert find_fields(pale) == find_fields(form) != []
    assert isinstance(find_fields(pale)[0], FoundField)
