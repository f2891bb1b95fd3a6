"""The soft foreground mask under uneven light."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lettermill.segmentation.binarise import (
    estimate_paper,
    find_ink,
    level_percentile,
    without_faint_ink,
)
from tests.segmentation.drawn import Drawn, Page


def test_paper_is_the_page_without_its_ink() -> None:
    light = np.tile(np.linspace(90, 210, 300), (200, 1))
    page = light.copy()
    page[80:120, 100:106] = 20
    assert np.abs(estimate_paper(page.astype(np.uint8), 60.0) - light).max() < 12


def test_paper_keeps_the_edge_of_a_shadow() -> None:
    page = np.full((200, 300), 220, np.uint8)
    page[:, 150:] = 110
    assert np.abs(estimate_paper(page, 31.0).astype(int) - page).max() <= 2


def test_ink_is_soft_at_the_edge_of_a_stroke() -> None:
    page = np.full((60, 60), 220, np.uint8)
    page[20:40, 20:28] = 20
    page[20:40, 28] = 130
    ink = find_ink(page, 40.0, 20.0, 0.0)
    assert ink[30, 24] == 255
    assert ink[30, 10] == 0
    assert 0 < ink[30, 28] < 255


def test_faint_and_bold_strokes_end_at_their_own_half() -> None:
    page = np.full((80, 200), 220, np.uint8)
    page[20:60, 40:48] = 10
    page[20:60, 150:158] = 130
    widths = [
        (find_ink(page, 60.0, 20.0, 0.0)[40, part] >= 128).sum() for part in (slice(0, 99), slice(99, 200))
    ]
    assert widths == [8, 8]


PAGES = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@settings(max_examples=60)
@given(page=PAGES, window=st.floats(1, 60), contrast=st.floats(1, 30), blur=st.floats(0, 2))
def test_any_page_gives_a_mask_of_its_size(page: Page, window: float, contrast: float, blur: float) -> None:
    before = page.copy()
    mask = find_ink(page, window, contrast, blur)
    assert mask.dtype == np.uint8
    assert mask.shape == page.shape
    assert (page == before).all()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_paper_without_ink_has_an_empty_mask(level: int) -> None:
    assert not find_ink(np.full((80, 90), level, np.uint8), 40.0, 20.0, 0.5).any()


def test_light_ink_on_dark_paper_gives_the_same_mask(text_page: Drawn) -> None:
    page = text_page.page
    np.testing.assert_array_equal(find_ink(255 - page, 160.0, 12.0, 0.8), find_ink(page, 160.0, 12.0, 0.8))


def test_grain_is_hardly_ever_ink() -> None:
    grain = np.random.default_rng(3).normal(180, 5, (200, 200)).clip(0, 255).astype(np.uint8)
    assert (find_ink(grain, 60.0, 12.0, 0.0) >= 128).mean() < 0.002


@given(
    levels=arrays.arrays(np.uint8, arrays.array_shapes(max_dims=2, max_side=30)), percent=st.floats(0, 100)
)
def test_a_percentile_by_counting_is_that_of_numpy(levels: Page, percent: float) -> None:
    assert level_percentile(levels, percent) == pytest.approx(float(np.percentile(levels, percent)), abs=1e-6)


def test_faint_ink_is_erased_and_the_soft_edge_of_strong_ink_stays() -> None:
    page = np.full((200, 300), 220, np.uint8)
    page[50:150, 60:68] = 150
    page[50:150, 200:208] = 20
    page[50:150, 208] = 150
    erased = without_faint_ink(page, 130.0, 40.0, 8.0)
    assert erased[:, :150].min() == 220
    np.testing.assert_array_equal(erased[:, 150:], page[:, 150:])


def test_no_ink_is_strong_enough_for_all_of_the_range() -> None:
    page = np.full((100, 200), 220, np.uint8)
    page[40:60, 50:56] = 0
    assert without_faint_ink(page, 255.0, 20.0, 6.0).min() == 220
