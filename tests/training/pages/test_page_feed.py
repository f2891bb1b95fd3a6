"""Crops of made pages, and the process that makes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.segmentation.regions import Region
from lettermill.training.pages.made_pages import PageMaker
from lettermill.training.pages.page_feed import CROP_PIXELS, PageFeed, block_shares, make_crops
from tests.training.pages.made import FONTS, some_sources


def test_the_share_of_a_block_is_the_mean_of_its_pixels() -> None:
    ink = np.zeros((len(Region), 8, 12), np.uint8)
    ink[Region.PRINT, :4, 4:6] = 200
    shares = block_shares(ink)
    assert shares.shape == (len(Region), 2, 3)
    assert shares[Region.PRINT].tolist() == [[0, 100, 0], [0, 0, 0]]
    assert not shares[Region.WRITING].any()


def test_crops_are_squares_with_their_shares() -> None:
    sources, rng = some_sources(), np.random.default_rng(1)
    for crop in make_crops(PageMaker(sources, rng), sources, rng):
        assert crop.image.shape == (CROP_PIXELS, CROP_PIXELS)
        assert crop.shares.shape == (len(Region), CROP_PIXELS // 4, CROP_PIXELS // 4)


def test_a_feed_draws_batches_and_ends(tmp_path: Path) -> None:
    hands, printed = tmp_path / "hands", tmp_path / "print"
    for folder, font in ((hands, "STIXGeneralItalic.ttf"), (printed, "DejaVuSans.ttf")):
        folder.mkdir()
        shutil.copy(FONTS / font, folder)
    with PageFeed([hands, printed], seed=1, first_crops=6) as feed:
        images, shares = feed.batch(3)
    assert images.shape == (3, CROP_PIXELS, CROP_PIXELS, 1)
    assert shares.shape == (3, CROP_PIXELS // 4, CROP_PIXELS // 4, len(Region))
    assert feed.pages >= 1 and not feed.is_alive


def test_bad_folders_are_said_before_a_process_starts(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="can write a line"):
        PageFeed([tmp_path], seed=1)
