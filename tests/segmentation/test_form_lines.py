"""Form lines (rules, boxes, combs) are removed, the letters on them stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.segmentation.components import Sizes, find_components
from lettermill.segmentation.form_lines import guess_sizes, remove_form_lines

LETTER, PEN, LEFT, TOP = 48, 6, 60, 100
STROKES = {
    "E": [(0.6, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0.6, 1), (0, 0.5, 0.5, 0.5)],
    "F": [(0.6, 0, 0, 0), (0, 0, 0, 1), (0, 0.5, 0.5, 0.5)],
    "T": [(0, 0, 0.7, 0), (0.35, 0, 0.35, 1)],
    "L": [(0, 0, 0, 1), (0, 1, 0.6, 1)],
    "I": [(0.3, 0, 0.3, 1)],
    "H": [(0, 0, 0, 1), (0.6, 0, 0.6, 1), (0, 0.5, 0.6, 0.5)],
    "A": [(0.35, 0, 0, 1), (0.35, 0, 0.7, 1), (0.15, 0.6, 0.55, 0.6)],
    "Z": [(0, 0, 0.6, 0), (0.6, 0, 0, 1), (0, 1, 0.6, 1)],
    "J": [(0.5, 0, 0.5, 0.8), (0.5, 0.8, 0.3, 1), (0.3, 1, 0, 0.8)],
    "Q": [
        (0.3, 0, 0, 0.5),
        (0, 0.5, 0.3, 0.9),
        (0.3, 0.9, 0.6, 0.5),
        (0.6, 0.5, 0.3, 0),
        (0.3, 0.6, 0.65, 1.15),
    ],
}
SIZES = Sizes(LETTER, PEN)

Mask = NDArray[np.uint8]


def line(
    ink: Mask, start: tuple[float, float], end: tuple[float, float], width: int, level: int = 255
) -> None:
    """Draw a stroke or a rule over what is there."""
    drawn = np.zeros_like(ink)
    first, last = ((round(16 * x), round(16 * y)) for x, y in (start, end))
    cv2.line(drawn, first, last, level, width, cv2.LINE_AA, shift=4)
    np.maximum(ink, drawn, out=ink)


def write(word: str = "EFTLIHAZJQ") -> Mask:
    """Write letters without form lines: uint8, feet at row TOP + LETTER."""
    ink = np.zeros((260, 2 * LEFT + LETTER * len(word)), np.uint8)
    for number, letter in enumerate(word):
        for x, y, right, bottom in STROKES[letter]:
            left = LEFT + number * LETTER
            start, end = (left + x * LETTER, TOP + y * LETTER), (left + right * LETTER, TOP + bottom * LETTER)
            line(ink, start, end, PEN)
    return ink


def damage(left: Mask, written: Mask) -> tuple[float, float]:
    """Shares of the writing that are lost, and that are left over."""
    kept, true = left >= 128, written >= 128
    return float((true & ~kept).sum() / true.sum()), float((kept & ~true).sum() / true.sum())


@pytest.mark.parametrize("height", [0.3, 0.65, 1.2])
@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("level", [150, 255])
def test_letters_stay_whole_on_a_rule(height: float, width: int, level: int) -> None:
    written = write()
    ruled = written.copy()
    y = TOP + height * LETTER
    line(ruled, (5, y), (ruled.shape[1] - 5, y + 3), width, level)
    lost, left = damage(remove_form_lines(ruled, SIZES).mask, written)
    assert lost < 0.02
    assert left < 0.04


def test_a_box_goes_and_its_letters_stay() -> None:
    written = write()
    boxed = written.copy()
    cv2.rectangle(boxed, (30, 70), (boxed.shape[1] - 20, 190), 255, 2)
    lost, left = damage(remove_form_lines(boxed, SIZES).mask, written)
    assert lost < 0.01
    assert left < 0.01


def test_a_comb_goes_and_its_letters_stay() -> None:
    written = write()
    comb = written.copy()
    low, high, first = TOP - 20, TOP + LETTER + 20, LEFT - 9
    last = first + LETTER * 10
    for y in (low, high):
        line(comb, (first, y), (last, y), 2)
    for x in range(first, last + 1, LETTER):
        line(comb, (x, low), (x, high), 2)
    lost, left = damage(remove_form_lines(comb, SIZES).mask, written)
    assert lost < 0.01
    assert left < 0.02


def test_a_dotted_line_goes_and_its_letters_stay() -> None:
    written = write()
    dotted = written.copy()
    for x in range(10, dotted.shape[1] - 10, 12):
        cv2.circle(dotted, (x, TOP + LETTER + 12), 2, 255, -1, cv2.LINE_AA)
    lost, left = damage(remove_form_lines(dotted, SIZES).mask, written)
    assert lost < 0.01
    assert left < 0.03


@pytest.mark.parametrize("word", ["A" * 16, "E" * 16, "HHHHAAAAEEEEFFFF"])
def test_the_bars_of_equal_letters_are_no_dotted_line(word: str) -> None:
    written = write(word)
    assert not remove_form_lines(written, SIZES).removed.any()


def test_letters_that_all_stand_on_one_rule_tell_their_size() -> None:
    written = write()
    ruled = written.copy()
    line(ruled, (5, TOP + LETTER), (ruled.shape[1] - 5, TOP + LETTER), 3)
    sizes = guess_sizes(find_components(ruled), max(ruled.shape))
    assert sizes is not None
    assert 0.7 * LETTER < sizes.letter < 1.3 * LETTER


def test_a_stem_in_a_box_is_no_wall() -> None:
    written = write("IIIIII")
    boxed = written.copy()
    cv2.rectangle(boxed, (30, TOP - 7), (boxed.shape[1] - 20, TOP + LETTER + 7), 255, 2)
    lost, left = damage(remove_form_lines(boxed, SIZES).mask, written)
    assert lost < 0.01
    assert left < 0.01


def test_a_bent_rule_goes() -> None:
    ink = np.zeros((200, 900), np.uint8)
    x = np.arange(10, 890)
    points = np.stack((x, 100 + 25 * np.sin(x / 300)), axis=1)
    cv2.polylines(ink, [np.rint(points * 16).astype(np.int32)], False, 255, 3, cv2.LINE_AA, shift=4)
    assert np.count_nonzero(remove_form_lines(ink, SIZES).mask >= 128) < 0.01 * np.count_nonzero(ink >= 128)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(STROKES)), min_size=1, max_size=8, unique=True).map("".join),
    st.sampled_from([4, 6, 8]),
)
def test_writing_without_form_lines_is_left_alone(word: str, pen: int) -> None:
    written = write(word)
    if pen != PEN:
        written = cv2.resize(written, None, fx=pen / PEN, fy=pen / PEN).astype(np.uint8)
    found = remove_form_lines(written, Sizes(LETTER * pen / PEN, pen))
    assert np.array_equal(found.mask, written)
    assert not found.removed.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 80))
def test_ink_is_only_taken_away(seed: int, height: int, width: int) -> None:
    ink = (255 * (np.random.default_rng(seed).random((height, width)) > 0.7)).astype(np.uint8)
    found = remove_form_lines(ink, Sizes(8.0, 1.5))
    assert (found.mask <= ink).all()
    assert np.array_equal(found.mask + found.removed, ink)


def on_squares(written: Mask, rule: int, pen: int) -> tuple[Mask, Mask]:
    """The foreground mask and the page of writing whose bars and stems lie on the lines of squared paper."""
    rules = np.zeros_like(written)
    for place in range(TOP % LETTER, max(written.shape), LETTER):
        line(rules, (place + LEFT - TOP, 0), (place + LEFT - TOP, written.shape[0]), 3)
        line(rules, (0, place), (written.shape[1], place), 3)
    page = 250 - rules / 255 * (250 - rule)
    page += written / 255 * (pen - page)
    return np.maximum(written, rules), page.round().astype(np.uint8)


@pytest.mark.parametrize("rule", [140, 170, 200])
@pytest.mark.parametrize("pen", [3, 6])
def test_a_pen_darker_than_squared_paper_stays_whole(rule: int, pen: int) -> None:
    written = np.pad(write("HEFTLIHAZIEE"), ((0, 7 * LETTER), (0, 0)))
    if pen < PEN:
        written = cv2.erode(written, np.ones((PEN - pen + 1, PEN - pen + 1), np.uint8)).astype(np.uint8)
    ink, page = on_squares(written, rule, 40)
    lost, left = damage(remove_form_lines(ink, Sizes(LETTER, pen), page).mask, written)
    assert lost < 0.02
    # The soft edge of a thin pen is as wide as the pen.
    assert left < 0.3


def test_a_stem_beside_a_line_of_squared_paper_is_no_wall() -> None:
    written = np.pad(write("IIIIIIIII"), ((0, 7 * LETTER), (0, 0)))
    written = np.roll(written, (-5, -12), axis=(0, 1))
    ink, _ = on_squares(written, 100, 100)
    lost, _ = damage(remove_form_lines(ink, SIZES).mask, written)
    assert lost < 0.1


def test_dots_above_and_below_a_row_without_ink_break_nothing() -> None:
    ink = np.zeros((120, 400), np.uint8)
    ink[60:-40:4, ::4] = ink[62:-40:4, 2::4] = 255
    for row in range(20, 100):
        ink[row, (row % 2) * 3 :: 6] = 255
        remove_form_lines(ink, Sizes(24.0, 2.0))


def test_lines_are_told_with_their_ends() -> None:
    ink = np.zeros((200, 700), np.uint8)
    line(ink, (100, 80), (600, 84), 4)
    (found,) = remove_form_lines(ink, SIZES).level
    assert abs(found.start - 100) <= 8 and abs(found.stop - 600) <= 8
    assert abs(found.y[0] - 80) < 1.5 and abs(found.y[-1] - 84) < 1.5
    assert 3 <= found.width <= 5
