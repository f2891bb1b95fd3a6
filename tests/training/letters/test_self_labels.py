"""Letters of unlabelled scans: which lines are taken, and which labels their letters get."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bench.pages.hands import FontHand
from bench.pages.layouts import PRINT_FONTS
from bench.pages.maker import make
from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.settings import LETTERS, Settings
from lettermill.segmentation.glyph import normalise
from lettermill.training.letters import sources
from lettermill.training.letters.self_labels import explained_lines, label_letters, main
from lettermill.training.letters.sources import SELF_LABELLED, origins, written
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lexicon import Lexicon

LIST = ["Bridge", "Chapel", "Fenwick", "Grange", "Hazel", "Martinez"]
HAND = FontHand(PRINT_FONTS / "DejaVuSans.ttf")


def grey(text: str, seed: int = 1) -> np.ndarray:
    """A made line with that text."""
    return make("line", HAND, seed, lines=[text]).grey


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Lines with words of the list, one with another word, and a file that is no image."""
    folder = tmp_path / "scans"
    (folder / "second box").mkdir(parents=True)
    for number, text in enumerate(["BRIDGE", "HAZEL", "GRANGE", "KOWALSKI"]):
        Image.fromarray(grey(text, number)).save(folder / f"{number}.png")
    (folder / "1.png").rename(folder / "second box" / "1.png")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("not a scan", encoding="utf-8")
    (tmp_path / "words.txt").write_text("\n".join(LIST), encoding="utf-8")
    return folder


def test_the_archive_holds_the_letters_of_lines_that_the_list_explains(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "forms_self-labelled.npz"
    words = ["--words", str(tmp_path / "words.txt"), "--layout", "line", "--out", str(out)]
    done = CliRunner().invoke(main, [str(scans), *words], catch_exceptions=False)
    assert done.exit_code == 0
    assert "17 letters of 4 scans" in done.output
    assert "left out" in done.output and "broken.png" in done.output
    found, _ = sources.find([tmp_path])
    assert [one.path for one in found] == [out]
    letters = sources.read(found[0])
    assert Counter(letters.labels.tolist()) == Counter("BRIDGE" + "HAZEL" + "GRANGE")
    assert set(letters.sources) == {"forms" + SELF_LABELLED} and set(origins(letters)) == {"forms"}
    assert not written(letters).any()
    probabilities = Classifier(load_model(installed_model_folder()), LETTERS).probabilities(letters.glyphs)
    read = [LETTERS[index] for index in probabilities.argmax(axis=1)]
    assert np.mean(np.array(read) == letters.labels) > 0.8


def test_a_letter_that_is_misread_gets_the_list_s_label() -> None:
    """The D is written as a nought: by itself it is read as an O."""
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    words = WordList(Path("words.txt"), "\n".join(LIST).encode(), LETTERS)
    known = frozenset(entry.letters for entry in words.entries())
    page = grey("BRI0GE")
    (line,) = explained_lines(page, Settings(layout="line"), classifier, Lexicon(words), known)
    found = list(label_letters(*line, classifier))
    assert "".join(label for _, label in found) == "BRIDGE"
    glyph = normalise(found[3][0])
    assert LETTERS[int(classifier.probabilities(glyph[None])[0].argmax())] == "O"


def test_lines_that_no_entry_explains_give_nothing(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "others.txt").write_text("Zwolle\nQuimper", encoding="utf-8")
    words = ["--words", str(tmp_path / "others.txt"), "--out", str(tmp_path / "forms_self-labelled.npz")]
    with pytest.raises(BadData, match=r"others\.txt"):
        CliRunner().invoke(main, [str(scans), "--layout", "line", *words], catch_exceptions=False)
    assert not (tmp_path / "forms_self-labelled.npz").exists()


def test_a_file_that_training_would_take_for_labelled_letters_is_refused(scans: Path, tmp_path: Path) -> None:
    words = ["--words", str(tmp_path / "words.txt"), "--out", str(tmp_path / "forms.npz")]
    done = CliRunner().invoke(main, [str(scans), *words])
    assert done.exit_code == 2 and "_self-labelled.npz" in done.output
    assert not (tmp_path / "forms.npz").exists()
