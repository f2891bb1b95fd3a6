"""The one glyph normalisation: what it promises for any image."""

from __future__ import annotations

import cv2
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.segmentation.glyph import BORDER_PIXELS, GLYPH_SIZE, ink_of, normalise, rotated

Array = NDArray[np.uint8]

any_image = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@st.composite
def characters(draw: st.DrawFn) -> Array:
    """One connected pen stroke of any shape in dark ink on light paper, apart from the image's edge."""
    size = draw(st.integers(40, 90))
    points = draw(st.lists(st.tuples(*[st.integers(8, size - 9)] * 2), min_size=2, max_size=7))
    paper, ink = draw(st.integers(150, 255)), draw(st.integers(0, 70))
    image = np.full((size, size), paper, np.uint8)
    cv2.polylines(image, [np.array(points, np.int32)], False, ink, draw(st.integers(4, 7)), cv2.LINE_8)
    xs, ys = zip(*points, strict=True)
    assume(max(max(xs) - min(xs), max(ys) - min(ys)) > 15)
    return image


def glyph_of(image: Array) -> Array:
    return normalise(ink_of(image))


def mean_difference(one: Array, other: Array) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@given(any_image)
def test_any_image_gives_a_glyph_with_its_border(image: Array) -> None:
    for glyph in (glyph_of(image), normalise(image)):
        assert glyph.shape == (GLYPH_SIZE, GLYPH_SIZE) and glyph.dtype == np.uint8
        frame = glyph.copy()
        frame[BORDER_PIXELS:-BORDER_PIXELS, BORDER_PIXELS:-BORDER_PIXELS] = 0
        assert not frame.any()
        assert glyph.max() in {0, 255}


@given(any_image)
def test_ink_keeps_the_shape(image: Array) -> None:
    ink = ink_of(image)
    assert ink.shape == image.shape and ink.dtype == np.uint8


@given(any_image)
def test_polarity_does_not_matter(image: Array) -> None:
    np.testing.assert_array_equal(glyph_of(image), glyph_of((255 - image).astype(np.uint8)))


@given(characters(), st.tuples(*[st.integers(0, 60)] * 4))
def test_margins_do_not_matter(image: Array, margins: tuple[int, int, int, int]) -> None:
    top, bottom, left, right = margins
    wide = np.pad(image, ((top, bottom), (left, right)), constant_values=image[0, 0])
    np.testing.assert_array_equal(glyph_of(image), glyph_of(wide))


@given(characters(), st.integers(2, 6))
@settings(max_examples=50)
def test_size_does_not_matter(image: Array, times: int) -> None:
    large = np.kron(image, np.ones((times, times), np.uint8))
    assert mean_difference(glyph_of(image), glyph_of(large)) < 4


def test_the_longer_axis_fills_the_glyph_and_the_box_is_centred() -> None:
    ink = np.zeros((200, 100), np.uint8)
    ink[20:180, 40:60] = 255
    glyph = normalise(ink)
    rows, columns = np.flatnonzero(glyph.any(axis=1)), np.flatnonzero(glyph.any(axis=0))
    assert (rows[0], rows[-1]) == (BORDER_PIXELS, GLYPH_SIZE - 1 - BORDER_PIXELS)
    assert abs((columns[0] + columns[-1]) - (GLYPH_SIZE - 1)) <= 1


def test_a_neighbour_at_the_edge_and_specks_are_taken_away() -> None:
    letter = np.zeros((60, 60), np.uint8)
    cv2.line(letter, (20, 10), (20, 50), 255, 6)
    cv2.line(letter, (20, 48), (40, 48), 255, 6)
    littered = letter.copy()
    littered[25:38, 56:] = 255
    littered[14, 48] = 255
    np.testing.assert_array_equal(glyph_of(letter), glyph_of(littered))


def test_a_letter_cut_by_the_edge_keeps_its_other_end() -> None:
    """The bar of a G that a crop has parted from its bow is ink at the edge as well."""
    letter = np.zeros((60, 60), np.uint8)
    cv2.ellipse(letter, (59, 30), (45, 24), 0, 90, 270, 255, 6)
    letter[36:42, 50:] = 255
    assert glyph_of(letter)[16:19, 20:].max() > 200


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_other_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two-dimensional uint8"):
        normalise(np.zeros(shape, np.uint8))


@given(hnp.arrays(np.uint8, (3, GLYPH_SIZE, GLYPH_SIZE)))
def test_quarter_turns_are_exact(glyphs: Array) -> None:
    np.testing.assert_array_equal(rotated(glyphs, 0), glyphs)
    np.testing.assert_array_equal(rotated(glyphs, 90), np.rot90(glyphs, axes=(1, 2)))
    assert rotated(glyphs[:0], 7).shape == (0, GLYPH_SIZE, GLYPH_SIZE)


def test_a_turned_stem_leans_and_keeps_its_ink() -> None:
    stem = np.zeros((1, GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    stem[0, 3:25, 13:15] = 255
    (left,) = rotated(stem, 7)
    assert left[4].argmax() < 13 < left[23].argmax()
    assert int(left.sum()) == pytest.approx(int(stem.sum()), rel=0.02)
