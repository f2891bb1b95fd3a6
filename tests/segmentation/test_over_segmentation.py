"""Doubtful ink in parts: no ink is lost, runs and gaps fit together, boxes stand on the page."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.segmentation.boxes import crop_box
from lettermill.segmentation.components import INK_LEVEL
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.over_segmentation import (
    LONGEST_RUN_PARTS,
    MOST_CUTS_PER_LETTER,
    WIDEST_RUN_LETTERS,
    over_segment,
)
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Candidate, Gap, Ink, Word

LETTER = 30.0
SHAPE = (400, 1000)


def frame(to_page: NDArray[np.float64] | None = None) -> Ink:
    mask = np.zeros(SHAPE, np.uint8)
    return Ink(mask, 0.0, np.eye(2, 3) if to_page is None else to_page)


def word(*inks: NDArray[np.uint8], gap: int = 6, ink: Ink | None = None) -> Word:
    """Components beside each other, each with its margin of a pixel, as segmentation gives them."""
    ink = ink or frame()
    candidates: list[Candidate] = []
    left = 20
    for number, component in enumerate(inks):
        crop = np.pad(component, 1)
        box = crop_box(crop, left - 1, 19, ink, SHAPE)
        candidates.append(Candidate(box, crop, normalise(crop), left - 1, 19, number, number + 1))
        left += component.shape[1] + gap
    return Word(tuple(candidates), (Gap(gap / LETTER),) * (len(inks) - 1))


def parts_of(found: Word) -> list[Candidate]:
    """The parts from left to right."""
    alone = [candidate for candidate in found.candidates if candidate.last == candidate.first + 1]
    return sorted(alone, key=lambda candidate: candidate.first)


def laid(candidates: list[Candidate]) -> NDArray[np.int64]:
    """The sum of some candidates' ink, each where it stands."""
    page = np.zeros((80, 480), np.int64)
    for one in candidates:
        rows, columns = one.ink.shape
        page[one.top : one.top + rows, one.left : one.left + columns] += one.ink
    return page


def strokes(
    *lines: tuple[tuple[int, int], tuple[int, int]], width: int, height: int = 32
) -> NDArray[np.uint8]:
    """Draw lines four pixels thick and crop to them."""
    ink = np.zeros((height, width), np.uint8)
    for begin, end in lines:
        cv2.line(ink, begin, end, 255, 4, cv2.LINE_AA)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return np.ascontiguousarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@st.composite
def written(draw: st.DrawFn) -> NDArray[np.uint8]:
    """One connected component or several: strokes anywhere, or noise."""
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 40))
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 999)))
        ink = rng.integers(0, 256, (height, width), np.uint8)
    else:
        point = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
        ink = np.zeros((height, width), np.uint8)
        for begin, end in draw(st.lists(st.tuples(point, point), min_size=1, max_size=6)):
            cv2.line(ink, begin, end, 255, draw(st.integers(1, 9)), cv2.LINE_AA)
    ink[height // 2, width // 2] = 255
    return ink


@settings(max_examples=60)
@given(inks=st.lists(st.tuples(written(), st.booleans()), min_size=1, max_size=4), gap=st.integers(-3, 20))
def test_parts_hold_the_ink_of_their_piece_and_runs_fit_together(
    inks: list[tuple[NDArray[np.uint8], bool]], gap: int
) -> None:
    given_word = word(*(ink for ink, _ in inks), gap=gap)
    doubtful = [doubt for _, doubt in inks]
    found = over_segment(given_word, doubtful, LETTER, frame(), SHAPE)
    wholes, added = found.candidates[: len(inks)], found.candidates[len(inks) :]
    parts = parts_of(found)
    count = len(found.gaps) + 1
    assert [part.first for part in parts] == list(range(count))
    assert np.array_equal(laid(parts), laid(list(given_word.candidates)))
    for old, whole, doubt in zip(given_word.candidates, wholes, doubtful, strict=True):
        assert dataclasses.replace(whole, first=old.first, last=old.last) == old
        assert np.array_equal(laid(parts[whole.first : whole.last]), laid([old]))
        assert doubt or whole.last == whole.first + 1
        inner = found.gaps[whole.first : whole.last - 1]
        assert all(gap.paper == 0 and gap.ink >= 0 for gap in inner)
    assert [0, *(whole.last for whole in wholes)] == [*(whole.first for whole in wholes), count]
    between = tuple(found.gaps[whole.last - 1] for whole in wholes[:-1])
    assert between == given_word.gaps
    spans = [(candidate.first, candidate.last) for candidate in found.candidates]
    assert len(set(spans)) == len(spans)
    for run in added:
        assert 1 <= run.last - run.first <= LONGEST_RUN_PARTS
        assert run.last == run.first + 1 or run.ink.shape[1] - 2 <= WIDEST_RUN_LETTERS * LETTER
        assert np.array_equal(laid([run]) > 0, laid(parts[run.first : run.last]) > 0)
        assert np.count_nonzero(run.ink >= INK_LEVEL)


def test_a_word_without_doubt_comes_back_as_it_is() -> None:
    stem = strokes(((4, 2), (4, 30)), width=10)
    apart = word(stem, stem, stem, gap=6)
    assert over_segment(apart, [False] * 3, LETTER, frame(), SHAPE) is apart


def test_close_pieces_may_be_one_letter_even_if_each_could_be_read() -> None:
    stem = strokes(((4, 2), (4, 30)), width=10)
    close = over_segment(word(stem, stem, gap=2), [False] * 2, LETTER, frame(), SHAPE)
    assert [(one.first, one.last) for one in close.candidates] == [(0, 1), (1, 2), (0, 2)]
    wider = word(stem, stem, gap=9)
    assert over_segment(wider, [False] * 2, LETTER, frame(), SHAPE) is wider
    assert len(over_segment(wider, [False, True], LETTER, frame(), SHAPE).candidates) == 3


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (2, 2), (30, 2)])
def test_what_is_too_small_to_cut_stays_whole(size: tuple[int, int]) -> None:
    tiny = word(np.full(size, 255, np.uint8))
    assert over_segment(tiny, [True], LETTER, frame(), SHAPE) is tiny


def test_a_wide_bar_has_no_more_parts_than_its_width_has_room_for() -> None:
    bar = word(np.full((5, 400), 255, np.uint8))
    found = over_segment(bar, [True], LETTER, frame(), SHAPE)
    parts = parts_of(found)
    assert 1 < len(parts) <= 2 + MOST_CUTS_PER_LETTER * 402 / LETTER
    assert found.candidates[0].last == len(parts)  # The whole stays, longer than any run.
    assert np.array_equal(laid(parts), laid(list(bar.candidates)))


def test_letters_that_touch_are_cut_where_they_meet() -> None:
    """V and L, joined at the top: from the notch below to the one above little ink is in the way."""
    ink = strokes(
        *(((2, 2), (14, 30)), ((14, 30), (26, 2))),
        *(((28, 2), (28, 30)), ((28, 30), (44, 30))),
        width=50,
        height=36,
    )
    found = over_segment(word(ink), [True], LETTER, frame(), SHAPE)
    truth = 20 + 27 - np.flatnonzero(ink.any(axis=0))[0]  # The meeting place in the ink frame.
    edges = [part.left + part.ink.shape[1] for part in parts_of(found)[:-1]]
    assert min(abs(edge - truth) for edge in edges) <= 4


def test_strokes_side_by_side_are_cut_down_the_middle() -> None:
    """Two I that share ink look like one thick stem; the foot tells how wide a stroke is."""
    ink = strokes(((2, 2), (2, 30)), ((6, 2), (6, 30)), ((2, 30), (70, 30)), width=76, height=36)
    found = over_segment(word(ink), [True], LETTER, frame(), SHAPE)
    edges = [part.left + part.ink.shape[1] - 1 for part in parts_of(found)[:-1]]
    assert min(abs(edge - (20 + 4)) for edge in edges) <= 2


@pytest.mark.parametrize("degrees", [0.0, 7.0, 90.0, 180.0])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_boxes_of_parts_stand_on_the_page(degrees: float, scale: float) -> None:
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([[500.0], [200.0]]) - turn @ np.array([[50.0], [35.0]])
    ink = frame(np.hstack((turn, shift)))
    component = strokes(*(((x, 2), (x + 12, 30)) for x in (2, 16, 30, 44)), ((2, 16), (56, 16)), width=62)
    found = over_segment(word(component, ink=ink), [True], LETTER, ink, SHAPE)
    assert len(found.gaps) >= 2
    for part in found.candidates:
        rows, columns = np.nonzero(part.ink >= INK_LEVEL)
        points = turn @ np.stack((columns + part.left, rows + part.top)) + shift
        low = np.maximum(points.min(axis=1), 0)
        high = np.minimum(points.max(axis=1), (SHAPE[1] - 1, SHAPE[0] - 1))
        edges = [part.box.x, part.box.y, part.box.x + part.box.width - 1, part.box.y + part.box.height - 1]
        assert np.abs(np.array(edges) - [*low, *high]).max() <= 1 + scale / 2


def test_parts_of_a_turned_page_cover_its_ink() -> None:
    page = np.full((260, 900), 220, np.uint8)
    for index, letter in enumerate("HANOVER"):
        cv2.putText(page, letter, (60 + 105 * index, 170), cv2.FONT_HERSHEY_SIMPLEX, 4, 30, 12, cv2.LINE_AA)
    turned = cv2.warpAffine(page, cv2.getRotationMatrix2D((450, 130), 6, 1), (900, 260), borderValue=220)
    found = segment(turned.astype(np.uint8), "line")
    assert found.ink is not None and found.ink.scale < 0.9 and abs(found.skew_degrees) > 4
    (line,) = found.lines
    dark = turned < 125
    left = dark.copy()
    for one in line.words:
        refined = over_segment(one, [True] * len(one.candidates), line.letter, found.ink, turned.shape)
        assert len(refined.gaps) > len(one.gaps)
        for part in parts_of(refined):
            box = part.box
            place = slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
            assert dark[place].any()
            left[place] = False
    assert np.count_nonzero(left) < 0.01 * np.count_nonzero(dark)
