"""Cutting letters out of pages, and opening the pages for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box
from lettermill.jobs.results import letter_crop as module
from lettermill.jobs.results.letter_crop import letter_crop, page_pixels

PAGE = np.arange(40 * 60, dtype=np.uint16).astype(np.uint8).reshape(40, 60)


@pytest.mark.parametrize(
    ("box", "corner", "shape"),
    [
        (Box(20, 10, 8, 12), (17, 7), (18, 14)),  # A quarter of 12 pixels on each side.
        (Box(1, 0, 4, 8), (0, 0), (10, 7)),  # Cut at the upper left edge.
        (Box(55, 35, 4, 4), (54, 34), (6, 6)),
        (Box(500, 500, 10, 10), (498, 498), (0, 0)),
        (Box(-100, -100, 10, 10), (0, 0), (0, 0)),
    ],
)
def test_paper_around_a_letter(box: Box, corner: tuple[int, int], shape: tuple[int, int]) -> None:
    crop, found = letter_crop(PAGE, box, 0.25)
    assert found == corner
    assert crop.shape == shape
    left, top = corner
    assert np.array_equal(crop, PAGE[top : top + shape[0], left : left + shape[1]])


def test_a_page_is_read_as_it_was(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    ((entry, _),) = job.manifest()
    pixels = page_pixels(job, entry)
    assert (pixels.shape, pixels.dtype) == ((40, 60), np.uint8)
    assert pixels[9, 12] < 10 and pixels[30, 50] > 245


def test_a_scan_that_is_gone_and_one_that_is_too_large(
    job_of: Callable[..., Job], scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of("a.png")
    ((entry, _),) = job.manifest()

    def full(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(ScanError) as caught:
        patched.setattr(module, "read_page", full)
        page_pixels(job, entry)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    (scans / "a.png").unlink()
    with pytest.raises(ScanError) as caught:
        page_pixels(job, entry)
    assert caught.value.code is ErrorCode.SCAN_GONE
