"""Made pages: regions, fields and their text; the same generator makes the same page."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.segmentation.regions import Region
from lettermill.training.pages.made_pages import PageMaker, photograph
from lettermill.training.pages.page_planes import Planes
from tests.training.pages.made import some_sources

SOURCES = some_sources()


def made(seed: int) -> Planes:
    return PageMaker(SOURCES, np.random.default_rng(seed)).page(900, 640)


def test_the_same_generator_makes_the_same_page() -> None:
    one, other = made(3), made(3)
    assert np.array_equal(one.ink, other.ink)
    assert [field.text for field in one.fields] == [field.text for field in other.fields]


def test_pages_have_all_regions_and_fields() -> None:
    pages = [made(seed) for seed in range(8)]
    for region in Region:
        assert sum(page.ink[region].any() for page in pages) >= 5
    fields = [field for page in pages for field in page.fields]
    assert len(fields) > 40
    assert 0.4 < np.mean([bool(field.text) for field in fields]) < 0.95


@pytest.mark.parametrize("seed", range(4))
def test_where_a_field_has_a_text_there_is_writing(seed: int) -> None:
    page = made(seed)
    for field in page.fields:
        left, top = np.maximum(field.corners.min(axis=0), 0).astype(int)
        right, bottom = field.corners.max(axis=0).astype(int)
        if field.text and bottom <= page.area.shape[0]:
            assert page.ink[Region.WRITING, top:bottom, left:right].any()


def test_a_piece_of_a_photograph_has_the_size_that_was_asked_for() -> None:
    piece = photograph(SOURCES.pictures[0], 50, 70, np.random.default_rng(1))
    assert piece.shape == (50, 70) and piece.dtype == np.uint8
