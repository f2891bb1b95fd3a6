"""`lettermill template new` finds the boxes and combs of a blank form."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.pages import forms
from bench.pages.write import default_hands
from lettermill.jobs.inputs.form_template import Template, read_template
from lettermill.jobs.records.readings import Box
from tests.fillable_pdf import WIDGETS, fillable_pdf
from tests.support import ROOT, Command

FORM = ROOT / "examples" / "form"


def in_order(template: Template) -> list[tuple[int, int, int, int, int | None]]:
    boxes = [
        (field.box.y, field.box.x, field.box.width, field.box.height, field.comb) for field in template.fields
    ]
    return sorted(boxes, key=lambda box: (round(box[0] / 50), box[1]))


def test_the_example_form(tmp_path: Path, lettermill: Command) -> None:
    shutil.copy(FORM / "blank.png", tmp_path)
    done = lettermill("template", "new", tmp_path / "blank.png")
    assert "8 fields, 4 of them combs" in done.stdout
    found, made = (
        read_template(folder / name) for folder, name in ((tmp_path, "blank.toml"), (FORM, "form.toml"))
    )
    for one, other in zip(in_order(found), in_order(made), strict=True):
        assert one[4] == other[4]
        assert max(abs(a - b) for a, b in zip(one[:4], other[:4], strict=True)) <= 6
    names = [field.name for field in found.fields]
    assert {"surname", "forename", "shelf", "remarks"} <= set(names)
    # A caption that is not read surely gives no name.
    assert names[4] == "field_5"
    with Image.open(tmp_path / "blank-fields.png") as drawing:
        assert drawing.size == (1748, 1240)
        colours = np.asarray(drawing)
        assert (colours.max(axis=2).astype(int) - colours.min(axis=2) > 60).sum() > 5000


@pytest.mark.slow
def test_a_blank_of_filled_sheets(tmp_path: Path, lettermill: Command) -> None:
    hands, rng = default_hands(None), np.random.default_rng(6)
    names = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(names):
        page = forms.filled(forms.texts(rng), hands[number % len(hands)], rng)
        Image.fromarray(page if number == 0 else forms.distorted(page, rng, 0.01)[0]).save(path)
    done = lettermill("template", "new", *names, "--out", tmp_path / "form.toml")
    assert "8 fields, 4 of them combs" in done.stdout
    template = read_template(tmp_path / "form.toml")
    assert (tmp_path / "form-blank.png").read_bytes() == template.files["form-blank.png"]
    other = tmp_path / "other.png"
    Image.fromarray(forms.other_form(rng)).save(other)
    done = lettermill("template", "new", names[1], other, "--out", tmp_path / "no.toml", status=10)
    assert "other.png is not the form of" in done.stderr
    done = lettermill("template", "new", names[0], "--out", tmp_path / "one.toml")
    assert "0.png seems to be filled in: " in done.stderr


def test_a_pdf_at_another_resolution(tmp_path: Path, lettermill: Command) -> None:
    with Image.open(FORM / "blank.png") as blank:
        blank.convert("L").save(tmp_path / "form.pdf", resolution=300)
    lettermill("template", "new", tmp_path / "form.pdf", "--dpi", 200)
    template = read_template(tmp_path / "form.toml")
    assert template.blank.shape[0] == 827
    assert len(template.fields) == 8


def test_a_pdf_that_can_be_filled_in(tmp_path: Path, lettermill: Command) -> None:
    (tmp_path / "form.pdf").write_bytes(fillable_pdf(WIDGETS))
    done = lettermill("template", "new", tmp_path / "form.pdf", "--dpi", 150)
    assert "4 fields, 1 of them combs" in done.stdout
    assert "Left out, too small or on another field: hidden" in done.stderr
    assert "seems to be filled in" not in done.stderr
    template = read_template(tmp_path / "form.toml")
    assert [field.name for field in template.fields] == ["Last_name", "agree", "answer", "signed"]
    name = template.fields[0]
    assert (name.box, name.comb, name.required) == (Box(104, 358, 417, 42), 10, True)


def test_nothing_is_overwritten(tmp_path: Path, lettermill: Command) -> None:
    shutil.copy(FORM / "blank.png", tmp_path)
    (tmp_path / "blank.toml").write_text("mine")
    done = lettermill("template", "new", tmp_path / "blank.png", status=2)
    assert "blank.toml already exists" in done.stderr
    assert (tmp_path / "blank.toml").read_text() == "mine"
    lettermill("template", "new", tmp_path / "blank.png", "--out", tmp_path / "other.toml")


def test_what_cannot_be_a_template(tmp_path: Path, lettermill: Command) -> None:
    shutil.copy(FORM / "blank.png", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    done = lettermill(
        "template", "new", tmp_path / "blank.png", "--out", tmp_path / "elsewhere" / "a.toml", status=2
    )
    assert "is not in the folder of" in done.stderr
    done = lettermill("template", "new", tmp_path / "gone.png", status=2)
    assert "gone.png' does not exist" in done.stderr
    done = lettermill("template", "new", FORM / "towns.txt", status=10)
    assert "cannot read the blank form" in done.stderr
    Image.new("L", (800, 600), 255).save(tmp_path / "white.png")
    done = lettermill("template", "new", tmp_path / "white.png", status=10)
    assert "too little is printed" in done.stderr
    shutil.copy(FORM.parent / "scans" / "register.jpg", tmp_path)
    done = lettermill("template", "new", tmp_path / "register.jpg", status=10)
    assert "no boxes and no combs were found" in done.stderr
    assert sorted(path.name for path in tmp_path.glob("*.toml")) == []


def test_what_cannot_be_edited(tmp_path: Path, lettermill: Command) -> None:
    shutil.copy(FORM / "blank.png", tmp_path)
    done = lettermill("template", "edit", tmp_path / "blank.png", "--no-browser", status=10)
    assert "is an image, not a template" in done.stderr
    done = lettermill("template", "edit", tmp_path / "gone.toml", "--no-browser", status=2)
    assert "gone.toml' does not exist" in done.stderr
    lettermill("template", "new", tmp_path / "blank.png")
    (tmp_path / "empty").mkdir()
    words = ("template", "edit", tmp_path / "blank.toml", "--no-browser", "--scans", tmp_path / "empty")
    done = lettermill(*words, status=3)
    assert "no scans" in done.stderr
