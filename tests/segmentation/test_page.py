"""Whole pages: what is written on them is found, whatever the light, the angle and the size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lettermill.segmentation.components import find_components
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.page import Layout, isolate, segment
from tests.segmentation.drawn import Draw, Drawn, Page, candidates_of, shape_of, skewed

WRITTEN = [[4, 3, 5], [6, 6], [3, 5], [1, 7, 5]]


def test_lines_words_and_letters_are_found(text_page: Drawn) -> None:
    assert shape_of(segment(text_page.page)) == text_page.shape == WRITTEN


def test_uneven_light(text_page: Drawn) -> None:
    height, width = text_page.page.shape
    light = np.linspace(1.15, 0.35, width)[None, :] * np.linspace(1.0, 0.6, height)[:, None]
    assert shape_of(segment((text_page.page * light).clip(0, 255).astype(np.uint8))) == WRITTEN


def test_a_hard_shadow_is_no_ink(text_page: Drawn) -> None:
    page = text_page.page.copy()
    page[:, page.shape[1] // 3 : page.shape[1] // 2] //= 2
    assert shape_of(segment(page)) == WRITTEN


def test_light_ink_on_dark_paper(text_page: Drawn) -> None:
    plain, inverted = segment(text_page.page), segment(255 - text_page.page)
    assert shape_of(inverted) == WRITTEN
    assert [c.box for c in candidates_of(inverted)] == [c.box for c in candidates_of(plain)]


def test_a_dark_label_with_light_letters_on_a_light_page(draw: Draw) -> None:
    dark_on_light, light_on_dark = draw("ROADS", letter=40).page, 255 - draw("COUNT", letter=40).page
    width = min(dark_on_light.shape[1], light_on_dark.shape[1])
    page = np.vstack((dark_on_light[:, :width], light_on_dark[:, :width]))
    assert shape_of(segment(page)) == [[5], [5]]


@pytest.mark.parametrize("noise", [4, 12])
def test_noise(text_page: Drawn, noise: int) -> None:
    grain = np.random.default_rng(7).normal(0, noise, text_page.page.shape)
    assert shape_of(segment((text_page.page + grain).clip(0, 255).astype(np.uint8))) == WRITTEN


def test_scanner_specks_are_no_letters(text_page: Drawn) -> None:
    page = text_page.page.copy()
    random = np.random.default_rng(3)
    for y, x in zip(*(random.integers(0, side - 2, 300) for side in page.shape), strict=True):
        page[y : y + 2, x : x + 2] = 30
    assert shape_of(segment(page)) == WRITTEN


def test_the_shadow_at_the_edge_of_a_scan_is_no_letter(text_page: Drawn) -> None:
    page = text_page.page.copy()
    page[:, :9] = 20
    page[-6:, :] = 60
    assert shape_of(segment(page)) == WRITTEN


def test_a_frame_around_the_text_is_no_letter(text_page: Drawn) -> None:
    page = text_page.page.copy()
    height, width = page.shape
    cv2.rectangle(page, (8, 8), (width - 9, height - 9), 30, 3)
    assert shape_of(segment(page)) == WRITTEN


@pytest.mark.parametrize("letter", [14, 25, 60, 120])
def test_any_resolution(draw: Draw, letter: int) -> None:
    stroke = max(1, letter // 10)
    drawn = draw("MEND THE ROADS", "BEFORE WINTER", letter=letter, stroke=stroke)
    assert shape_of(segment(drawn.page)) == drawn.shape


def test_boxes_are_the_same_at_twice_the_size(text_page: Drawn) -> None:
    double = cv2.resize(text_page.page, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    small, large = candidates_of(segment(text_page.page)), candidates_of(segment(double))
    assert len(small) == len(large)
    for one, two in zip(small, large, strict=True):
        for side in ("x", "y", "width", "height"):
            assert abs(2 * getattr(one.box, side) - getattr(two.box, side)) <= 5


def test_boxes_hug_the_letters(draw: Draw) -> None:
    page = np.full((200, 300), 230, np.uint8)
    cv2.rectangle(page, (50, 60), (58, 119), 20, -1)
    cv2.rectangle(page, (50, 111), (89, 119), 20, -1)
    cv2.rectangle(page, (120, 60), (128, 119), 20, -1)
    cv2.rectangle(page, (120, 60), (159, 68), 20, -1)
    boxes = [c.box for c in candidates_of(segment(page))]
    edges = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    assert edges == [pytest.approx((50, 60, 90, 120), abs=2), pytest.approx((120, 60, 160, 120), abs=2)]


@pytest.mark.parametrize("degrees", [-17.0, -12.0, -7.0, -3.0, -1.2, 0.7, 3.0, 8.0, 14.0])
def test_skew_is_found_and_taken_out(text_page: Drawn, degrees: float) -> None:
    page = skewed(np.pad(text_page.page, 60, constant_values=215), degrees)
    segmentation = segment(page)
    assert segmentation.skew_degrees == pytest.approx(degrees, abs=0.3)
    assert shape_of(segmentation) == WRITTEN


def test_boxes_of_a_turned_page_hold_the_letters_where_the_page_shows_them(text_page: Drawn) -> None:
    page = skewed(np.pad(text_page.page, 60, constant_values=215), 4)
    covered = np.zeros(page.shape, bool)
    for candidate in candidates_of(segment(page)):
        box = candidate.box
        covered[box.y : box.y + box.height, box.x : box.x + box.width] = True
    assert ((page < 110) & ~covered).sum() == 0
    assert covered.mean() < 0.25


def test_the_ink_of_a_turned_letter_stands_upright(draw: Draw) -> None:
    drawn = draw("HHHH HHHH HHHH", "HHHH HHHH HHHH")
    page = skewed(np.pad(drawn.page, 80, constant_values=215), 8)
    for candidate in candidates_of(segment(page)):
        glyph = normalise(candidate.ink)
        columns = np.flatnonzero(glyph.max(axis=0) > 60)
        left = glyph[:, columns[0] : columns[0] + 5] > 60
        assert left.any(axis=1).sum() >= 20


def test_the_dot_of_an_i_joins_it(draw: Draw) -> None:
    drawn = draw("MiNi LiNE", "DiViDiNG")
    segmentation = segment(drawn.page)
    assert shape_of(segmentation) == drawn.shape
    heights = [c.box.height for c in candidates_of(segmentation)]
    assert min(heights) > 0.9 * np.median(heights)


def test_full_stops_and_commas_are_left_out(draw: Draw) -> None:
    drawn = draw("1. MEND.", "2, ROADS,")
    assert shape_of(segment(drawn.page)) == [[1, 4], [1, 5]]


def test_broken_strokes_join_their_letter(draw: Draw) -> None:
    drawn = draw("BEE FEED", "HEDGE SEED")
    page = drawn.page.copy()
    for row in (70, 71, 72, 158, 159, 160):
        page[row] = 215
    assert shape_of(segment(page)) == drawn.shape


def test_a_stem_apart_from_its_letter_joins_it() -> None:
    page = np.full((160, 420), 220, np.uint8)
    for left in (40, 160, 280):
        cv2.line(page, (left, 40), (left, 110), 30, 6, cv2.LINE_AA)
        cv2.ellipse(page, (left + 9, 75), (40, 33), 0, -88, 88, 30, 6, cv2.LINE_AA)
    assert shape_of(segment(page)) == [[3]]


def test_a_curved_line_stays_one_line(draw: Draw) -> None:
    drawn = draw("MEND THE ROADS BEFORE WINTER", "AND COUNT THE BRIDGES TWICE")
    height, width = drawn.page.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    y -= 22 * np.sin(np.pi * x / width) - 11
    page = cv2.remap(drawn.page, x, y.astype(np.float32), cv2.INTER_LINEAR, borderValue=215)
    assert shape_of(segment(page)) == drawn.shape


def test_a_neighbour_in_the_box_is_not_in_the_ink() -> None:
    page = np.full((140, 260), 220, np.uint8)
    cv2.line(page, (40, 30), (40, 110), 30, 5)
    cv2.line(page, (40, 110), (110, 110), 30, 5)
    cv2.line(page, (70, 30), (150, 30), 30, 5)
    cv2.line(page, (98, 30), (98, 92), 30, 5)
    first, second = candidates_of(segment(page))
    assert (first.ink[: first.ink.shape[0] // 2, first.ink.shape[1] // 2 :] < 128).all()
    assert (second.ink[-8:, : second.ink.shape[1] // 4] < 128).all()


def test_layouts(draw: Draw) -> None:
    drawn = draw("ROADS", "COUNT")
    assert shape_of(segment(drawn.page, "page")) == [[5], [5]]
    assert len(segment(drawn.page, "line").lines) == 1
    assert len(candidates_of(segment(drawn.page, "line"))) == 10
    assert len(segment(drawn.page, "auto").lines) == 2
    field = draw("DUPOND", letter=20, stroke=2).page[14:-14]
    assert shape_of(segment(field)) == [[6]]


def test_one_letter_on_a_small_image() -> None:
    page = np.full((40, 32), 240, np.uint8)
    cv2.putText(page, "R", (6, 32), cv2.FONT_HERSHEY_SIMPLEX, 1, 10, 3, cv2.LINE_AA)
    assert shape_of(segment(page)) == [[1]]


@pytest.mark.parametrize("value", [0, 7, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (300, 200)])
def test_an_even_page_has_no_lines(value: int, size: tuple[int, int]) -> None:
    assert segment(np.full(size, value, np.uint8)).lines == ()


def test_a_page_of_grain_has_no_lines() -> None:
    grain = np.random.default_rng(5).normal(180, 8, (700, 500))
    assert segment(grain.clip(0, 255).astype(np.uint8)).lines == ()


@pytest.mark.parametrize("radius", [1, 3, 9, 20])
def test_a_page_of_one_speck_has_no_lines(radius: int) -> None:
    page = np.full((900, 700), 230, np.uint8)
    cv2.circle(page, (300, 400), radius, 40, -1)
    assert segment(page).lines == ()


def test_the_same_page_gives_the_same_segmentation(text_page: Drawn) -> None:
    one, two = segment(text_page.page), segment(text_page.page.copy())
    assert one == two
    for first, second in zip(candidates_of(one), candidates_of(two), strict=True):
        assert (first.ink == second.ink).all()


def test_the_page_is_not_changed(text_page: Drawn) -> None:
    before = text_page.page.copy()
    segment(text_page.page)
    assert (before == text_page.page).all()


@pytest.mark.parametrize(
    "page", [np.zeros((0, 5), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)]
)
def test_what_is_no_grey_page_is_refused(page: Page) -> None:
    with pytest.raises(ValueError, match="two-dimensional uint8"):
        segment(page)


pages = arrays.arrays(
    np.uint8,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=48),
    elements=st.one_of(st.sampled_from([0, 255]), st.integers(0, 255)),
    fill=st.sampled_from([0, 200, 255]),
)


@settings(max_examples=150, deadline=None)
@given(page=pages, factor=st.integers(1, 9), layout=st.sampled_from(["auto", "page", "line"]))
def test_any_page_gives_boxes_within_it_in_reading_order(page: Page, factor: int, layout: Layout) -> None:
    page = np.kron(page, np.ones((factor, factor), np.uint8))
    segmentation = segment(page, layout)
    for line in segmentation.lines:
        assert line.words
        for box in [line.box] + [c.box for word in line.words for c in word.candidates]:
            assert box.width >= 1
            assert box.height >= 1
            assert 0 <= box.x <= box.x + box.width <= page.shape[1]
            assert 0 <= box.y <= box.y + box.height <= page.shape[0]
        for word in line.words:
            assert word.candidates
            assert all(c.ink.dtype == np.uint8 and c.ink.any() for c in word.candidates)
    assert abs(segmentation.skew_degrees) <= 20


def real_page(folder: Path, name: str) -> tuple[Page, list[list[int]]]:
    (path,) = (found for found in folder.glob(f"{name}.*") if found.suffix in {".jpg", ".png"})
    page = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    truth = (folder / f"{name}.txt").read_text(encoding="utf-8").strip().splitlines()
    return page, [[len(word) for word in line.split()] for line in truth]


@pytest.mark.parametrize("name", ["01_list", "03_haiku", "orxan_word"])
def test_every_letter_of_the_real_pages_is_found(real_pages: Path, name: str) -> None:
    page, written = real_page(real_pages, name)
    assert [sum(line) for line in shape_of(segment(page))] == [sum(line) for line in written]


def test_the_words_of_the_haiku_are_separated_as_written(real_pages: Path) -> None:
    page, written = real_page(real_pages, "03_haiku")
    assert shape_of(segment(page)) == written


def test_a_letter_is_isolated_with_its_soft_edge_and_without_its_neighbour() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:16], mask[10:30, 16] = 255, 90
    mask[5:35, 20:24], mask[12, 17:20] = 255, 60
    stem, _ = sorted(find_components(mask), key=lambda component: component.left)
    alone = isolate(stem, mask)
    assert alone.shape == (22, 8)
    assert (alone[1:-1, 1:7] == 255).all()
    assert (alone[1:-1, 7] == 90).all()
    assert not alone[0].any() and not alone[:, 0].any()


def test_form_lines_under_the_letters_change_nothing(draw: Draw) -> None:
    drawn = draw("MEND THE ROADS", "BEFORE WINTER")
    ruled = drawn.page.copy()
    for row in (106, 194):
        ruled[row : row + 2, 30:-30] = 40
    assert shape_of(segment(ruled)) == drawn.shape


@pytest.mark.parametrize("quarters", [0, 1], ids=["line", "roll on its side"])
def test_a_strip_is_surveyed_at_a_scale_that_leaves_its_letters(draw: Draw, quarters: int) -> None:
    drawn = draw(" ".join(["QUARRY", "STONE", "HARBOUR"] * 20), letter=24, stroke=3)
    assert drawn.page.shape[1] > 6000
    found = segment(np.rot90(drawn.page, -quarters).copy(), quarters=quarters)
    assert [sum(len(word.candidates) for word in line.words) for line in found.lines] == [18 * 20]
