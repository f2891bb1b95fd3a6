"""Sheets become grey values."""

from __future__ import annotations

import numpy as np

from lettermill.training.lines.form_paper import Sheet
from lettermill.training.lines.scanning import scan

CAPITAL = 40


def sheet() -> Sheet:
    planes = [np.zeros((80, 300), np.float32) for _ in range(2)]
    planes[1][20:60, 20:280:16] = 1
    planes[1][20:60, 21:280:16] = 1
    return Sheet(planes[0], planes[1], np.ones((80, 300), np.float32), 20, 20, CAPITAL)


def test_a_scan_is_grey_and_capitals_keep_eight_pixels_or_more() -> None:
    for seed in range(60):
        grey = scan(sheet(), np.random.default_rng(seed))
        assert grey.dtype == np.uint8 and grey.ndim == 2
        assert 8 <= CAPITAL * grey.shape[0] / 80 <= CAPITAL


def test_ink_is_darker_than_the_paper_on_both_sides() -> None:
    block = sheet()
    block.ink[:] = 0
    block.ink[20:60, 110:190] = 1
    for seed in range(40):
        grey = scan(block, np.random.default_rng(seed)).astype(np.float64)
        rows, columns = grey.shape
        left, middle, right = (
            grey[rows * 3 // 8 : rows * 5 // 8, int(columns * at) : int(columns * (at + 0.1))].mean()
            for at in (0.15, 0.45, 0.75)
        )
        assert middle < (left + right) / 2


def test_the_same_seed_gives_the_same_scan() -> None:
    one, other = (scan(sheet(), np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
