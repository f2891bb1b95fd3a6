"""Image files of single characters: one answer per file, in order, whatever the file is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.errors import ScanError
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.letter_images import Answer, decode_letter_image, read_letter_images
from lettermill.worker.reading.litert_network import BATCH_GLYPHS
from lettermill.worker.reading.single_letter import Note


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def draw_touching(path: Path, text: str) -> Path:
    page = np.full((120, 90 + 40 * len(text)), 255, np.uint8)
    for number, letter in enumerate(text):
        place = (20 + 40 * number, 95)
        cv2.putText(page, letter, place, cv2.FONT_HERSHEY_SIMPLEX, 2.2, 0, 6, cv2.LINE_AA)
    Image.fromarray(page).save(path)
    return path


def read(files: Sequence[Path], classifier: Classifier) -> list[Answer]:
    return list(read_letter_images(files, classifier))


@pytest.mark.parametrize("pair", ["AB", "OO", "HE", "RK", "SW"])
def test_letters_that_touch_are_several(tmp_path: Path, classifier: Classifier, pair: str) -> None:
    """One connected component, so only the network can tell."""
    files = [draw_touching(tmp_path / "pair.png", pair), draw_touching(tmp_path / "single.png", pair[0])]
    assert [answer.note for answer in read(files, classifier)] == [Note.SEVERAL, Note.NONE]


def test_one_answer_per_file_in_order_over_several_batches(tmp_path: Path, classifier: Classifier) -> None:
    letters = "ABCDEFGH"
    drawn = [draw_touching(tmp_path / f"{letter}.png", letter) for letter in letters]
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = [tmp_path / "broken.png", *drawn * (2 * BATCH_GLYPHS // len(drawn) + 1), tmp_path / "broken.png"]
    answers = read(files, classifier)
    assert [answer.file for answer in answers] == [str(file) for file in files]
    assert [answer.ranking[0][0] for answer in answers[1:-1]] == [file.stem for file in files[1:-1]]
    for answer in (answers[0], answers[-1]):
        assert (answer.ranking, answer.note) == ((), Note.UNREADABLE)
        assert answer.error
    assert read([], classifier) == []


def test_an_image_without_ink_has_a_guess_and_a_note(tmp_path: Path, classifier: Classifier) -> None:
    Image.new("L", (40, 40), 255).save(tmp_path / "empty.png")
    (answer,) = read([tmp_path / "empty.png"], classifier)
    assert (answer.note, answer.error, len(answer.ranking)) == (Note.NO_LETTER, "", 3)


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ScanError):
        decode_letter_image(tmp_path / "broken.png")
    image = decode_letter_image(draw_touching(tmp_path / "a.png", "A"))
    assert (image.shape, image.dtype) == ((120, 130), np.uint8)
