"""Lines that segmentation lost in the paper's pattern."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, LETTERS, MARKS
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.line_evidence import Steps
from lettermill.worker.reading.unfound_lines import read_unfound_line
from tests.worker.reading.test_line_network import written


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def test_all_letters_are_flagged_and_lie_on_the_page(classifier: Classifier) -> None:
    page = written("KITE")
    line = read_unfound_line(page, classifier, "letters")
    assert line is not None
    assert line.text == "KITE"
    assert all(letter.flagged and letter.disputed for letter in line.letters)
    height, width = page.shape
    for number, letter in enumerate(line.letters):
        box = letter.box
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        # Written from column 30 on, 40 columns a letter.
        assert box.x < 30 + 40 * number + 12 < box.x + box.width


def test_marks_stand_between_letters_alone(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    known = LETTERS + MARKS
    seen = np.full((12, len(known) + 1), 0.001)
    for step, character in {1: "-", 3: "A", 5: "-", 7: "B", 8: "/", 9: "C", 11: "'"}.items():
        seen[step, known.index(character)] = 0.9
    seen[[0, 2, 4, 6, 10], -1] = 0.9
    view = Steps(seen, 0.0, 10.0)
    monkeypatch.setattr("lettermill.worker.reading.unfound_lines.whole_view", lambda *_: view)
    line = read_unfound_line(np.full((60, 120), 255, np.uint8), classifier, "letters")
    assert line is not None
    assert line.text == "A-BC"


def test_a_line_of_digits_is_read_as_digits_where_the_line_decides() -> None:
    alnum = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    line = read_unfound_line(written("4796"), alnum, "auto")
    assert line is not None
    assert line.text == "4796"
    assert all(choice.isdigit() for letter in line.letters for choice, _ in letter.ranking)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_empty_image_has_no_line(classifier: Classifier, shade: int) -> None:
    assert read_unfound_line(np.full((60, 300), shade, np.uint8), classifier, "letters") is None
