"""Printed captions and cut neighbours go, hand-print stays: fields of an example's writing and of type."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lettermill.segmentation.components import Component
from lettermill.segmentation.machine_print import (
    CELLS_PER_SIDE,
    DIRECTIONS,
    edge_histograms,
    find_colons,
    find_cut_rows,
    find_machine_print,
    find_stray_rows,
    machine_print_odds,
)
from lettermill.segmentation.page import Layout, segment
from lettermill.segmentation.values import Box, Segmentation
from tests.segmentation.drawn import component
from tests.support import ROOT

SCANS = ROOT / "examples" / "scans"
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
FACES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf")
HAND = 24  # height of the writing's capitals in a made field


def boxes(segmentation: Segmentation) -> list[Box]:
    return [letter.box for line in segmentation.lines for word in line.words for letter in word.candidates]


def counts(segmentation: Segmentation) -> list[int]:
    return [sum(len(word.candidates) for word in line.words) for line in segmentation.lines]


def same(found: list[Box], wanted: list[Box], aside: int = 0) -> bool:
    """Whether these are the same letters; another stroke width on the page may move an edge by a pixel."""
    return len(found) == len(wanted) and all(
        abs(one.x - other.x) <= 1 and abs(one.y + aside - other.y) <= 1
        for one, other in zip(found, wanted, strict=True)
    )


@pytest.fixture(scope="module")
def writing() -> NDArray[np.uint8]:
    """MOSS AND LICHEN by hand, capitals of 24 pixels, black on white."""
    page = cv2.imread(str(SCANS / "index-card.png"), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    line = page[76:156, 50:820].astype(np.float32)
    line = np.clip((line - 90) / (np.median(line) - 110) * 255, 0, 255).astype(np.uint8)
    size = (round(line.shape[1] * HAND / 55), round(line.shape[0] * HAND / 55))
    return cv2.resize(line, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def type_set(text: str, cap: int, face: str = FACES[0]) -> NDArray[np.uint8]:
    """Set a line of type, black on white."""
    font = ImageFont.truetype(str(FONTS / face), cap / 0.73)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left), int(bottom - top)), 255)
    ImageDraw.Draw(image).text((-left, -top), text, 0, font)
    return np.array(image)


def paste(page: NDArray[np.uint8], part: NDArray[np.uint8], x: int, y: int) -> None:
    height, width = part.shape
    page[y : y + height, x : x + width] = np.minimum(page[y : y + height, x : x + width], part)


def blank(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width), 255, np.uint8)


@pytest.mark.parametrize("name", ["index-card.png", "register.jpg", "box 2/glass plates.png"])
def test_hand_print_stays(name: str) -> None:
    page = cv2.imread(str(SCANS / name), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    found = segment(page.astype(np.uint8), printed="drop")
    assert found.lines and found == segment(page.astype(np.uint8), printed="keep")


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("cap", [12, 16])
@pytest.mark.parametrize("text", ["SURNAME :", "DATE OF BIRTH"])
def test_a_caption_beside_the_writing_goes(
    writing: NDArray[np.uint8], face: str, cap: int, text: str
) -> None:
    caption = type_set(text, cap, face)
    left = caption.shape[1] + 40
    page = blank(left + writing.shape[1] + 20, 60)
    paste(page, writing, left, 12)
    alone = boxes(segment(page, "line"))
    paste(page, caption, 12, 18)
    assert len(boxes(segment(page, "line", "keep"))) > len(alone)
    assert same(boxes(segment(page, "line", "drop")), alone)


def test_a_caption_whose_letters_touch_goes_by_its_colon(writing: NDArray[np.uint8]) -> None:
    page = blank(writing.shape[1] + 160, 60)
    paste(page, writing, 140, 12)
    alone = boxes(segment(page, "line"))
    caption = type_set("NOM", 16)
    caption[-3:] = 0
    paste(page, caption, 30, 18)
    without = boxes(segment(page, "line", "drop"))
    paste(page, type_set(":", 16), 34 + caption.shape[1], 22)
    assert len(boxes(segment(page, "line", "keep"))) > len(alone)
    assert same(boxes(segment(page, "line", "drop")), alone)
    assert len(without) > len(alone)


def test_writing_before_a_colon_stays(writing: NDArray[np.uint8]) -> None:
    page = blank(writing.shape[1] + 80, 60)
    paste(page, writing, 20, 12)
    alone = boxes(segment(page, "line"))
    last = max(box.x + box.width for box in alone)
    for top in (20, 32):
        page[top : top + 4, last + 8 : last + 12] = 0
    assert same(boxes(segment(page, "line", "drop"))[: len(alone)], alone)


@pytest.mark.parametrize(
    ("dots", "is_colon"),
    [
        ([(46, 44, 3), (46, 54, 3)], True),
        ([(46, 44, 2), (46, 54, 3)], True),
        ([(46, 54, 3)], False),
        ([(46, 44, 3), (54, 54, 3)], False),
        ([(46, 44, 3), (46, 54, 7)], False),
        ([(46, 38, 3), (46, 46, 3), (46, 54, 3)], False),
        ([(80, 44, 3), (80, 54, 3)], False),
    ],
)
def test_a_colon_is_two_dots_alike_over_each_other(dots: list[tuple[int, int, int]], is_colon: bool) -> None:
    ink = np.zeros((100, 120), np.uint8)
    ink[36:60, 20:40] = 255
    for x, y, side in dots:
        ink[y : y + side, x : x + side] = 255
    assert find_colons([row(20)], ink) == [[is_colon]]


def test_a_colon_within_a_time_ends_no_caption() -> None:
    ink = np.zeros((100, 120), np.uint8)
    for left in (20, 58):
        ink[36:60, left : left + 20] = 255
    for y in (44, 54):
        ink[y : y + 3, 46:49] = 255
    assert find_colons([row(20, 58)], ink) == [[False, False]]


@pytest.mark.parametrize("layout", ["line", "page", "auto"])
def test_a_caption_above_the_writing_goes(writing: NDArray[np.uint8], layout: Layout) -> None:
    page = blank(writing.shape[1] + 60, 90)
    paste(page, writing, 30, 44)
    alone = boxes(segment(page, "line"))
    paste(page, type_set("FIRST NAME", 12, FACES[1]), 30, 12)
    found = segment(page, layout, "drop")
    assert len(found.lines) == 1
    assert same(boxes(found), alone)


@pytest.mark.parametrize("cap", [11, 13])
def test_a_caption_too_small_to_judge_never_mixes_with_the_writing(
    writing: NDArray[np.uint8], cap: int
) -> None:
    page = blank(writing.shape[1] + 60, 80)
    paste(page, writing, 30, 34)
    alone = boxes(segment(page, "line"))
    paste(page, type_set("FIRST NAME", cap), 30, 12)
    assert same(boxes(segment(page, "line", "drop")), alone)
    kept = boxes(segment(page, "line", "keep"))
    assert len(kept) >= len(alone) + 6
    assert same(kept[-len(alone) :], alone)


def row(*lefts: int, foot: int = 60, height: int = 24) -> list[Component]:
    return [Component(left, foot - height, left + 20, foot, 90.0, 80.0, ()) for left in lefts]


def test_what_stands_over_the_one_line_or_far_off_it_is_left_out() -> None:
    line = row(100, 130, 160, 190, 220)
    doubtful = np.array([-3.0] * 5 + [-0.5] * 3)
    assert find_stray_rows([line, row(110, 130, 150, foot=30, height=9)], doubtful) == [False, True]
    assert find_stray_rows([line, row(130, foot=90)], doubtful[:6]) == [False, True]
    assert find_stray_rows([line, row(330, foot=100)], doubtful[:6]) == [False, True]


def test_letters_of_an_uneven_line_and_a_second_line_stay() -> None:
    line = row(100, 130, 160, 190, 220)
    hand = np.full(10, -3.0)
    assert find_stray_rows([line, row(250, foot=75)], hand[:6]) == [False, False]
    assert find_stray_rows([line, row(250, 280, 310, foot=100)], hand[:8]) == [False, False]
    assert find_stray_rows([line, row(100, 130, 160, foot=90)], hand[:8]) == [False, False]
    assert find_stray_rows([], hand[:0]) == []


def test_an_empty_field_is_empty() -> None:
    page = blank(390, 40)
    paste(page, type_set("SURNAME :", 12), 6, 14)
    assert segment(page, printed="keep").lines
    assert segment(page, printed="drop").lines == ()


def test_a_page_of_nothing_but_print_is_read() -> None:
    page = blank(420, 120)
    for number, line in enumerate(("THE QUICK BROWN FOX", "JUMPS OVER THE LAZY")):
        paste(page, type_set(line, 22), 20, 20 + 50 * number)
    assert counts(segment(page, printed="drop")) == [16, 15]


@pytest.mark.parametrize("printed", ["drop", "keep"])
def test_lines_cut_by_the_edge_go_and_with_them_letters_that_miss_it(
    writing: NDArray[np.uint8], printed: str
) -> None:
    page = blank(writing.shape[1] + 40, 130)
    paste(page, writing, 20, 52)
    alone = boxes(segment(page, "line"))
    paste(page, writing, 20, 0)
    paste(page, writing, 20, 92)
    # Shortened, so that only feet are in the image above, and only tops below; one letter stays off the edge.
    page[:3, 20:60] = 255
    found = segment(page[14:112].copy(), "line", "drop" if printed == "drop" else "keep")
    assert same(boxes(found), alone, aside=14)


def test_where_all_is_cut_the_least_cut_row_stays(writing: NDArray[np.uint8]) -> None:
    page = blank(writing.shape[1] + 40, 40)
    paste(page, writing, 20, 4)
    whole = len(boxes(segment(page, "line")))
    assert len(boxes(segment(page[:30].copy(), "line"))) >= whole - 2
    assert find_cut_rows([], []) == []


def test_odds_are_of_each_letter_alone() -> None:
    glyphs = [np.zeros((28, 28), np.uint8) for _ in range(3)]
    cv2.rectangle(glyphs[1], (8, 4), (12, 23), 255, -1)
    cv2.circle(glyphs[2], (14, 14), 9, 255, 2)
    together = machine_print_odds(glyphs)
    assert together.shape == (3,)
    assert np.allclose(together, [machine_print_odds([glyph])[0] for glyph in glyphs], atol=0.1)
    assert machine_print_odds([]).shape == (0,)


def test_the_option_reaches_the_page(
    writing: NDArray[np.uint8],
    tmp_path: Path,
    lettermill: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    page = blank(writing.shape[1] + 160, 60)
    paste(page, type_set("SURNAME :", 14), 10, 18)
    paste(page, writing, 140, 12)
    (tmp_path / "scans").mkdir()
    Image.fromarray(page).save(tmp_path / "scans" / "field.png")
    texts = {}
    for words in ((), ("--printed", "drop"), ("--printed", "keep")):
        out = tmp_path / ("-".join(words) or "default")
        lettermill("run", tmp_path / "scans", "--out", out, "--layout", "line", "--workers", 1, *words)
        (job,) = out.glob("*-*")
        texts[words] = (job / "text" / "field.png.txt").read_text()
    default, dropped, kept = texts.values()
    assert default == dropped
    assert len(kept.replace(" ", "")) >= len(dropped.replace(" ", "")) + 6
    jobs = {path.name for words in ("default", "--printed-keep") for path in (tmp_path / words).glob("*-*")}
    assert len(jobs) == 2  # What becomes of captions is part of a job's identity.


def test_a_line_of_slim_letters_alone_is_read() -> None:
    """Each may be a colon by its width, so no letter bounds the search for one."""
    page = np.full((90, 260), 255, np.uint8)
    for x in (30, 80, 130, 180):
        cv2.line(page, (x, 20), (x, 70), 0, 6)
    (line,) = segment(page, printed="drop").lines
    assert sum(len(word.candidates) for word in line.words) == 4


def test_histograms_are_shares_of_each_glyph_alone() -> None:
    glyphs = list(np.random.default_rng(2).integers(0, 256, (5, 28, 28), np.uint8))
    for glyph in glyphs:
        glyph[:4], glyph[-4:], glyph[:, :4], glyph[:, -4:] = 0, 0, 0, 0
    together = edge_histograms(glyphs)
    assert together.shape == (5, CELLS_PER_SIDE**2 * DIRECTIONS)
    np.testing.assert_allclose((together**2).sum(axis=1), 1, atol=1e-5)
    for glyph, one in zip(glyphs, together, strict=True):
        np.testing.assert_allclose(edge_histograms([glyph])[0], one, atol=0.01)
    assert not edge_histograms([np.zeros((28, 28), np.uint8)]).any()


def print_in(odds: list[float], *lefts: int, width: int = 900) -> list[bool]:
    line = row(*lefts)
    (found,) = find_machine_print([line], np.array(odds), width, [[False] * len(line)])
    return found


def test_a_word_of_clear_print_before_hand_print_is_found() -> None:
    caption, entry = (0, 24, 48, 72, 96), (200, 232, 264, 296, 328)
    assert print_in([3.0] * 5 + [-3.0] * 5, *caption, *entry) == [True] * 5 + [False] * 5
    assert print_in([-3.0] * 5 + [-2.0] * 5, *caption, *entry) == [False] * 10


def test_one_letter_that_looks_printed_is_hand_print_like_its_word() -> None:
    assert print_in([-3.0, -2.0, 3.0, -3.0, -2.0], 0, 24, 48, 72, 96) == [False] * 5


def test_nothing_but_print_stays_unless_it_leaves_room_for_an_entry() -> None:
    lefts = tuple(range(0, 240, 24))
    assert print_in([3.0] * 10, *lefts, width=250) == [False] * 10
    assert print_in([3.0] * 10, *lefts, width=900) == [True] * 10
    assert find_machine_print([], np.zeros(0), 100, []) == []


@pytest.mark.parametrize(("height", "has_colon", "dropped"), [(25, True, 2), (25, False, 0), (48, True, 0)])
def test_a_low_caption_after_hand_print_goes_on_little_evidence(
    height: int, has_colon: bool, dropped: int
) -> None:
    hand = [component(60 * number, 0, 40, 50) for number in range(6)]
    caption = [component(600, 25, 20, height), component(630, 25, 40, height)]
    entry = [component(800 + 60 * number, 0, 40, 50) for number in range(5)]
    odds = np.array([-8.0] * 6 + [1.2, 0.0 if has_colon else 4.0] + [-8.0] * 5)
    colons = [False] * 7 + [has_colon] + [False] * 5
    (found,) = find_machine_print([[*hand, *caption, *entry]], odds, 1200, [colons])
    assert sum(found) == dropped
    assert not any(found[:6]) and not any(found[8:])
