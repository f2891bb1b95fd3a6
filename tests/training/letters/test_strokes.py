"""Pen strokes, rendered again and again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.letters import strokes
from lettermill.training.letters.set_formats import NO_LETTER
from tests.training.written_fields import join_strokes, write_strokes


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


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An A, a B and a 7 by w1 of site aga, and an A by another w1, of site syn."""
    write_strokes(tmp_path / "one.npz", ["A", "B", "7"], "char_first_stroke", site="aga")
    write_strokes(tmp_path / "two.npz", ["A"], "char_first_stroke", site="syn")
    return join_strokes(tmp_path / "unipen_strokes.npz", tmp_path / "one.npz", tmp_path / "two.npz")


def test_a_plain_pen_draws_each_character_of_an_archive_once(archive: Path) -> None:
    content = strokes.read_plain_strokes(archive)
    assert content.labels == ["A", "B", "7", "A"]
    assert content.writers == ["aga", "aga", "aga", "syn"]
    for image in content.images:
        assert image.shape == (96, 96) and image.max() == 255
        assert 0.02 < (image > 0).mean() < 0.3
    # All have the same strokes, and the pen has no other state.
    assert len({image.tobytes() for image in content.images}) == 1


def test_a_plain_pen_draws_the_strokes_where_they_are(tmp_path: Path) -> None:
    points = np.array([[0, 0], [0, 200], [0, 200], [100, 200]])
    np.savez(
        tmp_path / "l_strokes.npz",
        points=points,
        stroke_start=[0, 2, 4],
        char_first_stroke=[0, 2],
        y=["L"],
        writer=["w"],
        site=["aga"],
    )
    (image,) = strokes.read_plain_strokes(tmp_path / "l_strokes.npz").images
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert np.ptp(rows) > 1.7 * np.ptp(columns)
    assert image[rows[0] + 5, columns[0] + 3] == 255 and not image[rows[0] + 5, columns[-1] - 3]
    assert image[rows[-1] - 3, columns[0] + 3] == image[rows[-1] - 3, columns[-1] - 3] == 255


def test_characters_of_an_archive_are_re_rendered_twice_and_written_in_lines(archive: Path) -> None:
    content = strokes.read_varied_strokes(archive)
    assert content.labels[:8] == ["A", "A", "B", "B", "7", "7", "A", "A"]
    assert content.writers[:8] == ["aga"] * 6 + ["syn"] * 2
    assert len({image.tobytes() for image in content.images[:8]}) == 8
    lines = set(zip(content.labels[8:], content.writers[8:], strict=True))
    assert {label for label, site in lines if site == "aga"} >= {"A", "B", "7"}
    assert {label for label, _ in lines} <= {"A", "B", "7", NO_LETTER}
    again = strokes.read_varied_strokes(archive)
    assert all(np.array_equal(a, b) for a, b in zip(content.images, again.images, strict=True))


def test_writers_of_one_name_at_two_sites_write_their_own_lines(archive: Path) -> None:
    content = strokes.read_varied_strokes(archive)
    lines = set(zip(content.labels[8:], content.writers[8:], strict=True))
    assert {label for label, site in lines if site == "syn"} - {NO_LETTER} == {"A"}


def test_characters_that_are_no_letters_write_no_lines(tmp_path: Path) -> None:
    write_strokes(tmp_path / "marks_strokes.npz", ["?", "a"], "char_first_stroke")
    assert strokes.read_varied_strokes(tmp_path / "marks_strokes.npz").labels == ["?", "?", "a", "a"]


def test_an_archive_of_words_or_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad_strokes.npz"
    for read in (strokes.read_plain_strokes, strokes.read_varied_strokes):
        write_strokes(path, ["AB"], "char_first_stroke")
        with pytest.raises(BadData, match=r"bad_strokes\.npz has the label 'AB'"):
            read(path)
        path.write_bytes(b"no archive")
        with pytest.raises(BadData, match=r"bad_strokes\.npz cannot be read as pen strokes"):
            read(path)
