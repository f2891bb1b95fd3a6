"""Pictures of letters, lines and pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lettermill.jobs.errors import ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.web import crops as module
from lettermill.jobs.web.crops import Crops
from lettermill.jobs.web.letter_table import LetterTable


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def job(job_of: Callable[..., Job]) -> Job:
    """Two pages of a black block, read as a doubtful A; on the first a letter lies outside of the scan."""
    job = job_of("a.png", "b.png")
    for entry, _ in job.manifest():
        boxes = [Box(4, 4, 8, 11)] + [Box(4000, 4, 8, 11)] * (entry.scan == "a.png")
        letters = tuple(Letter(box, 1, (("A", 0.5),), True) for box in boxes)
        lines = (LineReading(Box(4, 4, 17, 11), letters),)
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=lines))
    return job


def test_ink_beside_a_letter_is_faded(job: Job) -> None:
    picture = pixels(Crops(job, LetterTable(job)).letter(0))
    assert picture.shape == (3 + 11 + 3, 3 + 8 + 3)  # Three pixels of paper around it.
    assert picture[9, 8] < 10  # The letter.
    assert 150 < picture[9, 12] < 180  # The block goes on beside its box: 35 % of the ink is left.


def test_a_page_is_decoded_once_for_all_of_its_doubtful_letters(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = Crops(job, LetterTable(job))
    decoded: list[str] = []
    page_pixels = module.page_pixels
    monkeypatch.setattr(
        module, "page_pixels", lambda job, entry: (decoded.append(entry.scan), page_pixels(job, entry))[1]
    )
    first = crops.letter(0)
    crops.page(0), crops.line(0)
    assert decoded == ["a.png"]
    crops.letter(2)
    assert crops.letter(0) == first
    assert decoded == ["a.png", "b.png"]


def test_the_line_and_the_page_have_a_red_frame(job: Job) -> None:
    crops = Crops(job, LetterTable(job))
    for picture, zoom in ((pixels(crops.page(0)), 4.0), (pixels(crops.line(0)), 4.0)):
        red = (picture == (200, 30, 30)).all(axis=2)
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        assert np.ptp(columns) == pytest.approx(8 * zoom + 8, abs=2)
        assert np.ptp(rows) == pytest.approx(11 * zoom + 8, abs=2)


def test_letters_without_a_picture(job: Job, scans: Path) -> None:
    crops = Crops(job, LetterTable(job))
    with pytest.raises(ScanError, match="outside of the scan"):
        crops.letter(1)
    (scans / "b.png").unlink()
    with pytest.raises(ScanError, match="not there"):
        crops.letter(2)
