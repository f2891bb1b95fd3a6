"""Pages that lie on a side or upside down: boxes stay where a viewer shows them, white space tells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lettermill.segmentation.orientation import rotate_quarters, share_stacked
from lettermill.segmentation.page import segment
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.values import Box, Flaw
from tests.segmentation.drawn import Draw, Drawn, Page, candidates_of


def lying(page: Page, quarters: int) -> Page:
    """The page as a viewer shows it when it was laid down turned clockwise."""
    return np.ascontiguousarray(np.rot90(page, -quarters))


def box_lying(box: Box, shape: tuple[int, ...], quarters: int) -> Box:
    for _ in range(quarters):
        box, shape = Box(shape[0] - box.y - box.height, box.x, box.height, box.width), shape[::-1]
    return box


@settings(max_examples=60, deadline=None)
@given(
    page=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)),
    quarters=st.integers(0, 3),
)
def test_the_way_back_leads_every_pixel_home(page: Page, quarters: int) -> None:
    turned, back = rotate_quarters(page, quarters)
    for y, x in np.ndindex(*turned.shape):
        column, row = (back[:, :2] @ (x, y) + back[:, 2]).astype(int)
        assert page[row, column] == turned[y, x]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_lying_page_is_segmented_as_if_it_stood_with_boxes_where_it_lies(
    text_page: Drawn, quarters: int
) -> None:
    page = text_page.page
    upright, turned = segment(page), segment(lying(page, quarters), quarters=quarters)
    assert turned.quarters == quarters
    assert turned.skew_degrees == upright.skew_degrees
    for one, other in zip(candidates_of(upright), candidates_of(turned), strict=True):
        assert other.box == box_lying(one.box, page.shape, quarters)
        assert (other.ink == one.ink).all()
    for one, other in zip(upright.lines, turned.lines, strict=True):
        assert other.box == box_lying(one.box, page.shape, quarters)


def test_a_page_that_was_turned_says_so(text_page: Drawn) -> None:
    assert find_flaws(segment(text_page.page)) == ()
    assert find_flaws(segment(lying(text_page.page, 2), quarters=2)) == (Flaw.TURNED,)


def test_white_space_tells_lines_that_run_down_the_page(text_page: Drawn) -> None:
    for quarters in range(4):
        share = share_stacked(segment(lying(text_page.page, quarters)))
        assert share > 0.5 if quarters % 2 else share < 0.2


def test_white_space_tells_nothing_of_a_page_without_neighbours(draw: Draw) -> None:
    assert share_stacked(segment(draw("A").page)) == 0
    assert share_stacked(segment(np.full((50, 50), 200, np.uint8))) == 0
