"""Training sets: found, named by their source, joined without duplicates."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.letters import sources
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.split import part_of
from lettermill.training.training_settings import TrainingSettings
from tests.drawn_letters import drawn, png
from tests.emnist import write_idx
from tests.training.written_fields import write_strokes


def glyph_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return normalise(ink_of(image))


def load(*folders: Path) -> sources.Letters:
    found, _ = sources.find(folders)
    return sources.load(found)


def test_aligned_letters_are_known_by_the_name_of_their_file(tmp_path: Path) -> None:
    for name, letter in (("forms_aligned", "F"), ("forms_set", "R"), ("mnist_aligned", "P")):
        np.savez(tmp_path / f"{name}.npz", x=drawn(letter)[None], y=np.array([letter]))
    found, _ = sources.find([tmp_path])
    own = "forms" + sources.ALIGNED
    assert [one.source for one in found] == [own, "forms", "nist" + sources.ALIGNED]
    letters = sources.load(found)
    assert sources.origins(letters).tolist() == ["forms", "forms", "nist"]
    assert sources.written(letters).tolist() == [False, True, False]


def test_only_aligned_letters_may_have_wrong_cuts_among_them(tmp_path: Path) -> None:
    images = {"x": np.stack([drawn("F"), drawn("R")]), "y": np.array(["F", NO_LETTER])}
    np.savez(tmp_path / "forms_aligned.npz", **images)
    assert load(tmp_path).labels.tolist() == ["F", NO_LETTER]
    np.savez(tmp_path / "forms_set.npz", **images)
    with pytest.raises(BadData, match=r"forms_set\.npz has the label ''"):
        load(tmp_path)


def test_several_folders_and_formats_and_what_is_left_aside(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=drawn("F")[None], y=np.array(["F"]))
    write_idx(tmp_path, "emnist-letters-train", drawn("R").T[None], [18])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "prices.csv").write_text("pen,ink\n1,2\n")
    found, aside = sources.find([tmp_path])
    lines: list[str] = []
    letters = sources.load(found, lines.append)
    assert sorted(letters.labels.tolist()) == ["F", "R"]
    assert [path.name for path in aside] == ["notes.txt", "prices.csv"]
    assert any("one.npz: 1 glyphs (NumPy archive, source one)" in line for line in lines)


def test_duplicates_stay_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "nist_a.npz", x=np.stack([drawn("F"), drawn("R"), drawn("K")]), y=np.array(["F", "R", "K"])
    )
    np.savez(tmp_path / "nist_b.npz", x=np.stack([drawn("F"), drawn("R")]), y=np.array(["F", "P"]))
    assert load(tmp_path).labels.tolist() == ["F", "K"]


@pytest.mark.parametrize(
    ("polarity", "margin", "scale"),
    [(False, 0, 1), (True, 0, 1), (True, 40, 1), (False, 12, 3), (True, 5, 2)],
)
def test_polarity_margin_and_size_do_not_matter(
    tmp_path: Path, polarity: bool, margin: int, scale: int
) -> None:
    image = np.pad(cv2.resize(drawn("R", 56, 56, 4), None, fx=scale, fy=scale), margin).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=(255 - image if polarity else image)[None], y=np.array(["R"]))
    difference = load(tmp_path).glyphs[0].astype(int) - glyph_of(drawn("R", 56, 56, 4)).astype(int)
    assert np.abs(difference).mean() < 6


def test_of_equal_glyphs_the_one_that_is_measured_stays(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "one.npz", x=np.stack([drawn("F"), drawn("R"), drawn("R")]), y=np.array(["F", "R", "R"])
    )
    np.savez(tmp_path / "two.npz", x=np.stack([drawn("K"), drawn("R")]), y=np.array(["K", "R"]))
    found, _ = sources.find([tmp_path])
    settings = TrainingSettings(validate_on="two")
    lines: list[str] = []
    letters = sources.load(found, lines.append, lambda letters: part_of(letters, settings))
    assert sorted(zip(letters.sources.tolist(), letters.labels.tolist(), strict=True)) == [
        ("one", "F"),
        ("two", "K"),
        ("two", "R"),
    ]
    assert lines[-2:] == [
        "2 duplicate or empty glyphs left out",
        "  2 of them because validation or test holds the same glyph",
    ]


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_to_train_on(tmp_path: Path, exists: bool) -> None:
    with pytest.raises(BadData) as caught:
        sources.find([tmp_path if exists else tmp_path / "nowhere"])
    assert caught.value.next_step


def test_a_source_of_a_long_name_is_measured_too(tmp_path: Path) -> None:
    name = "hands-of-" + "many-" * 20 + "people"
    (tmp_path / name / "F").mkdir(parents=True)
    (tmp_path / name / "F" / "0001.png").write_bytes(png(drawn("F")))
    letters = load(tmp_path / name)
    assert sources.origins(letters).tolist() == [name] and sources.written(letters).all()


def test_an_archive_of_pen_strokes_is_drawn_with_one_pen_and_with_several(tmp_path: Path) -> None:
    write_strokes(tmp_path / "unipen_caps_strokes.npz", ["A", "B"], "char_first_stroke", site="aga")
    found, ignored = sources.find([tmp_path])
    assert [one.source for one in found] == ["unipen", "unipen" + sources.RENDERED] and not ignored
    plain, varied = (sources.read(one) for one in found)
    assert plain.labels.tolist() == ["A", "B"] and varied.labels.tolist()[:4] == ["A", "A", "B", "B"]
    assert sources.written(plain).all() and not sources.written(varied).any()
    for letters in (plain, varied):
        assert set(letters.writers.tolist()) == {"aga"} and set(sources.origins(letters)) == {"unipen"}
        assert letters.glyphs.any(axis=(1, 2)).all()


def test_words_as_pen_strokes_are_for_lines_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "forms_set.npz", x=drawn("F")[None], y=np.array(["F"]))
    write_strokes(tmp_path / "unipen_words_strokes.npz", ["HAT"], "word_first_stroke")
    found, ignored = sources.find([tmp_path])
    assert [one.path.name for one in found] == ["forms_set.npz"]
    assert [path.name for path in ignored] == ["unipen_words_strokes.npz"]
