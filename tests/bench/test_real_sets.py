"""What the real sets are made of, and what is said of a set."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.acceptance import ReadImage
from bench.real_sets import (
    WORD_INK,
    WORD_MARGIN,
    WORD_PAPER,
    acceptance,
    alphabet_of,
    drawn_word,
    errors,
    judged,
    unipen_words,
    zipped,
)
from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.settings import Settings


def test_each_such_image_is_given_and_the_unreadable_are_left_out(tmp_path: Path) -> None:
    labels = ["A", "B", "UNREADABLE", "D", "E", "F", "EMPTY"]
    text = io.StringIO()
    csv.writer(text).writerows([("file", "label"), *((f"{n}.png", one) for n, one in enumerate(labels))])
    picture = cv2.imencode(".png", np.full((4, 5), 200, np.uint8))[1].tobytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("labels.csv", text.getvalue())
        for number in range(len(labels)):
            archive.writestr(f"images/{number}.png", picture)
    assert [label for _, _, label in zipped(tmp_path / "set.zip")] == ["A", "B", "D", "E", "F"]
    assert [label for _, _, label in zipped(tmp_path / "set.zip", every=2)] == ["A", "E"]
    assert [label for _, _, label in zipped(tmp_path / "set.zip", every=3, first=1)] == ["B", "E"]


def test_words_of_other_sites_and_alphabets_are_left_out(tmp_path: Path) -> None:
    labels, sites = ["AB", "12", "A1", "CD"], ["hpb", "hpb", "art", "aga"]
    points = np.array([[0, 0], [10, 20]] * len(labels), np.float32)
    (tmp_path / "strokes").mkdir()
    np.savez(
        tmp_path / "strokes" / "unipen_words_strokes.npz",
        points=points,
        stroke_start=np.arange(0, 2 * len(labels) + 1, 2),
        word_first_stroke=np.arange(len(labels) + 1),
        y=np.array(labels),
        writer=np.array(["w"] * len(labels)),
        site=np.array(sites),
    )
    assert [label for _, _, label in unipen_words(tmp_path, "letters")] == ["AB"]
    assert [label for _, _, label in unipen_words(tmp_path, "digits")] == ["12"]
    assert [label for _, _, label in unipen_words(tmp_path, "alnum")] == ["A1"]
    assert not list(unipen_words(tmp_path, "letters", {"art"}))


def test_words_are_drawn_dark_on_paper() -> None:
    grey = drawn_word([np.array([[100.0, 50.0], [100.0, 950.0]], np.float32)])
    assert grey is not None
    assert grey.dtype == np.uint8
    assert (int(grey.min()), int(grey.max())) == (WORD_INK, WORD_PAPER)
    rows = np.flatnonzero((grey < 128).any(axis=1))
    assert np.ptp(rows) == pytest.approx(48 + 3, abs=2)
    assert rows[0] >= WORD_MARGIN


def test_a_line_without_height_is_no_word() -> None:
    assert drawn_word([np.array([[0.0, 0.0], [900.0, 0.0]], np.float32)]) is None


@pytest.mark.parametrize(("label", "alphabet"), [("ÉVE", "letters"), ("12-3", "digits"), ("A 1", "alnum")])
def test_the_alphabet_is_that_of_the_label(label: str, alphabet: str) -> None:
    assert alphabet_of(label) == alphabet


def test_letters_are_judged_by_their_flags_and_confidences() -> None:
    box = Box(0, 0, 9, 9)
    letters = (Letter(box, 1, (("A", 0.9995),), False), Letter(box, 1, (("B", 0.5),), True))
    mark = Letter(box, 1, (("-", 0.4),), True)
    found = judged([LineReading(box, (letters[0], mark, letters[1]), "AB")], "AC", False, Settings())
    assert found == ReadImage("AC", "AB", (0.9995, 0.5), (False, True))
    assert judged([LineReading(box, letters, "A C")], "AC", True, Settings()).read == "AC"


def test_a_set_is_summed_up() -> None:
    images = [ReadImage("AB", "AB", (0.9, 0.9), (False, True)), ReadImage("AB", "A", (0.8,), (False,))]
    assert errors(images) == "CER 25.00% (1 of 4), exact 50.0% (1 of 2)"
    text = acceptance(images)
    assert "50.0% at 98.0%, 50.0% at 99.0%, 50.0% at 99.5% right" in text
    assert "66.7% of 3, 66.667% of them right; 1 missed beside no flag" in text
