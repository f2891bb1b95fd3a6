"""The parts: no writer and no source on two sides."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.letters import sources
from lettermill.training.letters.sources import RENDERED, origins, written
from lettermill.training.letters.split import (
    TEST,
    TRAIN,
    VALIDATION,
    classes_of,
    part_of,
    split,
    without_test,
)
from lettermill.training.training_settings import LABELS, TEST_SITES, VALIDATION_SITES, TrainingSettings
from tests.drawn_letters import drawn, png, some_letters
from tests.training.written_fields import join_strokes, write_strokes


def test_writers_are_on_one_side_only() -> None:
    parts = split(some_letters(), TrainingSettings())
    assert parts.test.writers.tolist() == ["002"]
    assert parts.validation.writers.tolist() == ["005"]
    assert not {"002", "005"} & set(parts.train.writers.tolist())
    assert "002" not in without_test(some_letters(), TrainingSettings()).writers


def test_lower_case_trains_capitals_only_where_the_settings_say_so() -> None:
    without = split(some_letters(), TrainingSettings(lower_case_as_capitals=""))
    assert "a" not in without.train.labels
    with_a = split(some_letters(), TrainingSettings(lower_case_as_capitals="a", validate_on="two"))
    assert "a" not in with_a.validation.labels
    both = split(some_letters(), TrainingSettings(lower_case_as_capitals="a"))
    chosen = both.train[both.train.labels == "a"]
    assert classes_of(chosen).tolist() == [LABELS.index("A")]


def drawing_file(folder: Path, drawings: object) -> Path:
    path = folder / "hands_strokes.json"
    path.write_text(json.dumps(drawings), encoding="utf-8")
    return path


def test_re_rendered_letters_stay_with_their_writer_and_measure_nothing(tmp_path: Path) -> None:
    stem = [[20, 10], [20, 90]]
    drawing_file(tmp_path, {"I": [[stem]] * 5}).rename(tmp_path / "chars74k_hnd_strokes.json")
    found, _ = sources.find([tmp_path])
    letters = sources.load(found)
    assert set(letters.sources) == {"chars74k" + RENDERED}
    assert set(origins(letters)) == {"chars74k"} and not written(letters).any()
    parts = dict(zip(letters.writers.tolist(), part_of(letters, TrainingSettings()).tolist(), strict=True))
    assert parts == {"001": TRAIN, "002": TEST, "003": TRAIN, "004": TRAIN, "005": VALIDATION}


def write_sites(folder: Path, *sites: str) -> None:
    """Write for each site a letter as pen strokes, unlike those of the others."""
    for place, site in enumerate(sites):
        part = folder / f"{site}.npz"
        write_strokes(part, ["T"], "char_first_stroke", site=site, bar=30 + 20 * place)
    parts = [folder / f"{site}.npz" for site in sites]
    join_strokes(folder / "unipen_caps_strokes.npz", *parts)
    for part in parts:
        part.unlink()


def test_sites_of_unipen_are_held_out_like_writers(tmp_path: Path) -> None:
    write_sites(tmp_path, "aga", "syn", "uqb", "val")
    settings = TrainingSettings()
    expected = {"aga": VALIDATION, "syn": TRAIN, "uqb": VALIDATION, "val": TEST}
    for found in sources.find([tmp_path])[0]:
        letters = sources.read(found)
        parts = zip(letters.writers.tolist(), part_of(letters, settings).tolist(), strict=True)
        assert set(parts) == set(expected.items())
        assert set(without_test(letters, settings).writers.tolist()) == {"aga", "syn", "uqb"}
    assert {*VALIDATION_SITES} <= {*settings.validation_writers} and {*TEST_SITES} <= {*settings.test_writers}


def test_sites_of_unipen_are_measured_on_as_the_plain_pen_draws_them(tmp_path: Path) -> None:
    write_sites(tmp_path, "aga", "syn", "val")
    settings = TrainingSettings()
    letters = sources.load(sources.find([tmp_path])[0], part_of=lambda letters: part_of(letters, settings))
    parts = split(letters, settings)
    for part, site in ((parts.validation, "aga"), (parts.test, "val")):
        assert part.labels.tolist() == ["T"] and part.writers.tolist() == [site]
        assert part.sources.tolist() == ["unipen"]
    assert set(parts.train.writers.tolist()) == {"syn"}
    assert set(parts.train.sources.tolist()) == {"unipen", "unipen" + RENDERED}


def test_writers_are_held_out_whatever_their_source() -> None:
    letters = dataclasses.replace(some_letters(), sources=np.full(10, "hands"))
    parts = split(letters, TrainingSettings())
    assert parts.test.writers.tolist() == ["002"] and parts.validation.writers.tolist() == ["005"]


def test_nothing_to_validate_on_says_who_is_looked_for() -> None:
    letters = some_letters()
    with pytest.raises(BadData, match="none of UNIPEN's sites or Chars74K's writers that are held out"):
        split(letters[letters.writers == ""], TrainingSettings())


def load(*folders: Path) -> sources.Letters:
    found, _ = sources.find(folders)
    return sources.load(found)


def test_labels_that_are_no_classes_are_counted_for_each_source(tmp_path: Path) -> None:
    images = np.stack([drawn(letter) for letter in "FRKZ"])
    np.savez(tmp_path / "one.npz", x=images, y=np.array(["F", "É", "b", "É"]))
    np.savez(tmp_path / "two.npz", x=images[:, ::-1], y=np.array(["F", "R", "K", "-"]))
    lines: list[str] = []
    parts = split(load(tmp_path), TrainingSettings(validate_on="two"), lines.append)
    assert (len(parts.train), len(parts.validation)) == (1, 3)
    assert lines[:2] == [
        "one: 3 glyphs left out because their labels are no classes: b É",
        "two: 1 glyphs left out because their labels are no classes: -",
    ]
    assert lines[2].startswith("no glyphs to train these classes on: A B C D E G H")


def test_own_crops_beside_other_sets(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    np.savez(tmp_path / "sets" / "bought.npz", x=drawn("K")[None], y=np.array(["K"]))
    for folder, slant in (("ours", 0.0), ("ours-validation", 0.3)):
        for letter in "FR":
            (tmp_path / folder / letter).mkdir(parents=True)
            shear = np.array([[1, slant, 0], [0, 1, 0]])
            crop = 255 - cv2.warpAffine(drawn(letter, 60, 50, 4), shear, (80, 60))
            (tmp_path / folder / letter / "0001.png").write_bytes(png(crop))
    letters = load(tmp_path / "sets", tmp_path / "ours", tmp_path / "ours-validation")
    parts = split(letters, TrainingSettings(validate_on="ours-validation"))
    assert sorted(parts.train.labels.tolist()) == ["F", "K", "R"]
    assert set(parts.train.sources.tolist()) == {"bought", "ours"}
    assert parts.validation.labels.tolist() == ["F", "R"] and not len(parts.test)
