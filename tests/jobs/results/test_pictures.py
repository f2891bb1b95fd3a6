"""The pictures of the report: letters that are cut out, pages that are drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading
from tests.results import entries, report, words

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_pictures_show_the_letter(read_job: Callable[..., Job]) -> None:
    page = report(read_job("a.png"))
    _, *letters = page.all("img")
    assert len(letters) == 4
    for image in letters:
        picture = Image.open(io.BytesIO(base64.b64decode(str(image["src"]).split(",")[1])))
        assert picture.mode == "L"
        assert picture.size == (4 + 17 + 4, 4 + 11 + 4)  # The margin is cut at the page's edge.
        assert picture.getpixel((12, 9)) < 10
        assert picture.getpixel((24, 18)) > 245


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (lambda path: path.unlink(), "No picture: the file is not there"),
        (lambda path: path.write_bytes(b"other"), "No picture: the file was changed"),
    ],
)
def test_a_scan_that_is_gone_or_changed_is_said_so(
    read_job: Callable[..., Job], scans: Path, do: Callable[[Path], object], told: str
) -> None:
    job = read_job("a.png", "b.png")
    do(scans / "a.png")
    page = report(job)
    assert words(page).count(told) == 1 + 4
    assert len(page.all("img")) == 1 + 4


def test_a_box_outside_of_the_scan(job_of: JobOf, reading_of: ReadingOf, picture: Image.Image) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    letter = Letter(Box(5000, 5000, 10, 10), 1, (("A", 0.5),), True)
    lines = (LineReading(letter.box, (letter,)),)
    job.results.write(msgspec.structs.replace(reading_of(entry, "A"), lines=lines))
    assert "outside of the scan" in words(report(job))


def test_the_worst_pages_are_drawn_and_others_are_removed(
    read_job: Callable[..., Job], reading_of: ReadingOf
) -> None:
    job = read_job("a.png", "b.png")
    report(job)
    first, second = entries(job)
    drawing = Image.open(job.path / "overlays" / f"{first.id}.png").convert("RGB")
    assert drawing.size == (round(60 * 36 / 11), round(40 * 36 / 11))
    left, middle = round(4 * 36 / 11), round(9 * 36 / 11)
    red, green, blue = drawing.getpixel((left, middle))
    assert red > 180  # The letters are flagged.
    assert max(green, blue) < 60
    job.results.write(reading_of(first, "AB CD", sure=0.95))
    job.results.write(reading_of(second))
    report(job)
    assert [path.name for path in (job.path / "overlays").iterdir()] == [f"{first.id}.png"]
    red, green, blue = (
        Image.open(job.path / "overlays" / f"{first.id}.png").convert("RGB").getpixel((left, middle))
    )
    assert blue > 140
    assert red < 60
