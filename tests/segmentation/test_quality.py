"""The quality of a scan: clean pages have no flaw, spoilt ones have theirs and no other."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.segmentation.page import Layout, segment
from lettermill.segmentation.quality import find_flaws, ink_contrasts
from lettermill.segmentation.values import Flaw, Quality
from tests.segmentation.drawn import Draw, Page, candidates_of

LETTER = 40
"""Pixels that a capital of the clean page is high."""

LINES = ("MEND THE ROADS", "BEFORE WINTER", "AND COUNT", "SEVEN BRIDGES TWICE")


@pytest.fixture
def clean(draw: Draw) -> Page:
    return draw(*LINES, letter=51, stroke=5).page


def flaws(page: Page, layout: Layout = "auto") -> set[Flaw]:
    return set(find_flaws(segment(page, layout)))


def shrunk(page: Page, letter: int) -> Page:
    factor = letter / LETTER
    return cv2.resize(page, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def blurred(page: Page, share: float) -> Page:
    return cv2.GaussianBlur(page, (0, 0), share * LETTER)


def faded(page: Page, contrast: float, grain: float = 2.0) -> Page:
    """Ink so many grey levels darker than its paper, with the grain of a scanner."""
    levels = 200 + (page.astype(float) - np.median(page)) * contrast / np.ptp(page)
    levels += np.random.default_rng(4).normal(0, grain, page.shape)
    return levels.clip(0, 255).round().astype(np.uint8)


def turned(page: Page, degrees: float) -> Page:
    page = np.pad(page, 120, constant_values=215)
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(page, matrix, (width, height), borderValue=215)


def scrawled(page: Page) -> Page:
    """The page with two coils of the pen below the text, each higher than any letter."""
    height, width = page.shape
    page = np.vstack((page, np.full((8 * LETTER, width), 215, np.uint8)))
    along = np.linspace(0, 20 * np.pi, 900)
    for top in (2.5, 5.5):
        x = 2 * LETTER + along / along[-1] * (width - 4 * LETTER) + LETTER * np.cos(along)
        y = height + top * LETTER + 1.4 * LETTER * np.sin(along)
        cv2.polylines(page, [np.stack((x, y), 1).round().astype(np.int32)], False, 40, 4, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("letter", [24, 60, 120, 300])
def test_a_clean_page_has_no_flaw_at_any_resolution(draw: Draw, letter: int) -> None:
    segmentation = segment(draw("MEND THE", "ROADS", letter=letter, stroke=max(2, letter // 9)).page)
    assert find_flaws(segmentation) == ()
    boxes = [
        candidate.box.height
        for line in segmentation.lines
        for word in line.words
        for candidate in word.candidates
    ]
    quality = segmentation.quality
    assert quality.letter_height == pytest.approx(np.median(boxes), abs=2)
    assert quality.contrast == pytest.approx(175, abs=12)
    assert quality.blur < 0.02
    assert quality.ink_used == 1


def test_light_ink_on_dark_paper_is_as_good(clean: Page) -> None:
    plain, inverted = segment(clean), segment(255 - clean)
    assert find_flaws(inverted) == ()
    assert inverted.quality.contrast == pytest.approx(plain.quality.contrast, abs=1)
    assert inverted.quality.blur == pytest.approx(plain.quality.blur, abs=0.002)


def test_uneven_light_and_rules_are_no_flaw(clean: Page) -> None:
    page = cv2.copyMakeBorder(clean, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=215)
    height, width = page.shape
    cv2.rectangle(page, (9, 9), (width - 10, height - 10), 40, 2)
    for row in range(176, height - 20, 112):
        cv2.line(page, (15, row), (width - 16, row), 40, 2)
    light = np.linspace(1.1, 0.5, width)[None, :]
    assert flaws((page * light).clip(0, 255).astype(np.uint8)) == set()


@pytest.mark.parametrize("letter", [8, 9, 10, 11])
def test_low_resolution(clean: Page, letter: int) -> None:
    assert flaws(shrunk(clean, letter)) == {Flaw.LOW_RESOLUTION}


@pytest.mark.parametrize("letter", [4, 5])
def test_writing_too_small_for_letters_is_low_resolution_not_a_blank_page(clean: Page, letter: int) -> None:
    segmentation = segment(shrunk(clean, letter))
    assert segmentation.lines == ()
    assert find_flaws(segmentation) == (Flaw.LOW_RESOLUTION,)


def test_blur_is_measured_in_letter_heights(clean: Page) -> None:
    for share in (0.06, 0.08):
        page = blurred(clean, share)
        double = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        assert segment(double).quality.blur == pytest.approx(segment(page).quality.blur, abs=0.006)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.03])
def test_soft_edges_are_no_flaw(clean: Page, share: float) -> None:
    assert flaws(blurred(clean, share) if share else clean) == set()


@pytest.mark.parametrize("share", [0.07, 0.08, 0.09])
def test_blur(clean: Page, share: float) -> None:
    assert Flaw.BLURRED in flaws(blurred(clean, share))


def test_more_blur_is_more_blur(clean: Page) -> None:
    seen = [segment(blurred(clean, share)).quality.blur for share in (0.02, 0.04, 0.06, 0.08)]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0] + 0.02


@pytest.mark.parametrize("contrast", [45, 60, 100])
def test_pale_ink_is_no_flaw(clean: Page, contrast: float) -> None:
    assert flaws(faded(clean, contrast)) == set()


@pytest.mark.parametrize("contrast", [20, 25, 30])
def test_low_contrast(clean: Page, contrast: float) -> None:
    segmentation = segment(faded(clean, contrast))
    assert set(find_flaws(segmentation)) == {Flaw.LOW_CONTRAST}
    assert segmentation.quality.contrast == pytest.approx(contrast, abs=4)


@pytest.mark.parametrize(
    ("degrees", "askew"), [(-8, True), (-6.5, True), (-3.5, False), (3.5, False), (6.5, True)]
)
def test_skew(clean: Page, degrees: float, askew: bool) -> None:
    assert flaws(turned(clean, degrees)) == ({Flaw.SKEWED} if askew else set())


def test_much_ink_unread(clean: Page) -> None:
    assert flaws(scrawled(clean)) == {Flaw.MUCH_INK_UNREAD}


def test_flaws_add_up_the_gravest_first(clean: Page) -> None:
    page = faded(shrunk(turned(clean, 7), 10), 30, grain=0.5)
    assert find_flaws(segment(page)) == (Flaw.LOW_RESOLUTION, Flaw.LOW_CONTRAST, Flaw.SKEWED)


def test_a_blank_page_has_no_ink(clean: Page) -> None:
    blank = np.full((1200, 900), 235, np.uint8)
    assert find_flaws(segment(blank)) == (Flaw.NO_INK,)
    assert segment(blank).quality == Quality()
    grain = blank + np.random.default_rng(5).normal(0, 6, blank.shape)
    assert flaws(grain.clip(0, 255).astype(np.uint8)) == {Flaw.NO_INK}
    assert flaws(faded(clean, 6)) == {Flaw.NO_INK}


def test_an_empty_form_a_speck_and_the_edges_shadow_are_no_ink() -> None:
    page = np.full((1200, 900), 235, np.uint8)
    for row in range(100, 1100, 90):
        cv2.rectangle(page, (80, row), (820, row + 60), 40, 2)
    page[:, :14] = 20
    cv2.circle(page, (400, 1170), 9, 30, -1)
    assert flaws(page) == {Flaw.NO_INK}


def test_a_drawing_without_letters_is_unread() -> None:
    page = scrawled(np.full((100, 900), 215, np.uint8))
    segmentation = segment(page)
    assert segmentation.lines == ()
    assert find_flaws(segmentation) == (Flaw.MUCH_INK_UNREAD,)


def test_the_same_page_has_the_same_quality(clean: Page) -> None:
    assert segment(clean).quality == segment(clean.copy()).quality


def zipped(path: Path, suffix: tuple[str, ...]) -> Iterator[Page]:
    with zipfile.ZipFile(path) as pack:
        for name in sorted(pack.namelist()):
            if name.endswith(suffix):
                yield cv2.imdecode(np.frombuffer(io.BytesIO(pack.read(name)).read(), np.uint8), 0)


@pytest.mark.parametrize("name", ["01_list.jpg", "03_haiku.jpg", "nist_hsf_form.png", "orxan_word.png"])
def test_real_pages_have_no_flaw(real_pages: Path, name: str) -> None:
    page = cv2.imdecode(np.frombuffer((real_pages / name).read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert flaws(page) == set()


def test_real_grids_have_no_flaw(real_pages: Path) -> None:
    grids = list(zipped(real_pages / "letter_grids_dev.zip", (".jpg", ".png")))[::3]
    assert len(grids) >= 20
    assert [flaws(grid) for grid in grids] == [set()] * len(grids)


def test_real_fields_are_of_low_resolution_where_their_letters_are_low(real_pages: Path) -> None:
    fields = list(zipped(real_pages.parent / "fields" / "names_labelled_dev.zip", (".jpg", ".png")))[::6]
    found = [segment(field, "line") for field in fields]
    assert Counter(flaw for page in found for flaw in find_flaws(page)).keys() == {Flaw.LOW_RESOLUTION}
    low = {page.quality.letter_height < 12 for page in found if find_flaws(page)}
    assert low == {True}


def test_contrast_of_each_letter(draw: Draw) -> None:
    page = draw("HH", letter=50, stroke=6).page
    boxes = [one.box for one in candidates_of(segment(page))]
    middle = boxes[1].x - 5
    page[:, middle:] = 215 - (215 - page[:, middle:].astype(np.int64)) // 3
    strong, faint = ink_contrasts(page, boxes)
    assert strong == pytest.approx(175, abs=8)
    assert faint == pytest.approx(58, abs=5)


def test_writing_that_shows_through_is_a_flaw_of_its_own(clean: Page) -> None:
    found = segment(clean)
    assert find_flaws(dataclasses.replace(found, shows_through=True)) == (Flaw.BLEED_THROUGH,)
    empty = dataclasses.replace(segment(np.full_like(clean, 215)), shows_through=True)
    assert find_flaws(empty) == (Flaw.BLEED_THROUGH,)
