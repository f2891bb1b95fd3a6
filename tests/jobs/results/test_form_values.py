"""What a job's files say of a form's fields, before and after people decided about their letters."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import openpyxl
import pytest
from PIL import Image

from lettermill.jobs.commands.text import summary_text
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.inputs.form_template import read_template
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.corrections import Correction, Corrections, Decision, corrected
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.form_values import form_values
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.support import disk_roots

TEMPLATE = """blank = "blank.png"
[[fields]]
name = "town"
box = [10, 10, 100, 20]
lexicon = "towns.txt"
[[fields]]
name = "number"
box = [10, 40, 80, 20]
alphabet = '\\d{4}'
required = true
[[fields]]
name = "note"
box = [10, 70, 80, 20]
"""


def line(
    field: str, text: str, sure: Sequence[float], confidence: float, entry: str = "", flagged: bool = False
) -> LineReading:
    letters = tuple(
        Letter(Box(10 + 9 * at, 10, 8, 11), 1, ((char, one),), flagged or one < 0.9)
        for at, (char, one) in enumerate(zip(text, sure, strict=True))
    )
    return LineReading(Box(10, 10, 9 * len(text), 11), letters, entry, field, confidence)


TOWN = line("town", "DARTUN", (0.99, 0.99, 0.98, 0.8, 0.5, 0.99), 0.38, "Darton")
NUMBER = line("number", "0042", (0.99,) * 4, 0.96)
MISFIT = line("number", "1070", (0.99,) * 4, 0.0, flagged=True)


@pytest.fixture
def job(tmp_path: Path, scans: Path, model: Model) -> Job:
    """Five pages: filled as it should be, misfit, without the required field, no such form, not read yet."""
    folder = tmp_path / "form"
    folder.mkdir()
    Image.new("L", (200, 100), 255).save(folder / "blank.png")
    (folder / "towns.txt").write_text("Darton\nMarsh Keep\n")
    (folder / "form.toml").write_text(TEMPLATE)
    for number in range(5):
        Image.new("L", (200, 100), 255).save(scans / f"{number}.png")
    roots = disk_roots(scans, tmp_path / "out")
    template = read_template(folder / "form.toml")
    job = make_job(
        scans, tmp_path / "out", ReadingRecipe(Settings(alphabet="alnum"), model, template=template), roots
    ).job
    entries = [entry for entry, _ in job.manifest()]
    lines = [(TOWN, NUMBER), (MISFIT,), (line("note", "LATE", (0.95,) * 4, 0.8),)]
    for entry, of_page in zip(entries, lines, strict=False):
        job.results.write(
            PageReading(entry.id, entry.scan, 1, Status.DONE, lines=of_page, width=200, height=100)
        )
    other = PageReading(entries[3].id, "3.png", 1, Status.FAILED, ErrorCode.FORM_NOT_FOUND, "another form")
    job.results.write(other)
    return job


def fields(job: Job) -> dict[str, dict[str, str]]:
    with Path(f"{job.path}/fields.csv").open(encoding="utf-8", newline="") as file:
        return {row["scan"]: row for row in csv.DictReader(file, strict=True)}


def say(job: Job, line: int, position: int, decision: Decision, corrected: str = "") -> None:
    """Decide about a letter of the first page."""
    entry = next(entry for entry, _ in job.manifest())
    reading = job.results.read(entry.id)
    assert reading is not None
    letter = reading.lines[line - 1].letters[position - 1]
    one = Correction(
        job.token, entry.id, line, position, letter.box, letter.letter, letter.confidence,
        decision, corrected, "anna", "2026-11-27T10:32:00+00:00",
    )  # fmt: skip
    assert Corrections(job).add([(one, 0)]) == ([one], [])


def test_fields_before_a_review(job: Job) -> None:
    summary = write_results(job)
    found = fields(job)
    assert list(found) == ["0.png", "1.png", "2.png", "3.png"]  # No row for the page that is not read yet.
    assert (found["0.png"]["town"], found["0.png"]["town_confidence"]) == ("Darton", "0.3800")
    assert found["0.png"]["look_at"] == "town"
    assert found["1.png"]["look_at"] == "number"
    assert (found["2.png"]["look_at"], found["2.png"]["number_confidence"]) == ("number", "")
    assert (found["3.png"]["flagged"], found["3.png"]["look_at"]) == ("1", "")
    told = [(one.field, one.filled, one.look_at) for one in summary.fields]
    assert told == [("town", 1, 1), ("number", 2, 2), ("note", 1, 0)]
    assert "fields      4 filled, 3 to check: number 2, town 1" in summary_text(summary)
    unseen = "2 of 9 fields can be taken unseen; 3 need a look, 4 are empty"
    assert f"unseen      {unseen}" in summary_text(summary)
    report = (job.path / "summary.html").read_text(encoding="utf-8")
    assert f"{unseen}." in report
    assert "Check 3 fields" in report
    assert report.count("<th scope") == report.count("<th ")
    assert '<a href="fields.csv">fields.csv</a>: one row per page, one column per field' in report
    assert json.loads((job.path / "summary.json").read_text(encoding="utf-8"))["fields"][0] == {
        "field": "town", "filled": 1, "look_at": 1,
    }  # fmt: skip


def test_values_and_broken_rules(tmp_path: Path) -> None:
    """The columns at the end, and the rules that make a person look."""
    Image.new("L", (200, 100), 255).save(tmp_path / "blank.png")
    tables = [
        'name = "start"\nkind = "date"\norder = "DMY"\nbox = [10, 10, 80, 20]',
        'name = "end"\nkind = "date"\norder = "DMY"\nbox = [100, 10, 80, 20]',
        'name = "note"\nbox = [10, 40, 80, 20]',
        'name = "yes"\nkind = "tick"\nbox = [100, 40, 20, 20]',
    ]
    rules = 'blank = "blank.png"\nrules = ["end >= start"]\n'
    (tmp_path / "form.toml").write_text("\n".join([rules, *(f"[[fields]]\n{table}" for table in tables)]))
    template = read_template(tmp_path / "form.toml")

    def row(**texts: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        lines = tuple(line(name, text, [0.99] * len(text), 0.9) for name, text in texts.items())
        form = form_values(template, PageReading("a", "a.png", 1, Status.DONE, lines=lines))
        return form.meant, form.look_at

    assert row(start="1/2/2003", end="2/2/2003", yes="X") == (("2003-02-01", "2003-02-02", "1", ""), ())
    assert row(start="3/2/2003", end="2/2/2003") == (
        ("2003-02-03", "2003-02-02", "0", "end >= start"),
        ("start", "end"),
    )
    assert row(start="31/2/2003", note="A") == (
        ("", "", "0", "start is a day that does not exist"),
        ("start",),
    )
    failed = PageReading("a", "a.png", 1, Status.FAILED, ErrorCode.FORM_NOT_FOUND, "another form")
    assert form_values(template, failed).meant == ("", "", "", "")
    assert form_values(template, failed).flagged


def test_what_does_not_fit_its_field_stays_flagged_at_any_rate(job: Job) -> None:
    summary = write_results(job, Acceptance(0.5))
    assert summary.flagging.below == 0.5
    found = fields(job)
    assert found["1.png"]["look_at"] == "number"
    assert summary.flagged_letters == 4
    # Of 18 letters the 4 that do not fit, always; and those below 0.98, those below 0.99, all.
    assert [cost.flagged_letters for cost in summary.costs] == [10, 11, 18, 18]


def test_a_correction_counts_more_than_the_word_list(job: Job) -> None:
    say(job, 1, 5, Decision.CORRECTED, "A")
    say(job, 1, 4, Decision.RIGHT, "T")
    write_results(job)
    town = fields(job)["0.png"]
    assert town["town"] == "DARTAN"
    assert town["look_at"] == ""
    assert float(town["town_confidence"]) == pytest.approx(0.38 / 0.5 / 0.8, abs=2e-3)


def test_a_word_that_people_did_not_contradict_stays(job: Job) -> None:
    say(job, 1, 4, Decision.RIGHT, "T")
    write_results(job)
    town = fields(job)["0.png"]
    assert (town["town"], town["look_at"]) == ("Darton", "town")
    say(job, 1, 5, Decision.CORRECTED, "O")
    write_results(job)
    town = fields(job)["0.png"]
    assert (town["town"], town["look_at"]) == ("Darton", "")


@pytest.mark.parametrize(("first", "then"), [(0.9, 0.6), (0.95, 0.6), (0.7, 0.9)])
def test_a_field_is_as_sure_as_before_while_its_least_sure_letter_is_open(first: float, then: float) -> None:
    box = Box(1, 2, 3, 4)
    letters = tuple(Letter(box, 1, ((char, sure),), False) for char, sure in (("A", first), ("B", 0.9)))
    line = LineReading(box, letters, confidence=0.6)
    said = Correction(
        "job", "a", 1, 1, box, "A", 0.9, Decision.RIGHT, "A", "anna", "2026-11-27T10:32:00+00:00"
    )  # fmt: skip
    reading = PageReading("a", "a.png", 1, Status.DONE, lines=(line,))
    assert corrected(reading, {(1, 1): said}).lines[0].confidence == then


def test_a_field_of_which_every_letter_was_decided_is_sure(job: Job) -> None:
    for position in range(1, 7):
        say(job, 1, position, Decision.RIGHT, TOWN.letters[position - 1].letter)
    write_results(job)
    town = fields(job)["0.png"]
    assert (town["town"], town["town_confidence"], town["look_at"]) == ("DARTUN", "1.0000", "")


def test_a_required_field_that_people_emptied_is_to_look_at(job: Job) -> None:
    for position in range(1, 5):
        say(job, 2, position, Decision.NO_LETTER)
    write_results(job)
    page = fields(job)["0.png"]
    assert (page["number"], page["number_confidence"]) == ("", "")
    assert "number" in page["look_at"].split()


def test_excel_has_the_fields_first_with_their_leading_zeros(job: Job) -> None:
    export_job(job, FORMATS["xlsx"], None)
    write_results(job)
    book = openpyxl.load_workbook(job.path / "export" / "tables.xlsx")
    assert book.sheetnames == ["fields", "pages", "lines", "letters", "pictures"]
    sheet = [list(row) for row in book["fields"].iter_rows(values_only=True)]
    with Path(f"{job.path}/fields.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert sheet[0] == table[0]
    assert len(sheet) == len(table)
    assert sheet[1][5:9] == ["Darton", 0.38, "0042", 0.96]
    for row, cells in zip(sheet[1:], table[1:], strict=True):
        for cell, wanted in zip(row, cells, strict=True):
            same = float(wanted) == cell if isinstance(cell, int | float) else wanted == (cell or "")
            assert same, (cell, wanted)


def test_json_lines_name_the_fields(job: Job) -> None:
    export_job(job, FORMATS["jsonl"], None)
    pages = [
        msgspec.json.decode(one) for one in (job.path / "export" / "pages.jsonl").read_bytes().splitlines()
    ]
    lines = [(one["field"], one["text"], one["confidence"]) for one in pages[0]["lines"]]
    assert lines == [("town", "DARTUN", 0.38), ("number", "0042", 0.96)]
