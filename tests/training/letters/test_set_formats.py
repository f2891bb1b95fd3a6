"""Training sets in the exact formats that they are published in, whole and damaged."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.letters import sources
from lettermill.training.letters.set_formats import NO_LETTER, read_aligned
from tests.drawn_letters import drawn, png
from tests.emnist import write_idx


def glyph_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return normalise(ink_of(image))


def load(*folders: Path) -> sources.Letters:
    found, _ = sources.find(folders)
    return sources.load(found)


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine_set.npz", x=np.stack([drawn("F"), drawn("R")]), y=np.array(["F", "R"]))
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["F", "R"]
    assert letters.sources.tolist() == ["mine", "mine"]
    assert letters.glyphs.shape == (2, 28, 28) and letters.canvases.shape == (2, 48, 48)
    np.testing.assert_array_equal(letters.glyphs[0], glyph_of(drawn("F")))


def test_aligned_letters_may_be_of_the_reject_class(tmp_path: Path) -> None:
    np.savez(tmp_path / "one_aligned.npz", x=np.stack([drawn("F"), drawn("R")]), y=np.array(["F", ""]))
    content = read_aligned(tmp_path / "one_aligned.npz")
    assert content.labels == ["F", NO_LETTER] and content.writers == ["", ""]
    np.testing.assert_array_equal(content.images[1], drawn("R"))
    np.savez(tmp_path / "two_aligned.npz", x=drawn("F")[None], y=np.array(["FR"]))
    with pytest.raises(BadData, match=r"two_aligned\.npz has the label 'FR'"):
        read_aligned(tmp_path / "two_aligned.npz")
    np.savez(tmp_path / "three_aligned.npz", x=drawn("F")[None])
    with pytest.raises(BadData, match="not x and y"):
        read_aligned(tmp_path / "three_aligned.npz")


def test_zip_with_labels_and_writers(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "chars74k_some.zip", "w") as archive:
        archive.writestr("test/F/F.002.png", png(255 - drawn("F", 90, 120, 6)))
        archive.writestr("train/b/b.013.png", png(255 - drawn("b", 90, 120, 6)))
        archive.writestr("labels.csv", "file,label\ntest/F/F.002.png,F\ntrain/b/b.013.png,b\n")
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["F", "b"]
    assert letters.writers.tolist() == ["002", "013"]
    assert set(letters.sources.tolist()) == {"chars74k"}


def test_emnist_letters_are_transposed_and_count_from_one(tmp_path: Path) -> None:
    stored = np.stack([drawn(letter).T for letter in "FRZ"])
    write_idx(tmp_path, "emnist-letters-train", stored, [6, 18, 26])
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["F", "R", "Z"]
    np.testing.assert_array_equal(letters.glyphs[0], glyph_of(drawn("F")))
    assert set(letters.sources.tolist()) == {"nist"}


def test_emnist_balanced_takes_its_mapping_file(tmp_path: Path) -> None:
    write_idx(tmp_path, "emnist-balanced-test", np.stack([drawn(c).T for c in "7Fa"]), [7, 15, 36])
    (tmp_path / "emnist-balanced-mapping.txt").write_text("7 55\n15 70\n36 97\n", encoding="ascii")
    assert load(tmp_path).labels.tolist() == ["7", "F", "a"]


def test_emnist_balanced_without_mapping_says_what_to_do(tmp_path: Path) -> None:
    write_idx(tmp_path, "emnist-balanced-test", drawn("F")[None], [15])
    with pytest.raises(BadData, match=r"emnist-balanced-mapping\.txt is missing"):
        load(tmp_path)


def test_mnist_is_upright(tmp_path: Path) -> None:
    write_idx(tmp_path, "t10k", drawn("7")[None], [7])
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["7"]
    np.testing.assert_array_equal(letters.glyphs[0], glyph_of(drawn("7")))


def test_idx_labels_missing(tmp_path: Path) -> None:
    write_idx(tmp_path, "emnist-letters-train", drawn("F")[None], [6])
    (tmp_path / "emnist-letters-train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(BadData, match=r"labels-idx1-ubyte\.gz is missing"):
        load(tmp_path)


def test_kaggle_csv(tmp_path: Path) -> None:
    rows = [
        ",".join(map(str, [number, *drawn(letter).ravel().tolist()]))
        for number, letter in [(5, "F"), (17, "R")]
    ]
    (tmp_path / "A_Z Handwritten Data.csv").write_text("\n".join(rows) + "\n", encoding="ascii")
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["F", "R"]
    assert set(letters.sources.tolist()) == {"nist"}
    np.testing.assert_array_equal(letters.glyphs[1], glyph_of(drawn("R")))


def test_class_folders_take_the_folder_as_source(tmp_path: Path) -> None:
    mine = tmp_path / "our-forms"
    for letter in "FR":
        (mine / letter).mkdir(parents=True)
        (mine / letter / "one.png").write_bytes(png(255 - drawn(letter, 60, 50, 4)))
    letters = load(mine)
    assert letters.labels.tolist() == ["F", "R"]
    assert set(letters.sources.tolist()) == {"our-forms"}


def test_own_crops_with_gaps_are_read_and_the_gaps_are_said(tmp_path: Path) -> None:
    mine = tmp_path / "ours"
    for letter in "FKRZ":
        (mine / letter).mkdir(parents=True)
    (mine / "F" / "1.png").write_bytes(png(255 - drawn("F", 60, 50, 4)))
    (mine / "F" / "2.png").write_bytes(b"no image")
    (mine / "F" / "Thumbs.db").write_bytes(b"")
    (mine / "R" / "1.png").write_bytes(png(255 - drawn("R", 60, 50, 4)))
    (mine / "old crops").mkdir()
    found, aside = sources.find([mine])
    lines: list[str] = []
    assert sources.load(found, lines.append).labels.tolist() == ["F", "R"]
    assert [path.name for path in aside] == ["old crops"]
    assert [line.strip() for line in lines] == [
        "ours: 2 glyphs (class folders, source ours)",
        "images left out because they cannot be decoded (1): F/2.png",
        "files ignored because they are no images (1): F/Thumbs.db",
        "classes without images: K Z",
    ]


def test_class_folders_without_any_image(tmp_path: Path) -> None:
    (tmp_path / "ours" / "A").mkdir(parents=True)
    with pytest.raises(BadData, match="ours holds no images: classes without images: A"):
        load(tmp_path / "ours")


@pytest.mark.parametrize("ink", [0, 255])
def test_ink_on_transparent_paper_is_ink(tmp_path: Path, ink: int) -> None:
    """Crops from a drawing program: black, or white, on nothing."""
    opaque = drawn("A", 60, 60, 4)
    crop = np.full((60, 60, 4), ink, np.uint8)
    crop[..., 3] = opaque
    (tmp_path / "A").mkdir()
    cv2.imwrite(str(tmp_path / "A" / "1.png"), crop)
    letters = sources.load(sources.find([tmp_path])[0])
    expected = normalise(ink_of(opaque)).astype(int)
    assert np.abs(letters.glyphs[0] - expected).mean() < 5


def broken_npz(folder: Path) -> None:
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 not really")


def npz_of_other_arrays(folder: Path) -> None:
    np.savez(folder / "bad.npz", images=np.zeros(3))


def npz_of_floats(folder: Path) -> None:
    np.savez(folder / "bad.npz", x=np.zeros((1, 28, 28)), y=np.array(["A"]))


def npz_of_words(folder: Path) -> None:
    np.savez(folder / "bad.npz", x=drawn("F")[None], y=np.array(["FUR"]))


def npz_of_not_a_number(folder: Path) -> None:
    np.savez(folder / "bad.npz", x=np.full((1, 28, 28), np.nan), y=np.array(["A"]))


def npz_of_fewer_labels(folder: Path) -> None:
    np.savez(folder / "bad.npz", x=np.zeros((2, 28, 28), np.uint8), y=np.array(["A"]))


def write_csv(folder: Path, row: list[object]) -> None:
    good = [5, *drawn("F").ravel().tolist()]
    lines = [",".join(map(str, cells)) for cells in (good, row)]
    (folder / "bad.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


def csv_with_a_missing_pixel(folder: Path) -> None:
    write_csv(folder, [5, *[0] * 783])


def csv_with_an_empty_cell(folder: Path) -> None:
    write_csv(folder, [5, "", *[0] * 783])


def csv_with_nan(folder: Path) -> None:
    write_csv(folder, [5, "nan", *[0] * 783])


def csv_out_of_range(folder: Path) -> None:
    write_csv(folder, [5, 256, *[0] * 783])


def csv_with_another_label(folder: Path) -> None:
    write_csv(folder, [26, *[0] * 784])


def csv_of_another_width(folder: Path) -> None:
    (folder / "bad.csv").write_text(",".join(["0"] * 1025) + "\n", encoding="ascii")


def csv_with_a_header(folder: Path) -> None:
    (folder / "bad.csv").write_text("label," + ",".join(["pixel"] * 784) + "\n", encoding="ascii")


def zip_without_labels(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.writestr("a.png", png(drawn("F")))


def zip_without_a_listed_file(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.writestr("labels.csv", "file,label\na.png,F\n")


def zip_with_a_broken_image(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.writestr("labels.csv", "file,label\na.png,F\n")
        archive.writestr("a.png", b"no image")


def zip_with_a_row_without_label(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.writestr("labels.csv", "file,label\na.png\n")
        archive.writestr("a.png", png(drawn("F")))


def zip_of_other_columns(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        archive.writestr("labels.csv", "name,letter\na.png,F\n")
        archive.writestr("a.png", png(drawn("F")))


def zip_with_a_password(folder: Path) -> None:
    zip_with_a_row_without_label(folder)
    content = bytearray((folder / "bad.zip").read_bytes())
    for place in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[place] |= 1  # the flag of an encrypted file
    (folder / "bad.zip").write_bytes(content)


def truncated_idx(folder: Path) -> None:
    write_idx(folder, "emnist-letters-bad", drawn("F")[None], [6])
    path = folder / "emnist-letters-bad-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])


def idx_of_another_type(folder: Path) -> None:
    write_idx(folder, "emnist-letters-bad", drawn("F")[None], [6])
    content = io.BytesIO(b"\x00\x00\x0d\x03" + bytes(12))
    (folder / "emnist-letters-bad-images-idx3-ubyte.gz").write_bytes(gzip.compress(content.getvalue()))


def font_that_is_none(folder: Path) -> None:
    (folder / "bad.woff2").write_bytes(b"no font")


@pytest.mark.parametrize(
    "make",
    [
        broken_npz,
        npz_of_other_arrays,
        npz_of_floats,
        npz_of_words,
        npz_of_not_a_number,
        npz_of_fewer_labels,
        csv_with_a_missing_pixel,
        csv_with_an_empty_cell,
        csv_with_nan,
        csv_out_of_range,
        csv_with_another_label,
        csv_of_another_width,
        csv_with_a_header,
        zip_without_labels,
        zip_without_a_listed_file,
        zip_with_a_broken_image,
        zip_with_a_row_without_label,
        zip_of_other_columns,
        zip_with_a_password,
        truncated_idx,
        idx_of_another_type,
        font_that_is_none,
    ],
)
def test_unreadable_files_name_the_file_and_the_next_step(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path)
    with pytest.raises(BadData) as caught:
        load(tmp_path)
    assert "bad" in caught.value.what
    assert caught.value.next_step
