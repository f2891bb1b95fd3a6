"""Which fields of a job are to be looked at, in which order, and what decisions change."""

from __future__ import annotations

from pathlib import Path

from lettermill.jobs.inputs.model import Model
from lettermill.jobs.job.corrections import Corrections, Decision, FieldText
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.web.field_table import FieldProgress, FieldTable
from tests.form_jobs import HEIGHT, WIDTH, field, form_job


def table_of(job: Job, acceptance: Acceptance | None = None) -> FieldTable:
    assert job.template is not None
    return FieldTable(job, job.template, acceptance)


def test_doubtful_and_required_fields_come_first_each_with_its_reason(
    tmp_path: Path, scans: Path, model: Model
) -> None:
    first = field("surname", "FENVICK"), field("town", "DARTUN", entry="Darton")
    second = field("surname", "FENVICK", 0.6), field("number", "0042")
    table = table_of(form_job(tmp_path, scans, model, first, second, (field("number", "0042"),)))
    assert list(table.forms_to_look_at()) == [0, 1]
    assert [(one.name, one.text, one.doubt) for one in table.fields(0)] == [
        ("number", "", "empty, but required"),
        ("town", "Darton", "the word list changed the letters"),
        ("surname", "FENVICK", ""),
    ]
    assert [(one.name, one.doubt) for one in table.fields(1)] == [
        ("surname", "letters doubtful"),
        ("number", ""),
        ("town", ""),
    ]
    assert table.progress() == FieldProgress(fields=9, to_look_at=3, forms=2, decided=0, corrected=0)


def test_a_decision_takes_its_field_from_the_list_and_says_what_its_letters_are(
    tmp_path: Path, scans: Path, model: Model
) -> None:
    job = form_job(tmp_path, scans, model, (field("surname", "FENVICK", 0.6), field("number", "0042")))
    table, page = table_of(job), next(job.manifest())[0].id

    def said(read: str, decision: Decision, text: str = "") -> FieldText:
        return FieldText(job.token, page, "surname", Box(0, 0, 1, 1), read, decision, text, "anna", "now")

    assert table.note(said("SMITH", Decision.CORRECTED, "SMYTH")) is None
    letters = table.note(said("FENVICK", Decision.CORRECTED, "FENWICK"))
    assert letters and [one.corrected for one in letters] == list("FENWICK")
    assert list(table.forms_to_look_at()) == []
    assert table.progress() == FieldProgress(fields=3, to_look_at=0, forms=0, decided=1, corrected=1)
    assert table.note(said("FENVICK", Decision.OPEN))
    assert list(table.forms_to_look_at()) == [0]
    assert list(Corrections(job).fields()) == []


def test_where_a_field_is(tmp_path: Path, scans: Path, model: Model) -> None:
    full = field("surname", "FENVICK"), field("number", "0042")
    table = table_of(form_job(tmp_path, scans, model, full, (), (field("surname", "FENVICK"),)))
    town = table.place(0, "town").box
    assert abs(town.x - 20) < 15 and abs(town.y - 140) < 15
    assert table.place(1, "town").box == Box(0, 0, WIDTH, HEIGHT)
    assert table.place(2, "surname").box == Box(30, 30, 260, 20)
    assert table.place(2, "town").box == Box(0, 0, WIDTH, HEIGHT)
