"""Training sets in the exact formats that they are published in."""

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
from lettermill.training.letters.split import part_of, split
from lettermill.training.training_settings import TrainingSettings
from tests.emnist import write_idx

Array = NDArray[np.uint8]


def drawn(character: str, height: int = 28, width: int = 28, thickness: int = 2) -> Array:
    """White on black, unlike its mirror image and its transpose."""
    image = np.zeros((height, width), np.uint8)
    scale = height / 34
    cv2.putText(
        image,
        character,
        (width // 5, height * 4 // 5),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        255,
        thickness,
        cv2.LINE_AA,
    )
    return image


def glyph_of(image: Array) -> Array:
    return normalise(ink_of(image))


def load(*folders: Path) -> sources.Letters:
    found, _ = sources.find(folders)
    return sources.load(found)


def png(image: Array) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine_set.npz", x=np.stack([drawn("F"), drawn("R")]), y=np.array(["F", "R"]))
    letters = load(tmp_path)
    assert letters.labels.tolist() == ["F", "R"]
    assert letters.sources.tolist() == ["mine", "mine"]
    assert letters.glyphs.shape == (2, 28, 28) and letters.canvases.shape == (2, 48, 48)
    np.testing.assert_array_equal(letters.glyphs[0], glyph_of(drawn("F")))


def test_self_labelled_letters_are_known_by_the_name_of_their_file(tmp_path: Path) -> None:
    for name, letter in (("forms_self-labelled", "F"), ("forms_set", "R"), ("mnist_self-labelled", "P")):
        np.savez(tmp_path / f"{name}.npz", x=drawn(letter)[None], y=np.array([letter]))
    found, _ = sources.find([tmp_path])
    own = "forms" + sources.SELF_LABELLED
    assert [one.source for one in found] == [own, "forms", "nist" + sources.SELF_LABELLED]
    letters = sources.load(found)
    assert sources.origins(letters).tolist() == ["forms", "forms", "nist"]
    assert sources.written(letters).tolist() == [False, True, False]


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
        "1 images left out that cannot be decoded: F/2.png",
        "1 files left aside that are no images: F/Thumbs.db",
        "classes without images: K Z",
    ]


def test_class_folders_without_any_image(tmp_path: Path) -> None:
    (tmp_path / "ours" / "A").mkdir(parents=True)
    with pytest.raises(BadData, match="ours holds no images: classes without images: A"):
        load(tmp_path / "ours")


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


def test_labels_that_are_no_classes_are_counted_for_each_source(tmp_path: Path) -> None:
    images = np.stack([drawn(letter) for letter in "FRKZ"])
    np.savez(tmp_path / "one.npz", x=images, y=np.array(["F", "É", "b", "É"]))
    np.savez(tmp_path / "two.npz", x=images[:, ::-1], y=np.array(["F", "R", "K", "-"]))
    lines: list[str] = []
    parts = split(load(tmp_path), TrainingSettings(validate_on="two"), lines.append)
    assert (len(parts.train), len(parts.validation)) == (1, 3)
    assert lines[:2] == [
        "one: 3 glyphs left out, their labels are no classes: b É",
        "two: 1 glyphs left out, their labels are no classes: -",
    ]
    assert lines[2].startswith("nothing to train these classes on: A B C D E G H")


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
