"""Letters of labelled fields: which ink gets which letter, and which ink is no letter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS
from lettermill.segmentation.glyph import normalise
from lettermill.training.letters import sources
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import ALIGNED, origins, written
from lettermill.training.lines.aligned_letters import align_letters, main
from lettermill.training.lines.real_fields import Field
from lettermill.worker.reading.classifier import Classifier
from tests.training.written_fields import field_image, write_fields

TEXTS = ["KOWALSKI", "BRIDGE", "HAZEL", "EMPTY", "KINDLY", "MARTINEZ", "CHAPEL", "FENWICK"]
"""Texts of fields: the first and the last are held out."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def aligned(classifier: Classifier, shown: str, text: str) -> list[tuple[np.ndarray, str]]:
    """Align a text with a field on which something is written."""
    return list(align_letters(Field("a.png", field_image(shown), text), classifier))


def labels(found: list[tuple[np.ndarray, str]]) -> str:
    return "".join(label for _, label in found)


def read(classifier: Classifier, ink: np.ndarray) -> str:
    return LETTERS[int(classifier.probabilities(normalise(ink)[None])[0].argmax())]


@pytest.mark.parametrize("text", ["BRIDGE", "HAM", "MARTINEZ"])
def test_each_letter_gets_its_ink(classifier: Classifier, text: str) -> None:
    found = aligned(classifier, text, text)
    assert labels(found) == text
    assert "".join(read(classifier, ink) for ink, label in found if label) == text


def test_a_letter_that_is_misread_gets_the_text_s_letter(classifier: Classifier) -> None:
    """The D is written as a nought: by itself it is read as an O."""
    found = aligned(classifier, "BRI0GE", "BRIDGE")
    assert labels(found) == "BRIDGE"
    assert read(classifier, found[3][0]) == "O"


def test_a_letter_that_cannot_be_what_the_text_says_is_left_out(classifier: Classifier) -> None:
    assert labels(aligned(classifier, "BRIXGE", "BRIDGE")) == "BRIGE"


def test_other_cuts_are_no_letters_and_at_most_as_many(classifier: Classifier) -> None:
    found = aligned(classifier, "BRI0GE", "BRIDGE")
    assert [label for _, label in found[6:]] == [NO_LETTER] * len(found[6:])
    assert 0 < len(found[6:]) <= 6
    letters = {ink.tobytes() for ink, _ in found[:6]}
    assert len(letters) == 6 and not letters & {ink.tobytes() for ink, _ in found[6:]}
    again = aligned(classifier, "BRI0GE", "BRIDGE")
    assert all(np.array_equal(one, other) for (one, _), (other, _) in zip(found, again, strict=True))


@pytest.mark.parametrize(
    ("shown", "text"),
    [("HAZEL", "KOWALSKI"), ("H", "HAZEL"), ("HAZEL", ""), ("HAZEL", "12345"), ("", "HAZEL")],
)
def test_ink_that_cannot_be_the_text_gives_nothing(classifier: Classifier, shown: str, text: str) -> None:
    assert aligned(classifier, shown, text) == []


def test_marks_have_no_ink(classifier: Classifier) -> None:
    assert labels(aligned(classifier, "HAZEL", "HA-ZEL")) == "HAZEL"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_the_archive_holds_the_letters_of_the_fields_to_train_on(
    classifier: Classifier, tmp_path: Path
) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS)
    (tmp_path / "sets").mkdir()
    out = tmp_path / "sets" / "forms_aligned.npz"
    done = run(tmp_path / "fields", "--truth", truth, "--out", out)
    assert done.exit_code == 0
    (found,), _ = sources.find([out.parent])
    letters = sources.read(found)
    own = letters.labels != NO_LETTER
    assert f"{own.sum()} letters and {(~own).sum()} wrong cuts of 5 fields in {out}" in done.output
    assert Counter(letters.labels[own].tolist()) == Counter("BRIDGEHAZELKINDLYMARTINEZCHAPEL")
    assert 0 < (~own).sum() <= own.sum()
    assert set(letters.sources) == {"forms" + ALIGNED} and set(origins(letters)) == {"forms"}
    assert not written(letters).any()
    probabilities = classifier.probabilities(letters.glyphs[own])
    right = np.array(list(LETTERS))[probabilities.argmax(axis=1)] == letters.labels[own]
    assert right.mean() > 0.8


def test_fields_that_no_text_fits_give_no_file(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", ["HAZEL"] * 8)
    truth.write_text(truth.read_text(encoding="utf-8").replace("HAZEL", "KOWALSKI"), encoding="utf-8")
    with pytest.raises(BadData, match="fields fits the ink"):
        run(tmp_path / "fields", "--truth", truth, "--out", tmp_path / "forms_aligned.npz")
    assert not (tmp_path / "forms_aligned.npz").exists()


def test_a_file_that_training_would_take_for_written_letters_is_refused(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS)
    done = run(tmp_path / "fields", "--truth", truth, "--out", tmp_path / "forms.npz")
    assert done.exit_code == 2 and "_aligned.npz" in done.output
    assert not (tmp_path / "forms.npz").exists()
