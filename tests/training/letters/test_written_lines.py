"""Lines written and cut for training: each label says whose ink it is, and no part passes for a letter."""

from __future__ import annotations

import itertools
from collections import Counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.settings import LETTERS
from lettermill.segmentation.glyph import normalise
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.written_lines import cut_line

LINES = 12


def write(character: str, cap: int) -> NDArray[np.uint8]:
    """One capital `cap` pixels high, cropped to its ink."""
    large = np.zeros((200, 300), np.uint8)
    cv2.putText(large, character, (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 4, 255, 12, cv2.LINE_AA)
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    crop = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = max(1, round(crop.shape[1] * cap / crop.shape[0])), cap
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA))


def cut(text: str, seeds: range) -> list[tuple[NDArray[np.uint8], str]]:
    """What lines of a text are cut into."""
    lines = (cut_line(list(text), write, np.random.default_rng(seed)) for seed in seeds)
    return list(itertools.chain.from_iterable(lines))


def shape_of(ink: NDArray[np.uint8]) -> float:
    """Width over height of the ink."""
    rows, columns = np.flatnonzero((ink >= 128).any(axis=1)), np.flatnonzero((ink >= 128).any(axis=0))
    return float((np.ptp(columns) + 1) / (np.ptp(rows) + 1))


def test_labels_agree_with_the_ink() -> None:
    found = [one for text in ("HAMB", "VRGQ", "XEUL", "TCKS") for one in cut(text, range(LINES))]
    known = np.stack([normalise(write(character, 64)) for character in LETTERS]).reshape(26, -1) / 255.0
    letters = [(ink, label) for ink, label in found if label != NO_LETTER]
    assert len(letters) > 0.5 * 16 * LINES
    right = 0
    for ink, label in letters:
        distances = np.abs(known - normalise(ink).reshape(-1) / 255.0).sum(axis=1)
        right += LETTERS[int(distances.argmin())] == label
    assert right > 0.8 * len(letters)  # By the nearest shape alone; chance gives 0.04.


@pytest.mark.parametrize("character", list("HMNUW"))
def test_no_part_of_a_letter_and_no_two_have_a_letter_s_label(character: str) -> None:
    found = cut(4 * character, range(LINES))
    whole = shape_of(write(character, 64))
    letters = [shape_of(ink) for ink, label in found if label == character]
    others = [shape_of(ink) for ink, label in found if label == NO_LETTER]
    assert {label for _, label in found} == {character, NO_LETTER}
    assert len(letters) > 4 * LINES / 3
    assert len(others) <= len(letters)
    assert all(abs(shape - whole) < 0.3 * whole for shape in letters)
    assert min(others) < 0.6 * whole
    assert max(others) > 1.5 * whole


def test_a_line_is_what_the_seed_makes_it() -> None:
    first, again, other = (cut("HAMBVRG", range(seed, seed + 1)) for seed in (3, 3, 4))
    assert [ink.tobytes() for ink, _ in first] == [ink.tobytes() for ink, _ in again]
    assert [ink.tobytes() for ink, _ in first] != [ink.tobytes() for ink, _ in other]


def test_cut_lines_hold_each_letter_and_cuts_that_are_none() -> None:
    """Of a line whose letters stand apart every letter is found whole; its halves are labelled as none."""

    def write_whole(character: str, cap: int) -> np.ndarray:
        ink = np.zeros((2 * cap, 2 * cap), np.uint8)
        scale = cap / 22  # OpenCV's capitals are 22 pixels high at scale 1.
        cv2.putText(ink, character, (4, cap + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, cap // 8))
        columns = np.flatnonzero(ink.any(axis=0))
        return ink[:, columns[0] : columns[-1] + 1]

    content = [
        pair for seed in range(20) for pair in cut_line("HOXHOX", write_whole, np.random.default_rng(seed))
    ]
    counts = Counter(label for _, label in content)
    assert set(counts) == {*"HOX", NO_LETTER}
    assert sum(counts[label] for label in "HOX") > 0.7 * 6 * 20
    assert 0 < counts[NO_LETTER] <= sum(counts[label] for label in "HOX")
    wholes = [ink.shape[1] / ink.shape[0] for ink, label in content if label == "O"]
    assert 0.6 < np.median(wholes) < 1.4
