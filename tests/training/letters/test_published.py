"""EMNIST's splits in the files and the form that they are published in; small ones, drawn here."""

from __future__ import annotations

import string
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import BadData, UsageProblem
from lettermill.jobs.inputs.model import load_model
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.fitting.batches import drawing_weights
from lettermill.training.letters import published, sources
from lettermill.training.letters.split import classes_of
from lettermill.training.training_settings import TrainingSettings
from tests.emnist import MAPPINGS, write_idx, write_split
from tests.support import Command

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def glyphs_of(images: np.ndarray) -> np.ndarray:
    return np.stack([normalise(ink_of(image)) for image in images])


@pytest.mark.parametrize(("name", "classes"), [("letters", 26), ("balanced", 47), ("byclass", 62)])
def test_a_split_is_read_as_published(tmp_path: Path, name: str, classes: int) -> None:
    test, train_images = write_split(tmp_path, name)
    found, aside = sources.find([tmp_path])
    assert published.chosen_split(found, "") == name and not aside
    parts = published.read_split(found, name, lambda line: None)
    characters = tuple(chr(points[0]) for points in MAPPINGS[name].values())
    assert parts.labels == characters and len(parts.labels) == classes
    np.testing.assert_array_equal(parts.test.glyphs, glyphs_of(test))
    assert parts.test.labels.tolist() == list(characters)
    assert classes_of(parts.test, parts.labels).tolist() == list(range(classes))
    # As many as the test file has, from the end of the training file.
    np.testing.assert_array_equal(parts.validation.glyphs, glyphs_of(train_images[-classes:]))
    assert len(parts.train) == 5 * classes
    assert set(parts.train.sources.tolist()) == {"nist"}
    assert np.ptp(drawing_weights(parts.train, TrainingSettings(split=name))) == 0


def test_validation_is_at_most_a_sixth(tmp_path: Path) -> None:
    write_split(tmp_path, "letters", copies=3)
    parts = published.read_split(sources.find([tmp_path])[0], "letters", lambda line: None)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (65, 13, 26)


def test_duplicates_leave_training_and_never_test(tmp_path: Path) -> None:
    test, train_images = write_split(tmp_path, "letters")
    numbers = list(MAPPINGS["letters"]) * 6
    train_images[0] = test[0]  # a training letter that is in test
    train_images[1] = train_images[-1]  # one that is in validation
    train_images[-2] = test[5]  # a validation letter that is in test
    train_images[2] = train_images[3]  # twice in training, as published
    write_idx(tmp_path, "emnist-letters-train", train_images.transpose(0, 2, 1), numbers)
    lines: list[str] = []
    parts = published.read_split(sources.find([tmp_path])[0], "letters", lines.append)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (128, 25, 26)
    assert "3 glyphs of the training file left out that validation or test holds too" in lines


def test_which_split_is_taken(tmp_path: Path) -> None:
    write_split(tmp_path, "letters")
    write_split(tmp_path, "balanced")
    found, _ = sources.find([tmp_path])
    with pytest.raises(BadData, match="balanced, letters") as caught:
        published.chosen_split(found, "")
    assert "--split" in caught.value.next_step
    assert published.chosen_split(found, "balanced") == "balanced"
    with pytest.raises(BadData, match="byclass"):
        published.chosen_split(found, "byclass")
    np.savez(tmp_path / "mine.npz", x=np.zeros((1, 28, 28), np.uint8), y=np.array(["A"]))
    mixed, _ = sources.find([tmp_path])
    assert published.chosen_split(mixed, "") == ""
    assert published.chosen_split(mixed, "letters") == "letters"


def test_half_of_a_split_is_no_split(tmp_path: Path) -> None:
    write_split(tmp_path, "letters")
    (tmp_path / "emnist-letters-test-images-idx3-ubyte.gz").unlink()
    found, _ = sources.find([tmp_path])
    assert published.chosen_split(found, "") == ""
    with pytest.raises(BadData, match="no train and test file"):
        published.chosen_split(found, "letters")


def test_a_split_brings_its_own_test_letters(tmp_path: Path) -> None:
    write_split(tmp_path, "letters")
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "model"), "--validate-on", "nist"]
    with pytest.raises(UsageProblem, match="its own test letters"):
        CliRunner().invoke(cli.lettermill, ["train", *words], catch_exceptions=False)


def test_a_mapping_that_names_a_character_twice(tmp_path: Path) -> None:
    write_split(tmp_path, "byclass")
    (tmp_path / "emnist-byclass-mapping.txt").write_text("0 48\n1 48\n", encoding="ascii")
    with pytest.raises(BadData, match="twice"):
        published.read_split(sources.find([tmp_path])[0], "byclass", lambda line: None)


@pytest.mark.usefixtures("small_network", "quick_plots")
@pytest.mark.parametrize("name", ["letters", "balanced", "byclass"])
def test_train_and_read_with_a_splits_model(tmp_path: Path, lettermill: Command, name: str) -> None:
    folder, model = tmp_path / "emnist", tmp_path / "model"
    folder.mkdir()
    test, _ = write_split(folder, name)
    words = ["--data", str(folder), "--out", str(model), "--epochs", "1", "--glyphs-per-epoch", "256"]
    result = CliRunner().invoke(cli.lettermill, ["train", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    card = load_model(model).card
    assert card["labels"] == [chr(points[0]) for points in MAPPINGS[name].values()]
    assert card["settings"]["split"] == name
    assert card["figures"]["test"]["all_classes"]["glyphs"] == len(test)
    # Only the published test letters are measured again.
    again = published.letters_to_measure([folder], card)
    np.testing.assert_array_equal(again.glyphs, glyphs_of(test))
    image = tmp_path / "letter.png"
    cv2.imwrite(str(image), 255 - cv2.resize(test[0], (84, 84)))
    if name == "byclass":  # a model with more classes than the alphabet answers within the alphabet
        done = lettermill("predict", image, "--model", model, "--csv", tmp_path / "out.csv")
        assert done.returncode == 0
        row = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1].split(",")
        assert {row[1], row[3], row[5]} <= set(string.ascii_uppercase)
