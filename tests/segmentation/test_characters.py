"""Strokes, dots and accents join their letter; marks of no letter are dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.segmentation.characters import (
    attach_marks,
    drop_non_letters,
    drop_strays,
    is_body,
    join_strokes,
    separate_accents,
)
from lettermill.segmentation.components import Component, Sizes, find_components
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Candidate
from tests.segmentation.drawn import Page, component

Shapes = list[list[tuple[float, float]]]
"""Strokes, each its points over the box of a letter, x and y from 0 to 1, y down."""

LETTER = 60
PITCH = 96
LEFT, FOOT = 60, 200
PAPER, INK = 220, 30

ROUND = [(0.5 + 0.5 * np.cos(turn), 0.5 + 0.5 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 25)]

CAPITALS: dict[str, Shapes] = {
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.65), (0.8, 0.65)]],
    "C": [ROUND[3:-3]],
    "E": [[(0.9, 0), (0, 0), (0, 1), (0.9, 1)], [(0, 0.5), (0.7, 0.5)]],
    "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 0.5), (1, 0.5)]],
    "L": [[(0, 0), (0, 1), (0.8, 1)]],
    "M": [[(0, 1), (0, 0), (0.5, 0.7), (1, 0), (1, 1)]],
    "N": [[(0, 1), (0, 0), (1, 1), (1, 0)]],
    "O": [ROUND],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
    "U": [[(0, 0), (0, 0.7), (0.2, 1), (0.8, 1), (1, 0.7), (1, 0)]],
    "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
}
"""The strokes of capitals over their box, x and y from 0 to 1, y down."""

ACCENTS: dict[str, tuple[str, Shapes]] = {
    "É": ("E", [[(0.3, -0.24), (0.6, -0.5)]]),
    "È": ("E", [[(0.3, -0.5), (0.6, -0.24)]]),
    "Ê": ("E", [[(0.1, -0.24), (0.4, -0.42), (0.7, -0.24)]]),
    "Ë": ("E", [[(0.15, -0.27), (0.16, -0.25)], [(0.55, -0.27), (0.56, -0.25)]]),
    "Ö": ("O", [[(0.15, -0.27), (0.16, -0.25)], [(0.75, -0.27), (0.76, -0.25)]]),
    "Ü": ("U", [[(0.15, -0.25), (0.16, -0.25)], [(0.75, -0.25), (0.76, -0.25)]]),
    "Å": ("A", [[(0.4, -0.34), (0.5, -0.45), (0.6, -0.34), (0.5, -0.24), (0.4, -0.34)]]),
    "Ç": ("C", [[(0.5, 1.2), (0.6, 1.26), (0.45, 1.36)]]),
    "Ñ": ("N", [[(0.1, -0.25), (0.35, -0.4), (0.55, -0.25), (0.8, -0.4)]]),
}
"""A capital and the strokes that go with it."""


def strokes(page: Page, left: float, shapes: Shapes, thickness: int = 5) -> None:
    """Draw strokes over the box of a letter."""
    for shape in shapes:
        points = np.rint([(left + x * LETTER * 0.8, FOOT + (y - 1) * LETTER) for x, y in shape])
        cv2.polylines(page, [points.astype(np.int32)], False, INK, thickness, cv2.LINE_AA)


def write(word: str, thickness: int = 5) -> Page:
    """Write a word of the capitals in CAPITALS, some with accents."""
    page = np.full((300, 2 * LEFT + PITCH * len(word)), PAPER, np.uint8)
    for index, letter in enumerate(word):
        plain, marks = ACCENTS.get(letter, (letter, []))
        strokes(page, LEFT + PITCH * index, CAPITALS.get(plain, []) + marks, thickness)
    return page


def letters_of(page: Page) -> list[Candidate]:
    """The candidates of a page that must have one line."""
    lines = segment(page, "page").lines
    assert len(lines) == 1
    return [candidate for word in lines[0].words for candidate in word.candidates]


def plain(word: str) -> str:
    """The same word without accents."""
    return "".join(ACCENTS.get(letter, (letter, []))[0] for letter in word)


@pytest.mark.parametrize("accented", ACCENTS)
@pytest.mark.parametrize("around", ["H{}M", "{}", "N{0}L{0}X"])
def test_a_letter_with_its_accent_is_the_plain_letter_in_a_larger_box(accented: str, around: str) -> None:
    word = around.format(accented)
    bare = letters_of(write(plain(word)))
    found = letters_of(write(word))
    assert len(found) == len(bare) == len(word)
    above, below = accented != "Ç", accented == "Ç"
    for letter, one, other in zip(word, found, bare, strict=True):
        assert one.ink.shape == other.ink.shape
        assert np.abs(one.ink.astype(int) - other.ink).mean() < 3
        rises = other.box.y - one.box.y
        falls = one.box.y + one.box.height - other.box.y - other.box.height
        assert (rises > 0.1 * LETTER) == (above and letter == accented)
        assert (falls > 0.1 * LETTER) == (below and letter == accented)


def test_accents_do_not_change_the_height_of_their_line() -> None:
    lines = [segment(write(word), "page").lines[0] for word in ("ÉÈÊËÇ", "EEEEC")]
    assert lines[0].letter == pytest.approx(lines[1].letter, abs=1)


def test_a_long_accent_makes_no_line_of_its_own() -> None:
    page = write("CHLOE")
    strokes(page, LEFT + 4 * PITCH, [[(0.3, -0.24), (0.8, -0.65)]])
    assert len(letters_of(page)) == 5


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("full stop", [(1.5, 0.97), (1.51, 0.98)]),
        ("comma", [(1.5, 0.95), (1.45, 1.15)]),
        ("hyphen", [(1.4, 0.55), (1.6, 0.55)]),
        ("apostrophe", [(1.5, 0.0), (1.46, 0.2)]),
    ],
)
def test_a_mark_beside_a_letter_is_no_accent(what: str, shape: list[tuple[float, float]]) -> None:
    bare = letters_of(write("EHN"))
    page = write("EHN")
    strokes(page, LEFT + PITCH, [shape])
    assert [one.box for one in letters_of(page)] == [one.box for one in bare], what


def test_a_full_stop_over_a_letter_of_the_next_line_is_no_accent() -> None:
    upper, lower = write("HEN."), write("MELT")
    page = np.vstack((upper[: FOOT + 12], lower[FOOT - LETTER - 10 :]))
    first, second = segment(page, "page").lines
    bare = segment(np.vstack((np.full_like(upper[: FOOT + 12], PAPER), lower[FOOT - LETTER - 10 :])), "page")
    tops = [[one.box.y for word in line.words for one in word.candidates] for line in (second, *bare.lines)]
    assert tops[0] == pytest.approx(tops[1], abs=4)  # With the full stop it would be some twenty higher.
    assert len(first.words[0].candidates) == 3


def test_a_low_stem_with_its_dot_is_a_letter() -> None:
    stem = [(1.2, 0.72), (1.2, 1.0)]
    dot = [(1.2, 0.3), (1.21, 0.31)]
    page = write("L N")
    strokes(page, LEFT, [stem, dot])
    assert len(letters_of(page)) == 3


def test_a_colon_is_no_letter() -> None:
    page = write("L N")
    strokes(page, LEFT, [[(1.2, 0.95), (1.21, 0.96)], [(1.2, 0.45), (1.21, 0.46)]])
    assert len(letters_of(page)) == 2


SIZES = Sizes(letter=20.0, stroke=2.0)


def kept(components: Sequence[Component], *at_edge: int) -> list[Component]:
    """What `drop_non_letters` keeps; some components touch the edge of the page."""
    flags = np.zeros(len(components), np.bool_)
    flags[list(at_edge)] = True
    return drop_non_letters(components, SIZES, flags)


def test_form_lines_frames_and_specks_are_dropped() -> None:
    letter, line = component(0, 0), component(0, 40, 200, 3)
    speck = dataclasses.replace(component(40, 0, 2, 1), area=1.5)
    drawing, wide = component(0, 60, 20, 60), component(0, 140, 170, 20)
    assert kept([letter, speck, line, drawing, wide]) == [letter]
    assert kept([]) == []


def test_only_rests_of_lines_are_dropped_at_the_edge() -> None:
    whole, rest, shadow = component(0, 0), component(30, 0, 14, 12), component(60, 0, 14, 44)
    assert kept([whole, rest, shadow]) == [whole, rest, shadow]
    assert kept([whole, rest, shadow], 0, 1, 2) == [whole]


def test_a_body_is_as_high_as_a_small_letter_and_no_blob() -> None:
    assert is_body(component(0, 0, 8, 8), SIZES)
    assert not is_body(component(0, 0, 8, 7), SIZES)
    blob = cv2.circle(np.zeros((40, 40), np.uint8), (20, 20), 9, 255, -1)
    assert not is_body(*find_components(blob), SIZES)


def test_strokes_over_each_other_are_joined_and_neighbours_are_not() -> None:
    upper, lower, beside = component(0, 0, 14, 9), component(2, 11, 12, 9), component(17, 0)
    letter, other = join_strokes([beside, lower, upper], SIZES)
    assert (letter.left, letter.top, letter.right, letter.bottom) == (0, 0, 14, 20)
    assert other == beside


def test_joining_never_makes_more_than_a_letter() -> None:
    lines = [component(0, 21 * row) for row in range(5)]
    assert join_strokes(lines, SIZES) == lines


def test_a_lone_stem_is_joined_to_the_rest_of_its_letter() -> None:
    stem, rest = component(0, 0, 4, 20), component(5, 0, 12, 20)
    (letter,) = join_strokes([stem, rest], SIZES)
    assert letter.width == 17
    assert len(join_strokes([component(0, 0, 12, 20), component(13, 0, 12, 20)], SIZES)) == 2


@settings(max_examples=60)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 90), st.integers(1, 30), st.integers(1, 30)),
        max_size=30,
    )
)
def test_joining_keeps_every_contour_and_any_order(places: list[tuple[int, int, int, int]]) -> None:
    components = [component(*place) for place in places]
    joined = join_strokes(components, SIZES)
    own = sorted(id(contour) for one in components for contour in one.contours)
    assert sorted(id(contour) for one in joined for contour in one.contours) == own
    assert [one.top for one in joined] == sorted(one.top for one in joined)
    assert len(join_strokes(components[::-1], SIZES)) <= len(components)


def test_an_accent_that_made_a_line_is_taken_out_of_it() -> None:
    line = [component(24 * number, 30) for number in range(6)]
    accent = component(48, 18, 10, 9)
    assert separate_accents([[accent], line]) == ([line], [accent])
    assert separate_accents([line]) == ([line], [])
    assert separate_accents([]) == ([], [])


def test_marks_join_their_letter_as_ink_or_as_accent_or_are_dropped() -> None:
    line = [component(0, 30), component(24, 30, 4, 20), component(48, 30)]
    accent, dot, stop = component(4, 21, 6, 4), component(24, 22, 3, 3), component(66, 47, 3, 3)
    ((first, second, third),) = attach_marks([line], [accent, dot, stop], SIZES)
    assert first.contours == line[0].contours
    assert first.accents == accent.contours
    assert second.top == dot.top
    assert len(second.contours) == 2
    assert third == line[2]
    assert not third.accents
    assert attach_marks([], [stop], SIZES) == []


def without_strays(*rows: Sequence[Component], level: int = 255, faint: int = 255) -> list[int]:
    """How many components each row keeps; the first of the last row is `faint`, all other ink is `level`."""
    ink = np.full((600, 900), level, np.uint8)
    odd = rows[-1][0]
    ink[odd.top : odd.bottom, odd.left : odd.right] = faint
    return [len(row) for row in drop_strays(rows, ink, Sizes(40.0, 4.5))]


WRITTEN = [component(60 + 50 * place, 100, 4, 40) for place in range(5)]
"""A row of letters that look like I."""


@pytest.mark.parametrize(
    ("stray", "faint"),
    [
        (component(400, 200, 6, 70), 255),
        (component(400, 200, 6, 45), 150),
        (dataclasses.replace(component(400, 200, 50, 50), area=2500.0), 255),
    ],
    ids=["tall bar", "faint bar", "blot"],
)
def test_folds_edges_and_holes_alone_in_their_row_are_dropped(stray: Component, faint: int) -> None:
    assert without_strays(WRITTEN, [stray], faint=faint) == [5]


def test_a_tall_bar_far_from_the_letters_of_its_row_is_dropped() -> None:
    assert without_strays([*WRITTEN, component(500, 85, 6, 70)]) == [5]


@pytest.mark.parametrize(
    "row", [[component(400, 200, 4, 44)], [component(x, 190, 6, 70) for x in (300, 340)]]
)
def test_an_i_alone_in_its_row_and_tall_letters_together_stay(row: list[Component]) -> None:
    assert without_strays(WRITTEN, row) == [5, len(row)]
