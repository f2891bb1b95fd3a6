"""The example form, read by the commands that people use."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.pages import forms
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form
from tests.support import ROOT, Command

FORM = ROOT / "examples" / "form"


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["scan"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, str]]:
    return rows(FORM / "truth.csv")


def test_the_example_forms(tmp_path: Path, lettermill: Command, truth: dict[str, dict[str, str]]) -> None:
    scans = tmp_path / "scans"
    shutil.copytree(FORM / "scans", scans)
    template = tmp_path / "template"
    template.mkdir()
    for name in ("form.toml", "blank.png", "towns.txt"):
        shutil.copy(FORM / name, template / name)
    other, _ = forms.distorted(forms.other_form(np.random.default_rng(3)), np.random.default_rng(3))
    Image.fromarray(other).save(scans / "other.png")
    Image.fromarray(forms.blank()).save(scans / "unfilled.png")
    out = tmp_path / "out"
    words = ("run", scans, "--out", out, "--template", template / "form.toml")
    lettermill(*words, status=1)
    (job,) = out.iterdir()
    found = rows(job / "fields.csv")
    assert set(found) == {*truth, "other.png", "unfilled.png"}
    names = [name for name in next(iter(truth.values())) if name != "scan"]

    wrong = [(scan, name) for scan in truth for name in names if found[scan][name] != truth[scan][name]]
    assert len(wrong) <= 2
    for scan, name in wrong:
        assert name in found[scan]["look_at"].split()

    lamp = found["photographs/lamp.jpg"]
    assert (lamp["card"], lamp["card_confidence"]) == ("", "")
    assert "card" in lamp["look_at"].split()
    assert lamp["flagged"] == "1"

    assert (found["other.png"]["status"], found["other.png"]["flagged"]) == ("FAILED", "1")
    assert all(not found["other.png"][name] for name in names)
    page = rows(job / "pages.csv")["other.png"]
    assert page["error_code"] == "FORM_NOT_FOUND"
    assert "not the form of the template" in page["error"]

    unfilled = found["unfilled.png"]
    assert (unfilled["status"], unfilled["look_at"]) == ("EMPTY", "surname card")
    assert rows(job / "pages.csv")["desk/upside down.png"]["quality"] == "TURNED"

    # Letters stand where they were written, on the scan as it lies.
    written = np.asarray(Image.open(scans / "desk" / "upside down.png").convert("L"))
    with (job / "letters.csv").open(newline="", encoding="utf-8") as file:
        boxes = [row for row in csv.DictReader(file) if row["scan"] == "desk/upside down.png"]
    assert boxes
    for row in boxes:
        x, y, width, height = (int(row[side]) for side in ("x", "y", "width", "height"))
        assert written[y : y + height, x : x + width].min() < 120
        assert 20 < height < 70

    # The job keeps what it reads with.
    shutil.rmtree(template)
    (scans / "other.png").unlink()
    reading = Job.open(job).template
    assert reading is not None
    before = (job / "fields.csv").read_bytes()
    lettermill("resume", job, "--failed", status=1)
    changed = (job / "fields.csv").read_bytes()
    assert changed == before
    assert rows(job / "pages.csv")["other.png"]["error_code"] == "SCAN_GONE"


def test_gaps_part_words_but_not_what_a_pattern_says() -> None:
    template = read_template(FORM / "form.toml")
    page = Image.fromarray(forms.blank())
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(60)
    for name, text in (("town", "PELL   GREEN"), ("shelf", "K   27")):
        (box,) = (field.box for field in template.fields if field.name == name)
        pen.text((box.x + 20, box.y + 8), text, font=font, fill=0)
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    lines, _ = Form(template, classifier).read(np.asarray(page), Settings(alphabet="alnum"))
    assert {line.field: line.text for line in lines} == {"town": "PELL GREEN", "shelf": "K27"}


def test_a_damaged_copy_of_the_template(tmp_path: Path, lettermill: Command) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(FORM / "scans" / "desk" / "flat.png", scans)
    out = tmp_path / "out"
    lettermill("run", scans, "--out", out, "--template", FORM / "form.toml")
    (job,) = out.iterdir()
    (job / "template" / "towns.txt").write_text("ELSEWHERE\n")
    done = lettermill("collect", job, status=10)
    assert "not the one that the job was made with" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--alphabet", "digits"),
        ("--layout", "page"),
        ("--printed", "keep"),
        ("--lexicon", "names.txt"),
    ],
)
def test_options_that_the_fields_state_themselves(
    tmp_path: Path, lettermill: Command, option: str, value: object
) -> None:
    words = ("run", FORM / "scans", "--out", tmp_path / "out", "--template", FORM / "form.toml")
    done = lettermill(*words, option, value, status=2)
    assert f"{option} cannot be used with --template" in done.stderr


def test_a_template_that_cannot_be_used(tmp_path: Path, lettermill: Command) -> None:
    (tmp_path / "form.toml").write_text('blank = "blank.png"\n[[fields]]\nname = "a"\nbox = [0, 0, 9, 9]\n')
    done = lettermill("run", FORM / "scans", "--out", "out", "--template", tmp_path / "form.toml", status=10)
    assert "form.toml, line 1: cannot read the blank form blank.png" in done.stderr
    assert not (tmp_path / "out").exists()


def test_pages_read_before_there_were_fields() -> None:
    import msgspec

    old = b"""{"page_id": "a", "scan": "a.png", "page": 1, "status": "DONE",
        "lines": [{"box": [1, 2, 3, 4], "letters": [[[1, 2, 3, 4], 1, [["A", 0.9]], false]]}]}"""
    (line,) = msgspec.json.decode(old, type=PageReading).lines
    assert (line.text, line.field, line.confidence) == ("A", "", None)


def test_towns_come_from_their_list(truth: dict[str, dict[str, str]]) -> None:
    towns = {plain(line) for line in (FORM / "towns.txt").read_text().splitlines()}
    assert {plain(row["town"]) for row in truth.values()} <= towns
