"""Ink is put on the plane of its region, and cut at the edge of the page."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.regions import Region
from lettermill.training.pages.page_planes import Planes


@given(st.integers(-30, 60), st.integers(-30, 60), st.integers(1, 50), st.integers(1, 50))
def test_what_reaches_beyond_the_page_is_cut(left: int, top: int, height: int, width: int) -> None:
    planes = Planes.empty(40, 50)
    planes.stamp(Region.PRINT, np.full((height, width), 255, np.uint8), left, top)
    rows = max(0, min(40, top + height) - max(0, top))
    columns = max(0, min(50, left + width) - max(0, left))
    assert (planes.ink[Region.PRINT] == 255).sum() == rows * columns
    assert not planes.ink[Region.WRITING].any()


def test_ink_only_becomes_darker() -> None:
    planes = Planes.empty(4, 4)
    planes.stamp(Region.WRITING, np.full((4, 4), 200, np.uint8), 0, 0)
    planes.stamp(Region.WRITING, np.full((4, 4), 100, np.uint8), 0, 0)
    assert (planes.ink[Region.WRITING] == 200).all()


def test_a_filled_area_is_its_region_where_it_is_light_too() -> None:
    planes = Planes.empty(10, 10)
    planes.fill(Region.OTHER, np.zeros((4, 5), np.uint8), -1, 2)
    assert (planes.area[2:6, :4] == 1 + Region.OTHER).all()
    assert planes.area.sum() == 16 * (1 + Region.OTHER)
