"""Read pages in tests of scans: what is read, what is refused, and whether it shows the drawn picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import ScanError
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits

LIMITS = Limits()

BLOCK, PAPER = (slice(6, 13), slice(6, 19)), (slice(20, 40), slice(30, 60))


def read(path: Path, page: int = 1, dpi: int = 72, limits: Limits = LIMITS) -> np.ndarray:
    pixels = read_page(path, page, dpi, limits)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2
    return pixels


def refused(path: Path, page: int = 1, limits: Limits = LIMITS, pages: int | None = None) -> ScanError:
    with pytest.raises(ScanError) as caught:
        read_page(path, page, 72, limits, pages)
    assert caught.value.message
    return caught.value


def shows_the_picture(pixels: np.ndarray) -> bool:
    return bool(pixels.shape == (40, 60) and pixels[BLOCK].max() < 60 and pixels[PAPER].min() > 195)
