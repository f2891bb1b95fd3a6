"""Drawings of pages."""

from __future__ import annotations

import io
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading
from lettermill.jobs.results.overlay import draw, to_png
from tests.results import entries, report

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


@pytest.mark.parametrize(
    "box",
    [Box(5, 5, -6, -7), Box(2**62, 5, 2**62, 7), Box(5, 5, 10**9, 10**9), Box(-(10**12), 0, 10**13, 4)],
)
def test_boxes_that_no_page_has_are_cut_off(job_of: JobOf, reading_of: ReadingOf, box: Box) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    reading = reading_of(entry, "AB")
    (line,) = reading.lines
    odd = LineReading(box, (*line.letters, Letter(box, 1, (("A", 0.5),), True)))
    job.results.write(msgspec.structs.replace(reading, lines=(odd,)))
    report(job)
    with Image.open(job.path / "overlays" / f"{entry.id}.png") as drawing:
        assert drawing.size == (196, 131)


def test_flagged_letters_are_thick_and_red_and_the_scan_is_pale() -> None:
    page = np.full((60, 120), 255, np.uint8)
    page[50:55, 100:110] = 0
    letters = (
        Letter(Box(10, 20, 20, 30), 1, (("A", 0.5),), True),
        Letter(Box(60, 20, 20, 30), 1, (("B", 0.99),), False),
    )
    drawing = draw(page, [LineReading(Box(10, 20, 70, 30), letters)])
    zoom = drawing.width / 120
    assert zoom == pytest.approx(36 / 30, abs=0.02)

    def colour(x: float, y: float) -> tuple[int, ...]:
        return np.asarray(drawing)[round(y * zoom), round(x * zoom)].tolist()

    assert tuple(colour(10, 35)) == (0xC4, 0x1A, 0x1A)
    assert tuple(colour(60, 35)) == (0x1F, 0x5F, 0xA8)
    assert 100 < colour(105, 52)[0] < 130  # Black ink, of which 55 % is left.
    with Image.open(io.BytesIO(to_png(drawing))) as file:
        assert (file.size, file.mode) == (drawing.size, "P")
