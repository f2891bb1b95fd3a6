"""Writing is cut out of fields that read as their text, and kept in a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.errors import BadData
from lettermill.training.lines.writing import Written
from lettermill.training.pages.field_writing import main, read_writing, write_writing


def field(folder: Path, name: str, text: str) -> None:
    image = np.full((70, 320), 235, np.uint8)
    cv2.putText(image, text, (20, 50), cv2.FONT_HERSHEY_DUPLEX, 1.4, 40, 3, cv2.LINE_AA)
    cv2.imwrite(str(folder / name), image)


def test_writing_is_cut_out_of_fields_that_read_as_their_text(tmp_path: Path) -> None:
    fields = tmp_path / "fields"
    fields.mkdir()
    rows = ["file,label"]
    for number in range(14):
        text = "HAMBURG" if number != 3 else "ZZZZZZZ"
        field(fields, f"{number:02}.png", "HAMBURG")
        rows.append(f"{number:02}.png,{text}")
    truth, out = tmp_path / "truth.csv", tmp_path / "writing" / "ours.npz"
    truth.write_text("\n".join(rows))
    out.parent.mkdir()
    command = [str(fields), "--truth", str(truth), "--out", str(out)]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0 and "the writing of 11 of 12 fields" in result.output
    words = read_writing(out)
    assert {word.text for word in words} == {"HAMBURG"}
    for word in words:
        assert 25 < word.cap < 40 and word.ink.shape[1] < 300
        assert word.ink[word.top : word.top + word.cap].max() == 255


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.text("ABC", min_size=1)), min_size=1))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, sizes: list) -> None:
    rng = np.random.default_rng(1)
    words = [
        Written(rng.integers(0, 255, (height, width)).astype(np.uint8), height, 0, text)
        for height, width, text in sizes
    ]
    path = tmp_path_factory.mktemp("writing") / "some.npz"
    write_writing(words, path)
    for one, other in zip(words, read_writing(path), strict=True):
        assert np.array_equal(one.ink, other.ink) and one.text == other.text and one.cap == other.cap


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(BadData, match=r"some\.npz"):
        read_writing(path)
