"""Labelled fields: read, held out, augmented."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.segmentation.line_image import LINE_ROWS
from lettermill.training.lines.real_fields import (
    Field,
    FieldLines,
    augmented,
    find_band,
    plain_text,
    read_field_set,
)
from tests.training.written_fields import field_image, write_fields

TEXTS = [*"ABCDEFGHIJKLMN"]


def test_every_seventh_field_is_held_out(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS)
    fields = read_field_set(tmp_path / "fields", truth)
    assert [field.text for field in fields.held_out] == ["A", "H"]
    assert [field.text for field in fields.train] == [*"BCDEFGIJKLMN"]
    assert fields.alphabet == "letters" and not fields.has_marks


def test_a_zip_file_has_its_own_labels(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS)
    with zipfile.ZipFile(tmp_path / "fields.zip", "w") as archive:
        archive.write(truth, "labels.csv")
        for path in (tmp_path / "fields").iterdir():
            archive.write(path, f"images/{path.name}")
    one, other = read_field_set(tmp_path / "fields.zip", None), read_field_set(tmp_path / "fields", truth)
    assert [field.text for field in one.train] == [field.text for field in other.train]
    np.testing.assert_array_equal(one.train[0].image, other.train[0].image)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", [*TEXTS, "EMPTY", "UNREADABLE", ""])
    with truth.open("a", encoding="utf-8") as file:
        file.write("gone.png,A\n")
    fields = read_field_set(tmp_path / "fields", truth)
    assert [reason.split(":")[0] for reason in fields.left_out] == ["015.png", "016.png", "gone.png"]
    assert fields.held_out[-1].text == "" and fields.held_out[-1].name == "014.png"


def test_a_truth_without_its_columns_is_refused(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS)
    truth.write_text("name,text\na,b\n")
    with pytest.raises(BadData, match="lacks 'file'"):
        read_field_set(tmp_path / "fields", truth)
    with pytest.raises(BadData, match=r"cannot read labels\.csv"):
        read_field_set(tmp_path / "fields", None)


def test_too_few_fields_to_measure_are_refused(tmp_path: Path) -> None:
    truth = write_fields(tmp_path / "fields", TEXTS[:6])
    with pytest.raises(BadData, match="6 fields that can be used"):
        read_field_set(tmp_path / "fields", truth)


@pytest.mark.parametrize(
    ("label", "text"), [("Müller-Lüdenscheid", "MULLER-LUDENSCHEID"), ("3 / 4,50 €", "3/4,50"), ("a_b", "AB")]
)
def test_labels_keep_what_the_network_knows(label: str, text: str) -> None:
    assert plain_text(label) == text


def test_the_band_is_where_the_letters_are() -> None:
    band = find_band(Field("one", field_image("HELLO"), "HELLO"))
    assert band is not None
    assert 18 < band.letter < 40 and 24 < band.middle < 38
    assert find_band(Field("one", field_image("HELLO"), "H")) is None
    assert find_band(Field("one", field_image(""), "")) is None


def test_augmented_fields_are_alike_but_not_the_same() -> None:
    rng = np.random.default_rng(1)
    image = field_image("HELLO")
    band = find_band(Field("one", image, "HELLO"))
    drawn = [augmented(image, band, rng) for _ in range(60)]
    assert len({one.shape for one in drawn}) > 20
    assert all(one.dtype == np.uint8 and one.min() < 150 and one.max() > 200 for one in drawn)
    assert min(one.shape[0] for one in drawn) >= 8


def test_digits_without_marks_may_have_marks_that_nobody_typed(tmp_path: Path) -> None:
    for name, texts, unknown in (("plain", ["125"] * 7, True), ("marked", ["1,25"] * 7, False)):
        truth = write_fields(tmp_path / name, texts)
        fields = read_field_set(tmp_path / name, truth)
        line = FieldLines(fields, np.random.default_rng(1)).line()
        assert fields.alphabet == "digits" and line.marks_unknown == unknown
        assert line.text == texts[0] and line.image.shape[0] == LINE_ROWS
