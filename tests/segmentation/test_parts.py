"""The steps of segmentation one by one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.binarise import estimate_paper, find_ink
from lettermill.segmentation.components import (
    Component,
    Sizes,
    find_components,
    gap_between,
    join_components,
    measure_sizes,
)
from lettermill.segmentation.lines import find_lines, split_words, word_gap
from lettermill.segmentation.skew import deskew, find_skew

SIZES = Sizes(letter=20.0, stroke=2.0)


def component(left, top, width=14, height=20):
    """A component with the outline of its box."""
    corners = [
        (left, top),
        (left, top + height - 1),
        (left + width - 1, top + height - 1),
        (left + width - 1, top),
    ]
    contour = np.array(corners, np.int32).reshape(-1, 1, 2)
    return Component(
        left, top, left + width, top + height, 2.0 * (width + height), 2.0 * (width + height), (contour,)
    )


def test_paper_is_the_page_without_its_ink():
    light = np.tile(np.linspace(90, 210, 300), (200, 1))
    page = light.copy()
    page[80:120, 100:106] = 20
    assert np.abs(estimate_paper(page.astype(np.uint8), 60.0) - light).max() < 12


def test_paper_keeps_the_edge_of_a_shadow():
    page = np.full((200, 300), 220, np.uint8)
    page[:, 150:] = 110
    assert np.abs(estimate_paper(page, 31.0).astype(int) - page).max() <= 2


def test_ink_is_soft_at_the_edge_of_a_stroke():
    page = np.full((60, 60), 220, np.uint8)
    page[20:40, 20:28] = 20
    page[20:40, 28] = 130
    ink = find_ink(page, 40.0, 20.0, 0.0)
    assert ink[30, 24] == 255
    assert ink[30, 10] == 0
    assert 0 < ink[30, 28] < 255


def test_faint_and_bold_strokes_end_at_their_own_half():
    page = np.full((80, 200), 220, np.uint8)
    page[20:60, 40:48] = 10
    page[20:60, 150:158] = 130
    widths = [
        (find_ink(page, 60.0, 20.0, 0.0)[40, part] >= 128).sum() for part in (slice(0, 99), slice(99, 200))
    ]
    assert widths == [8, 8]


def test_pieces_within_a_frame_are_found_and_holes_are_kept():
    ink = np.zeros((100, 100), np.uint8)
    cv2.rectangle(ink, (5, 5), (94, 94), 255, 2)
    cv2.circle(ink, (50, 50), 20, 255, 4)
    components = find_components(ink)
    assert len(components) == 2
    ring = min(components, key=lambda found: found.width)
    assert len(ring.contours) == 2
    assert ring.area == pytest.approx((ink[20:80, 20:80] > 0).sum(), rel=0.15)
    assert ring.stroke == pytest.approx(4.5, abs=1.2)


def test_specks_and_rules_do_not_change_the_letter_height():
    letters = [component(30 * index, 100) for index in range(12)]
    specks = [component(7 * index, 5, 3, 3) for index in range(60)]
    rule = component(0, 150, 600, 2)
    assert measure_sizes([*letters, *specks, rule]).letter == 20
    assert measure_sizes(specks) is None
    assert measure_sizes([]) is None


def test_gap_between_is_the_paper_between_the_nearest_ink():
    assert gap_between(component(0, 0, 10), component(15, 0, 10)) == pytest.approx(5, abs=0.1)


def test_join_takes_the_box_around_all():
    joined = join_components((component(3, 4, 5, 6), component(20, 1, 2, 30)))
    assert (joined.left, joined.top, joined.right, joined.bottom) == (3, 1, 22, 31)


@settings(deadline=None)
@given(degrees=st.floats(-9, 9), seed=st.integers(0, 99))
def test_the_angle_of_turned_lines_is_found(degrees, seed):
    random = np.random.default_rng(seed)
    angle = np.deg2rad(degrees)
    components = []
    for line in range(5):
        for index in range(25):
            x, y = 30 * index, 50 * line + random.uniform(-1, 1)
            turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            components.append(component(round(turned_x), round(turned_y)))
    assert find_skew(components, SIZES) == pytest.approx(degrees, abs=0.3)


def test_few_letters_have_no_angle():
    assert find_skew([component(0, 0), component(30, 6), component(60, 11)], SIZES) == 0


@settings(deadline=None)
@given(degrees=st.floats(-10, 10), x=st.integers(20, 179), y=st.integers(20, 99))
def test_turning_leads_back_to_the_same_place(degrees, x, y):
    ink = np.zeros((120, 200), np.uint8)
    cv2.circle(ink, (x, y), 3, 255, -1)
    upright, back = deskew(ink, degrees, 1.0)
    rows, columns = np.nonzero(upright >= 128)
    place = back[:, :2] @ [columns.mean(), rows.mean()] + back[:, 2]
    assert place == pytest.approx([x, y], abs=0.5)


def test_a_tiny_angle_is_left_alone():
    ink = np.zeros((120, 200), np.uint8)
    upright, back = deskew(ink, 0.2, 20.0)
    assert upright is ink
    assert (back == np.eye(2, 3)).all()


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    sag=st.floats(-0.6, 0.6),
    order=st.randoms(use_true_random=False),
)
def test_lines_come_from_top_to_bottom_and_left_to_right(counts, sag, order):
    lines = [
        [component(30 * index, round(45 * row + sag * 20 * np.sin(index / 4))) for index in range(count)]
        for row, count in enumerate(counts)
    ]
    shuffled = [letter for line in lines for letter in line]
    order.shuffle(shuffled)
    found = find_lines(shuffled, 20.0)
    assert [[(p.left, p.top) for p in line] for line in found] == [
        [(p.left, p.top) for p in line] for line in lines
    ]


@settings(deadline=None)
@given(
    words=st.lists(st.integers(1, 7), min_size=2, max_size=8),
    inner=st.integers(1, 10),
    extra=st.integers(6, 20),
)
def test_words_are_split_at_the_wide_gaps(words, inner, extra):
    line, x, wide = [], 0, 2 * inner + extra
    for count in words:
        for _ in range(count):
            line.append(component(x, 0))
            x += 14 + inner
        x += wide - inner
    gap = word_gap([line])
    found = [len(word) for word in split_words(line, gap)]
    assert sum(found) == sum(words)
    most_are_within_words = sum(words) - len(words) > len(words) - 1
    if most_are_within_words and 0.3 * 20 <= (inner + wide) / 2 <= 1.6 * 20:
        assert found == words


def test_evenly_spaced_letters_are_one_word():
    line = [component(32 * index, 0) for index in range(9)]
    assert len(split_words(line, word_gap([line]))) == 1


def test_a_word_of_few_uneven_gaps_is_one_word():
    line = [component(left, 0) for left in (0, 24, 46, 66, 84)]
    assert len(split_words(line, word_gap([line]))) == 1


def test_one_letter_has_one_word():
    assert split_words([component(0, 0)], word_gap([[component(0, 0)]])) == [[component(0, 0)]]
