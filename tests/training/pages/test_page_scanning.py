"""A scan keeps its regions where its ink is, however it is turned."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.segmentation.regions import Region
from lettermill.training.pages.page_planes import Field, Planes
from lettermill.training.pages.page_scanning import scan_page

PICTURES = [np.full((100, 100), 60, np.uint8)]


def page_with_a_block() -> Planes:
    """White, with a black square of writing in a field."""
    planes = Planes.empty(400, 300)
    planes.stamp(Region.WRITING, np.full((40, 40), 255, np.uint8), 130, 180)
    corners = np.array([[130, 180], [170, 180], [170, 220], [130, 220]], np.float32)
    planes.fields.append(Field("A", corners))
    return planes


def test_a_plain_scan_is_the_page() -> None:
    scanned = scan_page(page_with_a_block(), [], np.random.default_rng(1), plain=True)
    assert scanned.image[0, 0] == 255 and scanned.image[200, 150] < 128
    assert np.array_equal(scanned.ink[Region.WRITING] > 0, scanned.image < 255)


@pytest.mark.parametrize("seed", range(12))
def test_regions_and_fields_move_with_the_ink(seed: int) -> None:
    scanned = scan_page(page_with_a_block(), PICTURES, np.random.default_rng(seed))
    rows, columns = np.nonzero(scanned.ink[Region.WRITING] > 128)
    middle = scanned.fields[0].corners.mean(axis=0)
    assert abs(columns.mean() - middle[0]) < 2 and abs(rows.mean() - middle[1]) < 2


def test_a_filled_area_is_its_region() -> None:
    planes = Planes.empty(50, 50)
    planes.fill(Region.OTHER, np.zeros((10, 10), np.uint8), 5, 5)
    scanned = scan_page(planes, [], np.random.default_rng(1), plain=True)
    assert (scanned.ink[Region.OTHER, 5:15, 5:15] == 255).all()
