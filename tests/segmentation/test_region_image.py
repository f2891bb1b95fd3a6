"""The small copy of a page that the region network sees."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lettermill.segmentation.region_image import REGION_SIDE_PIXELS, region_image, stretch_contrast


def test_a_large_page_is_shrunk_and_a_small_one_kept() -> None:
    image, scale = region_image(np.full((2560, 1800), 255, np.uint8))
    assert max(image.shape) == REGION_SIDE_PIXELS and scale == 0.5
    image, scale = region_image(np.full((300, 400), 255, np.uint8))
    assert image.shape == (300, 400) and scale == 1


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_stretching_keeps_the_order_of_grey_values(image: np.ndarray) -> None:
    stretched = stretch_contrast(image)
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(stretched.ravel()[order].astype(int)) >= 0).all()


def test_grey_ink_on_grey_paper_becomes_black_on_white() -> None:
    page = np.full((100, 100), 180, np.uint8)
    page[40:45, 10:90] = 90
    stretched = stretch_contrast(page)
    assert stretched[0, 0] == 255 and stretched[42, 50] == 0
