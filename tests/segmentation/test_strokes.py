"""Broken strokes, dots and accents come to their letter, and nothing else does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lettermill.segmentation.breaks import mend_breaks
from lettermill.segmentation.components import Sizes, find_components
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Ink

LETTER = 60
PITCH = 96
LEFT, FOOT = 60, 200
PAPER, INK = 220, 30

ROUND = [(0.5 + 0.5 * np.cos(turn), 0.5 + 0.5 * np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 25)]

CAPITALS = {
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

ACCENTS = {
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


def strokes(page, left, shapes, thickness=5):
    """Draw strokes over the box of a letter."""
    for shape in shapes:
        points = np.rint([(left + x * LETTER * 0.8, FOOT + (y - 1) * LETTER) for x, y in shape])
        cv2.polylines(page, [points.astype(np.int32)], False, INK, thickness, cv2.LINE_AA)


def write(word, thickness=5):
    """Write a word of the capitals in CAPITALS, some with accents."""
    page = np.full((300, 2 * LEFT + PITCH * len(word)), PAPER, np.uint8)
    for index, letter in enumerate(word):
        plain, marks = ACCENTS.get(letter, (letter, []))
        strokes(page, LEFT + PITCH * index, CAPITALS.get(plain, []) + marks, thickness)
    return page


def letters_of(page):
    """The candidates of a page that must have one line."""
    lines = segment(page, "page").lines
    assert len(lines) == 1
    return [candidate for word in lines[0].words for candidate in word.candidates]


def plain(word):
    """The same word without accents."""
    return "".join(ACCENTS.get(letter, (letter, []))[0] for letter in word)


@pytest.mark.parametrize("accented", ACCENTS)
@pytest.mark.parametrize("around", ["H{}M", "{}", "N{0}L{0}X"])
def test_a_letter_with_its_accent_is_the_plain_letter_in_a_larger_box(accented, around):
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


def test_accents_do_not_change_the_height_of_their_line():
    lines = [segment(write(word), "page").lines[0] for word in ("ÉÈÊËÇ", "EEEEC")]
    assert lines[0].letter == pytest.approx(lines[1].letter, abs=1)


def test_a_long_accent_makes_no_line_of_its_own():
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
def test_a_mark_beside_a_letter_is_no_accent(what, shape):
    bare = letters_of(write("EHN"))
    page = write("EHN")
    strokes(page, LEFT + PITCH, [shape])
    assert [one.box for one in letters_of(page)] == [one.box for one in bare], what


def test_a_full_stop_over_a_letter_of_the_next_line_is_no_accent():
    upper, lower = write("HEN."), write("MELT")
    page = np.vstack((upper[: FOOT + 12], lower[FOOT - LETTER - 10 :]))
    first, second = segment(page, "page").lines
    bare = segment(np.vstack((np.full_like(upper[: FOOT + 12], PAPER), lower[FOOT - LETTER - 10 :])), "page")
    tops = [[one.box.y for word in line.words for one in word.candidates] for line in (second, *bare.lines)]
    assert tops[0] == pytest.approx(tops[1], abs=4)  # With the full stop it would be some twenty higher.
    assert len(first.words[0].candidates) == 3


def test_a_low_stem_with_its_dot_is_a_letter():
    stem = [(1.2, 0.72), (1.2, 1.0)]
    dot = [(1.2, 0.3), (1.21, 0.31)]
    page = write("L N")
    strokes(page, LEFT, [stem, dot])
    assert len(letters_of(page)) == 3


def test_a_colon_is_no_letter():
    page = write("L N")
    strokes(page, LEFT, [[(1.2, 0.95), (1.21, 0.96)], [(1.2, 0.45), (1.21, 0.46)]])
    assert len(letters_of(page)) == 2


def mended(*lines, width):
    """How many components are left of drawn strokes, and the ink before and after."""
    mask = np.zeros((160, 200), np.uint8)
    for start, end in lines:
        cv2.line(mask, start, end, 255, width)
    ink = Ink(mask, 0.0, np.eye(2, 3))
    components = find_components(mask)
    left, after = mend_breaks(components, Sizes(letter=60.0, stroke=float(width)), ink)
    return len(components), len(left), ink, after


@pytest.mark.parametrize("width", [4, 5, 6, 8])
def test_strokes_broken_anywhere_are_mostly_one_again(width):
    random = np.random.default_rng(width)
    whole = 0
    for _ in range(100):
        angle = random.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        start, end = np.array([100, 80]) - 28 * along, np.array([100, 80]) + 28 * along
        # Ends are round: half a pen of ink goes beyond each point.
        half = (width + random.uniform(3, 7)) / 2 * along
        middle = start + random.uniform(0.35, 0.65) * (end - start)
        points = [np.rint(point).astype(int).tolist() for point in (start, middle - half, middle + half, end)]
        before, after, _, ink = mended(points[:2], points[2:], width=width)
        assert before == 2
        whole += after == 1 and len(find_components(ink.mask)) == 1
    assert whole >= 90


@pytest.mark.parametrize(
    "other",
    [
        ((100, 90), (100, 130)),  # beside it
        ((90, 40), (90, 130)),  # across its end, as the stem of the next letter
        ((110, 80), (150, 80)),  # too far on
    ],
)
def test_what_does_not_go_on_stays_apart(other):
    before, after, ink, same = mended(((40, 80), (76, 80)), other, width=5)
    assert before == after == 2
    assert same is ink


def test_two_whole_letters_are_not_bridged():
    before, after, ink, same = mended(
        ((20, 50), (90, 50)), ((55, 50), (55, 110)), ((102, 50), (170, 50)), ((140, 50), (140, 110)), width=5
    )
    assert before == after == 2
    assert same is ink
