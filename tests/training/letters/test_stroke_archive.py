"""Archives of pen strokes: read with text, writer and site, and refused if damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.letters.stroke_archive import HELD_OUT_SITES, read_strokes_archive
from lettermill.training.training_settings import TrainingSettings
from tests.training.written_fields import write_strokes


def arrays() -> dict[str, Any]:
    """An L of two strokes, a dot of none, and an I of one, which one empty stroke follows."""
    return {
        "points": np.array([[0, 0], [0, 9], [0, 9], [5, 9], [3, 0], [3, 9]]),
        "stroke_start": np.array([0, 2, 4, 6, 6]),
        "char_first_stroke": np.array([0, 2, 2, 4]),
        "y": np.array(["L", ".", "I"]),
        "writer": np.array(["w1", "w1", "w2"]),
        "site": np.array(["aga", "aga", "syn"]),
    }


def write(path: Path, **changes: Any) -> Path:
    np.savez(path, **{name: value for name, value in (arrays() | changes).items() if value is not None})
    return path


def test_each_drawing_has_its_strokes_its_text_its_writer_and_its_site(tmp_path: Path) -> None:
    bent, straight = read_strokes_archive(write(tmp_path / "pen_strokes.npz"), "char_first_stroke")
    assert (bent[1:], straight[1:]) == (("L", "w1", "aga"), ("I", "w2", "syn"))
    for drawing, strokes in ((bent, [[[0, 0], [0, 9]], [[0, 9], [5, 9]]]), (straight, [[[3, 0], [3, 9]]])):
        assert [stroke.tolist() for stroke in drawing[0]] == strokes
        assert all(stroke.dtype == np.float32 for stroke in drawing[0])


def test_words_are_read_in_the_same_way(tmp_path: Path) -> None:
    write_strokes(tmp_path / "words.npz", ["HAT", "TIN"], "word_first_stroke", site="art")
    words = read_strokes_archive(tmp_path / "words.npz", "word_first_stroke")
    assert [(text, writer, site, len(strokes)) for strokes, text, writer, site in words] == [
        ("HAT", "w1", "art", 2),
        ("TIN", "w1", "art", 2),
    ]


def no_archive(path: Path) -> None:
    path.write_bytes(b"no archive")


def cut_off(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:-30])


def of_words(path: Path) -> None:
    write_strokes(path, ["HAT"], "word_first_stroke")


def without_sites(path: Path) -> None:
    write(path, site=None)


def points_in_space(path: Path) -> None:
    write(path, points=np.zeros((6, 3)))


def points_that_are_missing(path: Path) -> None:
    write(path, points=np.zeros((5, 2)))


def fewer_writers(path: Path) -> None:
    write(path, writer=np.array(["w1"]))


def strokes_that_are_missing(path: Path) -> None:
    write(path, char_first_stroke=np.array([0, 2, 2, 9]))


def objects(path: Path) -> None:
    write(path, y=np.array(["L", ".", None], dtype=object))


@pytest.mark.parametrize(
    "harm",
    [
        *(no_archive, cut_off, of_words, without_sites, points_in_space, points_that_are_missing),
        *(fewer_writers, strokes_that_are_missing, objects),
    ],
)
def test_damaged_strokes_are_named(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "pen_strokes.npz"
    harm(path)
    with pytest.raises(BadData, match=r"pen_strokes\.npz cannot be read as pen strokes"):
        read_strokes_archive(path, "char_first_stroke")
    with pytest.raises(BadData, match=r"gone\.npz cannot be read as pen strokes"):
        read_strokes_archive(tmp_path / "gone.npz", "char_first_stroke")


def test_the_sites_that_are_held_out_are_those_that_the_cnn_is_measured_on() -> None:
    settings = TrainingSettings()
    assert set(HELD_OUT_SITES) < {*settings.validation_writers, *settings.test_writers}
