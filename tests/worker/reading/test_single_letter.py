"""How many letters an image shows: the parts of a letter are one, letters side by side are several."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.worker.reading.single_letter import Note, count_letters, find_letter

Strokes = list[tuple[tuple[int, int], tuple[int, int]]]


def drawn(strokes: Strokes, scale: float = 1.0, pen: int = 8) -> np.ndarray:
    """Ink of straight strokes (x, y) in an image of 200×120, before it is scaled."""
    ink = np.zeros((120, 200), np.uint8)
    for start, end in strokes:
        cv2.line(ink, start, end, 255, pen, cv2.LINE_AA)
    return cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


ONE = {
    "I, its bars apart": [((100, 35), (100, 85)), ((80, 20), (120, 20)), ((80, 100), (120, 100))],
    "i": [((100, 50), (100, 100)), ((100, 22), (100, 24))],
    "K of two strokes": [((70, 20), (70, 100)), ((115, 20), (85, 60)), ((85, 60), (115, 100))],
    "H in two pieces": [((70, 20), (70, 100)), ((85, 60), (115, 60)), ((115, 20), (115, 100))],
    "E of three bars": [((75, 40), (110, 40)), ((75, 60), (110, 60)), ((75, 80), (110, 80))],
    "E, its bars off the stem": [((70, 20), (70, 100))] + [((86, y), (120, y)) for y in (22, 60, 98)],
    "E with an accent": [((70, 40), (70, 110)), ((85, 22), (100, 10))]
    + [((70, y), (110, y)) for y in (40, 75, 110)],
    "a slim I": [((100, 5), (100, 115))],
}
SEVERAL = {
    "II": [((80, 20), (80, 100)), ((120, 20), (120, 100))],
    "LI": [((40, 20), (40, 100)), ((40, 100), (80, 100)), ((110, 20), (110, 100))],
    "T V": [((20, 20), (70, 20)), ((45, 20), (45, 100)), ((100, 20), (125, 100)), ((125, 100), (150, 20))],
    "a lower second": [
        ((50, 20), (50, 100)),
        ((50, 100), (90, 100)),
        ((130, 50), (130, 100)),
        ((130, 50), (160, 50)),
    ],
}


@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 4])
@pytest.mark.parametrize("name", ONE)
def test_parts_of_a_letter_are_one(name: str, scale: float) -> None:
    assert count_letters(drawn(ONE[name], scale)) == 1


@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 4])
@pytest.mark.parametrize("name", SEVERAL)
def test_letters_side_by_side_are_several(name: str, scale: float) -> None:
    assert count_letters(drawn(SEVERAL[name], scale)) == 2


@given(st.integers(0, 2**32), st.sampled_from([(64, 64), (60, 200), (400, 300)]), st.integers(0, 6))
def test_paper_without_ink_has_no_letter(seed: int, shape: tuple[int, int], fall: int) -> None:
    paper = np.random.default_rng(seed).normal(215, 3, shape) * np.linspace(1, 1 - fall / 20, shape[1])
    assert find_letter(np.clip(paper, 0, 255).astype(np.uint8)).note is Note.NO_LETTER


@pytest.mark.parametrize(
    "strokes", [[((0, 60), (199, 60))], [((100, 60), (100, 60))], []], ids=["rule", "dot", "nothing"]
)
def test_what_no_letter_looks_like(strokes: Strokes) -> None:
    assert count_letters(drawn(strokes, pen=6)) == 0


@given(st.binary(min_size=48, max_size=48), st.sampled_from([(48, 1), (1, 48), (6, 8)]))
def test_any_pixels_have_a_glyph_and_a_note(pixels: bytes, shape: tuple[int, int]) -> None:
    single = find_letter(np.frombuffer(pixels, np.uint8).reshape(shape))
    assert single.glyph.shape == (28, 28)
    assert single.note in (Note.NONE, Note.NO_LETTER, Note.SEVERAL)


def cropped(image: np.ndarray, height: int = 40) -> np.ndarray:
    """The ink of a light-on-dark letter, at a height."""
    rows, columns = (np.flatnonzero((image >= 96).any(axis=axis)) for axis in (1, 0))
    letter = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cv2.resize(letter, (max(2, letter.shape[1] * height // letter.shape[0]), height))


def real_letters(data: Path, name: str) -> list[np.ndarray]:
    with np.load(data / "letters" / name) as arrays:
        return list(arrays["x"][:: max(1, len(arrays["x"]) // 300)])


@pytest.mark.parametrize(
    "name", ["nist_az_uniform.npz", "mohneesh_az.npz", "choice_62.npz", "emnist_digits.npz"]
)
def test_real_letters_are_one(data: Path, name: str) -> None:
    notes = [find_letter(image).note for image in real_letters(data, name)]
    assert sum(note is not Note.NONE for note in notes) <= 0.01 * len(notes)


def test_real_letters_side_by_side_are_several(data: Path) -> None:
    letters = [cropped(image) for image in real_letters(data, "nist_az_uniform.npz")]
    gap, margin = np.zeros((40, 8), np.uint8), 10
    pairs = [np.hstack([one, gap, other]) for one, other in zip(letters[::2], letters[1::2], strict=False)]
    notes = [find_letter(np.pad(pair, margin)).note for pair in pairs]
    assert sum(note is Note.SEVERAL for note in notes) >= 0.95 * len(notes)
