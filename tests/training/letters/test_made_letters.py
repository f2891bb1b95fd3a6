"""What training makes itself: non-letters, re-rendered strokes, letters and lines of fonts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.errors import BadData
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.fitting.augment import augmented
from lettermill.training.fitting.batches import batches
from lettermill.training.fitting.reject_class import KINDS, non_letters
from lettermill.training.letters import fonts, sources, strokes
from lettermill.training.letters import written_lines as lines
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import RENDERED, SELF_LABELLED, Letters, origins, written
from lettermill.training.letters.split import TEST, TRAIN, VALIDATION, part_of
from lettermill.training.training_settings import CLASSES, Augmentation, TrainingSettings

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def canvases(text: str = "ABCDEFGHIJ") -> np.ndarray:
    """Draw letters as training's canvases."""
    drawn = []
    for letter in text:
        image = np.zeros((80, 80), np.uint8)
        cv2.putText(image, letter, (14, 62), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 5, cv2.LINE_AA)
        drawn.append(sources.canvas_of(image))
    return np.stack(drawn)


@given(seed=st.integers(0, 10_000))
def test_every_non_letter_has_ink_and_the_seed_decides_it(seed: int) -> None:
    letters = canvases()
    made, kinds = non_letters(letters, 12, np.random.default_rng(seed))
    again, _ = non_letters(letters, 12, np.random.default_rng(seed))
    assert np.array_equal(made, again)
    assert made.shape == (12, 48, 48) and made.dtype == np.uint8
    assert made.reshape(12, -1).max(axis=1).min() > 96
    assert set(kinds.tolist()) <= set(range(len(KINDS)))


def test_parts_are_less_of_a_letter_and_runs_are_more_than_one() -> None:
    letters = canvases("HHHHHHHH")
    made, kinds = non_letters(letters, 300, np.random.default_rng(1))
    whole = int((letters[0] > 96).sum())
    parts = made[kinds == KINDS.index("part")]
    assert (np.count_nonzero(parts > 96, axis=(1, 2)) < 0.75 * whole).all()
    for run in made[kinds == KINDS.index("run")]:
        rows, columns = np.nonzero(run > 96)
        assert np.ptp(columns) > 0.8 * np.ptp(rows)  # an H alone is 0.7 as wide as high


def test_a_marker_never_turns_paper_into_ink() -> None:
    letters = np.repeat(canvases("L"), 300, axis=0)
    how = Augmentation(remnant_probability=0, speck_probability=0, cut_probability=0, stroke_probability=1)
    glyphs = augmented(letters, np.random.default_rng(3), how)
    # An L leaves the upper right corner of its box empty, however thick the pen.
    assert np.median(glyphs[:, 3:9, 19:25].max(axis=(1, 2))) == 0


def drawing_file(folder: Path, drawings: object) -> Path:
    path = folder / "hands_strokes.json"
    path.write_text(json.dumps(drawings), encoding="utf-8")
    return path


def test_strokes_are_rendered_with_their_writer(tmp_path: Path) -> None:
    bar, stem = [[0, 10], [40, 10]], [[20, 10], [20, 90]]
    path = drawing_file(tmp_path, {"T": [[bar, stem], [stem]], "I": [[stem]]})
    content = strokes.read_strokes(path)
    assert content.labels[:18] == ["T"] * 12 + ["I"] * 6
    assert content.writers[:18] == ["001"] * 6 + ["002"] * 6 + ["001"] * 6
    assert len({image.tobytes() for image in content.images[:18]}) == 18
    for image in content.images[:18]:
        assert image.shape == (96, 96)
        assert 0.01 < (image > 0).mean() < 0.6
    lines = list(zip(content.labels[18:], content.writers[18:], strict=True))
    assert {label for label, _ in lines} == {"T", "I", NO_LETTER}
    assert {label for label, writer in lines if writer == "002"} == {"T", NO_LETTER}
    again = strokes.read_strokes(path)
    assert all(np.array_equal(a, b) for a, b in zip(content.images, again.images, strict=True))


@pytest.mark.parametrize(
    "content",
    [
        *("no json", '["A"]', '{"A": 3}', '{"A": [[["x"]]]}'),
        *('{"A": [[[[1, 2, 3], [4, 5, 6]]]]}', '{"A": [[[[1, NaN], [4, 5]]]]}'),
        *('{"AB": [[[[1, 2], [4, 5]]]]}', '{"": [[[[1, 2], [4, 5]]]]}'),
    ],
)
def test_a_stroke_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad_strokes.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadData, match=r"bad_strokes\.json"):
        strokes.read_strokes(path)


def test_re_rendered_letters_stay_with_their_writer_and_measure_nothing(tmp_path: Path) -> None:
    stem = [[20, 10], [20, 90]]
    drawing_file(tmp_path, {"I": [[stem]] * 5}).rename(tmp_path / "chars74k_hnd_strokes.json")
    found, _ = sources.find([tmp_path])
    letters = sources.load(found)
    assert set(letters.sources) == {"chars74k" + RENDERED}
    assert set(origins(letters)) == {"chars74k"} and not written(letters).any()
    parts = dict(zip(letters.writers.tolist(), part_of(letters, TrainingSettings()).tolist(), strict=True))
    assert parts == {"001": TRAIN, "002": TEST, "003": TRAIN, "004": TRAIN, "005": VALIDATION}


def test_a_font_gives_each_character_and_pieces_of_lines() -> None:
    content = fonts.read_font(FONT)
    alone = len(LETTERS + DIGITS)
    assert content.labels[:alone] == list(LETTERS + DIGITS)
    assert len(content.labels) > alone + 60  # six lines of some twenty characters
    assert set(content.labels) <= {*LETTERS, *DIGITS, NO_LETTER}
    assert set(content.writers) == {"DejaVuSans"}
    assert fonts.read_font(FONT).labels == content.labels


def test_cut_lines_hold_each_letter_and_cuts_that_are_none() -> None:
    """Of a line whose letters stand apart every letter is found whole; its halves are labelled as none."""

    def write(character: str, cap: int) -> np.ndarray:
        ink = np.zeros((2 * cap, 2 * cap), np.uint8)
        scale = cap / 22  # OpenCV's capitals are 22 pixels high at scale 1.
        cv2.putText(ink, character, (4, cap + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, cap // 8))
        columns = np.flatnonzero(ink.any(axis=0))
        return ink[:, columns[0] : columns[-1] + 1]

    content = [
        pair for seed in range(20) for pair in lines.cut_line("HOXHOX", write, np.random.default_rng(seed))
    ]
    counts = Counter(label for _, label in content)
    assert set(counts) == {*"HOX", NO_LETTER}
    assert sum(counts[label] for label in "HOX") > 0.7 * 6 * 20
    assert 0 < counts[NO_LETTER] <= sum(counts[label] for label in "HOX")
    wholes = [ink.shape[1] / ink.shape[0] for ink, label in content if label == "O"]
    assert 0.6 < np.median(wholes) < 1.4


def test_a_share_of_each_batch_is_no_letter() -> None:
    drawn = canvases()
    count = len(drawn)
    letters = Letters(
        np.zeros((count, 28, 28), np.uint8),
        drawn,
        np.array([*list("ABCDEFGHI"), NO_LETTER]),
        np.full(count, "ours"),
        np.full(count, ""),
    )
    settings = TrainingSettings(batch=64, glyphs_per_epoch=64)
    glyphs, targets = next(batches(letters, settings))
    assert glyphs.shape == (64, 28, 28) and targets.shape == (64, len(CLASSES))
    assert targets[:, -1].sum() == round(64 * settings.non_letter_share)
    _, plain = next(batches(letters[np.arange(9)], settings, CLASSES[:-1]))
    assert plain.shape == (64, len(CLASSES) - 1) and (plain.sum(axis=1) == 1).all()


class Undecided:
    """A teacher to whom all classes are alike."""

    def answers(self, glyphs: np.ndarray) -> np.ndarray:
        return np.full((len(glyphs), len(CLASSES)), 1 / len(CLASSES), np.float32)


def test_self_labelled_letters_and_non_letters_keep_their_label() -> None:
    """What the teachers think of them is worth less than the list, or the cut, that they come from."""
    letters = Letters(
        np.zeros((10, 28, 28), np.uint8),
        canvases("ABCDEFGHIJ"),
        np.array(list("ABCDEFGHIJ")),
        np.array(["forms" + SELF_LABELLED] * 5 + ["ours"] * 5),
        np.array([""] * 10),
    )
    settings = TrainingSettings(batch=64, glyphs_per_epoch=64)
    _, plain = next(batches(letters, settings))
    _, taught = next(batches(letters, settings, teachers=Undecided()))
    none = round(64 * settings.non_letter_share)
    own = plain[:, [CLASSES.index(label) for label in "ABCDE"]].any(axis=1)
    assert 0 < own.sum() < 64 - none
    kept = own | (np.arange(64) < none)
    np.testing.assert_array_equal(taught[kept], plain[kept])
    np.testing.assert_allclose(taught[~kept], (plain[~kept] + 1 / len(CLASSES)) / 2, rtol=1e-6)
