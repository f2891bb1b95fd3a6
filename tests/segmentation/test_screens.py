"""Dots that far outnumber the letters are dropped; dots, accents and dirt of a page of letters stay."""

from __future__ import annotations

from lettermill.segmentation.components import Sizes
from lettermill.segmentation.screens import LEAST_DOTS, LEAST_DOTS_PER_BODY, drop_screen
from tests.segmentation.drawn import component

SIZES = Sizes(letter=20.0, stroke=3.0)


def letters(count):
    return [component(30 * index, 100, 15, 20) for index in range(count)]


def dots(count):
    return [component(8 * (index % 200), 200 + 8 * (index // 200), 4, 4) for index in range(count)]


def test_the_dots_of_a_screen_are_dropped_and_letters_stay() -> None:
    found = letters(20)
    assert drop_screen([*dots(5000), *found], SIZES) == found


def test_a_few_hundred_specks_stay() -> None:
    parts = [*dots(LEAST_DOTS - 1), *letters(20)]
    assert drop_screen(parts, SIZES) == parts


def test_a_page_with_a_dot_for_each_letter_stays() -> None:
    parts = [*dots(4000), *letters(4000)]
    assert drop_screen(parts, SIZES) == parts


def test_the_bound_is_a_number_for_each_letter() -> None:
    bodies = 1000
    most = int(LEAST_DOTS_PER_BODY * bodies)
    assert len(drop_screen([*dots(most - 1), *letters(bodies)], SIZES)) == most - 1 + bodies
    assert len(drop_screen([*dots(most), *letters(bodies)], SIZES)) == bodies
