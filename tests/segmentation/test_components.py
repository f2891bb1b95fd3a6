"""Connected components and the sizes measured on them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.components import (
    INK_LEVEL,
    contour_boxes,
    draw_component,
    find_components,
    gap_between,
    give_accent,
    join_components,
    measure_sizes,
)
from tests.segmentation.drawn import Page, component


def test_components_within_a_frame_are_found_and_holes_are_kept() -> None:
    ink = np.zeros((100, 100), np.uint8)
    cv2.rectangle(ink, (5, 5), (94, 94), 255, 2)
    cv2.circle(ink, (50, 50), 20, 255, 4)
    components = find_components(ink)
    assert len(components) == 2
    ring = min(components, key=lambda found: found.width)
    assert len(ring.contours) == 2
    assert ring.area == pytest.approx((ink[20:80, 20:80] > 0).sum(), rel=0.15)
    assert ring.stroke == pytest.approx(4.5, abs=1.2)


def test_specks_and_rules_do_not_change_the_letter_height() -> None:
    letters = [component(30 * index, 100) for index in range(12)]
    specks = [component(7 * index, 5, 3, 3) for index in range(60)]
    rule = component(0, 150, 600, 2)
    assert measure_sizes([*letters, *specks, rule]).letter == 20
    assert measure_sizes(specks) is None
    assert measure_sizes([]) is None


def test_gap_between_is_the_paper_between_the_nearest_ink() -> None:
    assert gap_between(component(0, 0, 10), component(15, 0, 10)) == pytest.approx(5, abs=0.1)


def test_join_takes_the_box_around_all() -> None:
    joined = join_components((component(3, 4, 5, 6), component(20, 1, 2, 30)))
    assert (joined.left, joined.top, joined.right, joined.bottom) == (3, 1, 22, 31)


@st.composite
def scribbles(draw: st.DrawFn) -> Page:
    """A mask with a few strokes, loops and specks."""
    mask = np.zeros((60, 80), np.uint8)
    point = st.tuples(st.integers(0, 79), st.integers(0, 59))
    for start, end in draw(st.lists(st.tuples(point, point), max_size=6)):
        cv2.line(mask, start, end, 255, draw(st.integers(1, 6)))
    for middle in draw(st.lists(point, max_size=3)):
        cv2.circle(mask, middle, draw(st.integers(1, 15)), 255, 2)
    return mask


@given(scribbles())
def test_components_drawn_alone_make_up_the_mask_but_for_specks(mask: Page) -> None:
    components = find_components(mask)
    together = np.zeros(mask.shape, np.int64)
    for one in components:
        assert max(one.width, one.height) > 2
        assert 0 <= one.left < one.right <= 80 and 0 <= one.top < one.bottom <= 60
        assert one.fill > 0 and one.stroke > 0
        alone = draw_component(one, one.left, one.top, one.width, one.height) != 0
        assert alone.any(axis=1)[[0, -1]].all() and alone.any(axis=0)[[0, -1]].all()
        together += draw_component(one, 0, 0, 80, 60) != 0
    assert together.max(initial=0) <= 1
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    large = [n for n in range(1, count) if stats[n, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max() > 2]
    assert len(components) == len(large)
    np.testing.assert_array_equal(together != 0, np.isin(labels, large))


def test_ink_below_the_level_is_no_component() -> None:
    assert find_components(np.full((20, 20), INK_LEVEL - 1, np.uint8)) == []
    assert len(find_components(np.full((20, 20), INK_LEVEL, np.uint8))) == 1


def test_an_accent_goes_with_its_letter_and_leaves_its_box() -> None:
    letter, mark = component(10, 30), component(12, 20, 6, 4)
    with_accent = give_accent(letter, mark)
    assert with_accent == letter
    assert with_accent.with_accents == letter.contours + mark.contours
    assert join_components((component(50, 30), with_accent)).accents == mark.contours


def test_boxes_of_contours_end_past_their_last_pixel() -> None:
    contours = [np.array([[[2, 3]], [[7, 1]]], np.int32), np.array([[[0, 0]]], np.int32)]
    assert contour_boxes(contours).tolist() == [[2, 1, 8, 4], [0, 0, 1, 1]]


def test_a_net_is_no_letter_and_sets_no_size() -> None:
    letters = [component(30 * index, 100) for index in range(12)]
    ink = np.zeros((400, 400), np.uint8)
    for place in range(5, 400, 20):
        cv2.line(ink, (place, 0), (place, 399), 255, 3)
        cv2.line(ink, (0, place), (399, place), 255, 3)
    (net,) = (found for found in find_components(ink) if found.width > 300)
    assert net.is_net
    assert not any(letter.is_net for letter in letters)
    assert measure_sizes([*letters, net]).letter == 20


def test_a_word_in_one_piece_is_no_net() -> None:
    ink = np.zeros((100, 800), np.uint8)
    cv2.putText(ink, "MWMWBMWEMWM", (10, 70), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 255, 5)
    cv2.line(ink, (0, 50), (799, 50), 255, 5)
    assert not any(found.is_net for found in find_components(ink))
