"""Forms: the example by the commands that people use and by workers elsewhere, and the form of NIST.

The boxes of the form of NIST are emptied to make its blank; what was written there is read from scans of it.
"""

from __future__ import annotations

import csv
import io
import shutil
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from bench.pages import forms, kind_forms, nist_hsf
from bench.pages.write import default_hands
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.jobs.storage.bucket import Bucket
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form
from tests.object_store import object_store
from tests.support import ROOT, Command, Starter, draw, wait_for

FORM = ROOT / "examples" / "form"
DESK_SCANS = ("desk/flat.png", "desk/upside down.png")


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
    (job,) = out.glob("*-*")
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


def test_a_field_is_as_sure_as_its_least_letter() -> None:
    template = read_template(FORM / "form.toml")
    page = Image.fromarray(forms.blank())
    (box,) = (field.box for field in template.fields if field.name == "town")
    font = ImageFont.load_default(60)
    ImageDraw.Draw(page).text((box.x + 20, box.y + 8), "PELL", font=font, fill=0)
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    found = {}
    for knots in ((), ((-9.0, 0.0), (9.0, 0.0))):
        classifier.field_calibration = knots
        (line,), _ = Form(template, classifier).read(np.asarray(page), Settings(alphabet="alnum"))
        found[len(knots)] = line
    product = np.prod([letter.confidence for letter in found[0].letters])
    assert found[0].confidence == pytest.approx(float(product), abs=0.01)  # The fit is nearly 1.
    assert found[2].confidence == pytest.approx(0.5, abs=0.01)


def test_a_field_of_each_kind(tmp_path: Path) -> None:
    """Dates, amounts, codes and ticks that a font wrote, with their marks, are read as what they mean."""
    template = read_template(kind_forms.write_template(tmp_path))
    form = Form(template, Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"]))
    rng = np.random.default_rng(4)
    right = 0
    for hand in default_hands(None)[:1]:
        texts = kind_forms.texts(rng)
        page = kind_forms.filled({name: text for name, (text, _) in texts.items()}, hand, rng)
        lines, _ = form.read(page, Settings(alphabet="alnum"))
        found = form_values(template, PageReading("", "", 1, Status.DONE, lines=lines))
        for field, value in zip(template.fields, found.values, strict=True):
            is_right = value.checked.value == texts[field.name][1]
            right += is_right
            assert is_right or field.name in found.look_at, (field.name, value, texts[field.name])
    assert right >= 13  # Of 15.


def test_a_damaged_copy_of_the_template(tmp_path: Path, lettermill: Command) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(FORM / "scans" / "desk" / "flat.png", scans)
    out = tmp_path / "out"
    lettermill("run", scans, "--out", out, "--template", FORM / "form.toml")
    (job,) = out.glob("*-*")
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
        ("--context", "names"),
    ],
)
def test_options_that_the_fields_state_themselves(
    tmp_path: Path, lettermill: Command, option: str, value: object
) -> None:
    words = ("run", FORM / "scans", "--out", tmp_path / "out", "--template", FORM / "form.toml")
    done = lettermill(*words, option, value, status=2)
    assert f"{option} cannot be used with --template" in done.stderr


def test_a_second_template_does_not_replace_the_first(tmp_path: Path, lettermill: Command) -> None:
    words = ("run", FORM / "scans", "--out", tmp_path / "out", "--template", FORM / "form.toml")
    done = lettermill(*words, "--template", FORM / "other.toml", status=2)
    assert "--template was given 2 times" in done.stderr
    assert not (tmp_path / "out").exists()


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


def test_the_form_of_nist(data: Path, tmp_path: Path) -> None:
    page = nist_hsf.read_page(data)
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    form = Form(read_template(nist_hsf.write_template(page, tmp_path)), classifier)
    edits = 0
    for scan in nist_hsf.scans(page):
        lines, _ = form.read(scan, Settings(alphabet="alnum"))
        read = {line.field: line for line in lines}
        for name in nist_hsf.WRITTEN.keys() - {"capitals"}:
            written = nist_hsf.WRITTEN[name]
            edits += Levenshtein.distance(read[name].text if name in read else "", written)
        # A Y and a Z that lie on rules, a crossed Q, and a C beside the box: read wrongly, and seen to be so.
        capitals = read["capitals"]
        assert Levenshtein.distance(capitals.text, nist_hsf.CAPITALS) <= 9
        assert any(letter.flagged for letter in capitals.letters)
    assert edits < 0.03 * 4 * sum(map(len, nist_hsf.NUMBERS))  # None of 520 when this was written.


def rows_of(table: str) -> dict[str, dict[str, str]]:
    return {row["scan"]: row for row in csv.DictReader(io.StringIO(table, newline=""), strict=True)}


def values(table: str) -> dict[str, dict[str, str]]:
    """What stands in the fields of each scan."""
    names = rows_of((FORM / "truth.csv").read_text(encoding="utf-8"))[DESK_SCANS[0]]
    return {
        scan: {name: row[name] for name in names if name != "scan"} for scan, row in rows_of(table).items()
    }


def truth_of(*scans: str) -> dict[str, dict[str, str]]:
    return {scan: values((FORM / "truth.csv").read_text(encoding="utf-8"))[scan] for scan in scans}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A copy of the example's template, which may go."""
    folder = tmp_path / "template"
    folder.mkdir()
    for name in ("form.toml", "blank.png", "towns.txt"):
        shutil.copy(FORM / name, folder)
    return folder / "form.toml"


@pytest.fixture
def worker(start: Starter, broker: str) -> Callable[..., object]:
    def begin(scans: object, results: object) -> object:
        words = ("worker", "--broker", broker, "--scans", scans, "--results", results)
        return start(*words, "--concurrency", 1)

    return begin


def test_a_submitted_form(
    lettermill: Command, worker: Callable, broker: str, template: Path, tmp_path: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(FORM / "scans" / "desk", scans / "desk")
    (scans / "desk" / "askew.jpg").unlink()
    out.mkdir()
    words = ("submit", scans, "--out", out, "--broker", broker, "--template", template)
    job = Path(lettermill(*words).stdout.strip())
    shutil.rmtree(template.parent)  # Workers need what lies in the job folder, and nothing else.
    partly = lettermill("collect", job, status=1)
    assert "unfinished  2 pages" in partly.stdout
    assert (job / "fields.csv").read_text(encoding="utf-8").count("\n") == 1
    early = lettermill("export", job, "--format", "jsonl", status=0)
    assert "left out: 2 pages not read yet" in early.stderr
    worker(scans, out)
    lettermill("wait", job, "--timeout", "200")
    lettermill("collect", job)
    assert values((job / "fields.csv").read_text(encoding="utf-8")) == truth_of(*DESK_SCANS)


def test_a_form_in_an_object_store(
    lettermill: Command, worker: Callable, broker: str, template: Path
) -> None:
    with object_store():
        name = f"tests-{uuid.uuid4().hex}"
        boto3.session.Session().client("s3").create_bucket(Bucket=name)
        top = Bucket(name, "")
        (top / "scans" / "desk" / "flat.png").write((FORM / "scans" / "desk" / "flat.png").read_bytes())
        words = ("submit", top / "scans", "--out", top / "out", "--broker", broker, "--template", template)
        job = lettermill(*words).stdout.strip()
        shutil.rmtree(template.parent)
        worker(top / "scans", top / "out")
        lettermill("wait", job, "--timeout", "200")
        lettermill("collect", job)
        (place,) = (top / "out").folders_with("job.json")
        assert values(place.read("fields.csv").decode()) == truth_of("desk/flat.png")


def test_forms_in_a_watched_folder(
    start: Starter, worker: Callable, broker: str, template: Path, tmp_path: Path
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    for folder in (inbox / "desk", out):
        folder.mkdir(parents=True)
    shutil.copy(FORM / "scans" / "desk" / "flat.png", inbox / "desk")
    draw(inbox / "letter.png", ["NO FORM AT ALL"])
    worker(inbox, out)
    words = ("watch", inbox, "--out", out, "--settle", 1, "--done", tmp_path / "done")
    watch = start(*words, "--broker", broker, "--template", template)
    reason = out / "failed" / "letter.png.txt"
    wait_for(lambda: reason.exists() and (tmp_path / "done/desk/flat.png").exists(), 200, "the batch")
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(60) == 130
    assert "FORM_NOT_FOUND" in reason.read_text(encoding="utf-8")
    tables = [rows_of(path.read_text(encoding="utf-8")) for path in out.glob("inbox-*/fields.csv")]
    assert sum(map(len, tables)) == 2
    found = {scan: row for table in tables for scan, row in table.items()}
    assert (found["letter.png"]["status"], found["letter.png"]["flagged"]) == ("FAILED", "1")
    read = {name: found["desk/flat.png"][name] for name in truth_of("desk/flat.png")["desk/flat.png"]}
    assert read == truth_of("desk/flat.png")["desk/flat.png"]
