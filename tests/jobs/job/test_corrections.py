"""Corrections: appended by several at once, never lost, merged by collect."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lettermill.jobs.errors import NotAJob, ResultsNotWritable
from lettermill.jobs.export.formats import FORMATS, export_job
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.job.corrections import (
    CORRECTIONS_FILE,
    Correction,
    Corrections,
    Decision,
    FieldText,
    corrected,
    read_text,
)
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, PageReading
from lettermill.jobs.results.write import write_results
from lettermill.jobs.storage.disk import Disk
from tests.form_jobs import field, form_job

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def rows(job: Job, name: str) -> list[dict[str, str]]:
    with Path(f"{job.path}/{name}").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def lines(job: Job) -> list[bytes]:
    return Path(f"{job.path}/{CORRECTIONS_FILE}").read_bytes().splitlines(keepends=True)


@pytest.fixture
def job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    """A page with two lines of doubtful letters, and one that is sure."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "QU UX\nII", 0.6))
    job.results.write(reading_of(second, "SURE"))
    return job


@pytest.fixture
def say(job: Job) -> Callable[..., Correction]:
    """Make a decision about a letter of the first page."""

    def make(
        line: int, position: int, decision: Decision, corrected: str = "", by: str = "anna"
    ) -> Correction:
        reading = job.results.read(entries(job)[0].id)
        assert reading is not None
        letter = reading.lines[line - 1].letters[position - 1]
        return Correction(
            job.token, reading.page_id, line, position, letter.box, letter.letter, letter.confidence,
            decision, corrected, by, "2026-11-27T10:32:00+00:00",
        )  # fmt: skip

    return make


def test_collect_merges_what_people_decided(job: Job, say: Callable[..., Correction]) -> None:
    results = {path: path.read_bytes() for path in Path(f"{job.path}/pages").rglob("*.json")}
    Corrections(job).add(
        [
            (say(1, 1, Decision.CORRECTED, "O"), 0),
            (say(1, 2, Decision.RIGHT, "U"), 0),
            (say(1, 3, Decision.NO_LETTER), 0),
            (say(1, 4, Decision.WRONG, by="=bob"), 0),
        ]
    )
    summary = write_results(job)
    found = rows(job, "letters.csv")
    kept = ("letter", "confidence", "flagged", "decision", "corrected", "corrected_by")
    assert [tuple(row[name] for name in kept) for row in found[:5]] == [
        ("Q", "0.6000", "0", "corrected", "O", "anna"),
        ("U", "0.6000", "0", "right", "U", "anna"),
        ("U", "0.6000", "0", "no letter", "", "anna"),
        ("X", "0.6000", "1", "wrong", "", "'=bob"),
        ("I", "0.6000", "1", "", "", ""),
    ]
    first = rows(job, "lines.csv")[0]
    assert (first["text"], first["letters"], first["flagged_letters"]) == ("OU X", "3", "1")
    assert (first["mean_confidence"], first["min_confidence"]) == ("0.8667", "0.6000")
    page = rows(job, "pages.csv")[0]
    assert (page["text"], page["letters"], page["flagged_letters"]) == ("OU X\nII", "5", "3")
    assert Path(f"{job.path}/text/a.png.txt").read_text() == "OU X\nII\n"
    assert (summary.letters, summary.flagged_letters) == (9, 3)
    assert (summary.letter_counts["Q"], summary.letter_counts["O"]) == (0, 1)
    assert (summary.reviewed.letters, summary.reviewed.corrected, summary.reviewed.unused) == (3, 2, ())
    assert {path: path.read_bytes() for path in results} == results


def test_a_line_of_which_nothing_is_left(job: Job, say: Callable[..., Correction]) -> None:
    Corrections(job).add([(say(2, 1, Decision.NO_LETTER), 0), (say(2, 2, Decision.NO_LETTER), 0)])
    summary = write_results(job)
    assert (
        rows(job, "lines.csv")[1] | {"text": "", "letters": "0", "min_confidence": ""}
        == rows(job, "lines.csv")[1]
    )
    assert rows(job, "pages.csv")[0]["text"] == "QU UX"
    assert Path(f"{job.path}/text/a.png.txt").read_text() == "QU UX\n"
    assert [(one.line, one.position) for one in summary.doubtful][:4] == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_without_corrections_only_empty_columns_are_added(job: Job) -> None:
    write_results(job)
    content = Path(f"{job.path}/letters.csv").read_bytes()
    assert content.startswith(
        b"scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,third,"
        b"third_confidence,flagged,decision,corrected,corrected_by,by_ink,cell_row,cell\r\n"
        b"a.png,1,1,1,1,4,4,17,11,Q,0.6000,X,0.2000,Y,0.2000,1,,,,,,\r\n"
    )
    assert not Path(f"{job.path}/{CORRECTIONS_FILE}").exists()


def test_the_last_decision_counts_and_may_take_one_back(job: Job, say: Callable[..., Correction]) -> None:
    corrections = Corrections(job)
    first = say(1, 1, Decision.CORRECTED, "O")
    corrections.add([(first, 0)])
    corrections.add([(say(1, 1, Decision.OPEN), corrections.version(first.key))])
    assert list(Corrections(job)) == []
    write_results(job)
    assert rows(job, "letters.csv")[0]["decision"] == ""
    assert len(lines(job)) == 2


def test_whoever_decides_second_is_told_who_did_first(job: Job, say: Callable[..., Correction]) -> None:
    anna, bob = Corrections(job), Corrections(job)
    first = say(1, 1, Decision.CORRECTED, "O")
    anna.add([(first, 0)])
    other = say(1, 2, Decision.RIGHT, "U", "bob")
    new, before = bob.add([(say(1, 1, Decision.RIGHT, "Q", "bob"), 0), (other, 0)])
    assert before == [first]
    assert new == [first, other]
    assert Corrections(job).of(first.key) == first


def test_the_same_form_twice_is_one_decision(job: Job, say: Callable[..., Correction]) -> None:
    corrections = Corrections(job)
    for _ in range(2):
        assert corrections.add([(say(1, 1, Decision.RIGHT, "Q"), 0)])[1] == []
    assert len(lines(job)) == 1


def test_damaged_lines_are_told_and_the_others_count(job: Job, say: Callable[..., Correction]) -> None:
    Corrections(job).add(
        [(say(1, position, Decision.RIGHT, char), 0) for position, char in enumerate("QUU", 1)]
    )
    first, second, third = lines(job)
    edited = second.replace(b'"right"', b'"wrong"')
    path = Path(f"{job.path}/{CORRECTIONS_FILE}")
    path.write_bytes(first + edited + b"\xff{\n" + third[:50])
    found = Corrections(job)
    assert [one.position for one in found] == [1]
    assert write_results(job).reviewed.unused == (
        "corrections.jsonl: lines 2, 3, 4 damaged and not used; decide these letters again.",
    )
    found.add([(say(1, 4, Decision.RIGHT, "X"), 0)])
    assert [one.position for one in Corrections(job)] == [1, 4]
    assert path.read_bytes().startswith(first + edited + b"\xff{\n" + third[:50] + b"\n")


def test_a_file_of_another_job(job: Job, say: Callable[..., Correction]) -> None:
    Corrections(job).add([(msgspec.structs.replace(say(1, 1, Decision.NO_LETTER), job="0" * 12), 0)])
    summary = write_results(job)
    assert (summary.reviewed.letters, summary.letters) == (0, 10)
    assert "1 decision is of another job" in summary.reviewed.unused[0]
    written = json.loads(Path(f"{job.path}/summary.json").read_text())
    assert written["unused_corrections"] == list(summary.reviewed.unused)


def test_a_file_that_was_replaced_while_it_is_in_use(job: Job, say: Callable[..., Correction]) -> None:
    corrections = Corrections(job)
    corrections.add([(say(1, 1, Decision.RIGHT, "Q"), 0)])
    path = Path(f"{job.path}/{CORRECTIONS_FILE}")
    longer = path.with_name("longer")
    longer.write_bytes(path.read_bytes() * 3)
    longer.replace(path)
    with pytest.raises(NotAJob, match="was replaced, or deleted, while it was in use"):
        corrections.refresh()
    path.unlink()
    with pytest.raises(NotAJob, match="was replaced, or deleted, while it was in use"):
        corrections.add([(say(1, 2, Decision.RIGHT, "U"), 0)])
    assert path.read_bytes() == b""
    assert Corrections(job).add([(say(1, 2, Decision.RIGHT, "U"), 0)])[1] == []


@pytest.mark.parametrize("box", [Box(4, 4, 17, 12), None])
def test_a_letter_that_is_not_there_after_the_page_was_read_again(
    job: Job, say: Callable[..., Correction], box: Box | None
) -> None:
    gone = say(2, 2, Decision.CORRECTED, "L")
    Corrections(job).add(
        [(msgspec.structs.replace(gone, box=box) if box else msgspec.structs.replace(gone, line=3), 0)]
    )
    summary = write_results(job)
    assert (
        "1 decision is about letters or fields that are not among the results" in summary.reviewed.unused[0]
    )
    assert rows(job, "lines.csv")[1]["text"] == "II"
    assert len(lines(job)) == 1


WRITER = """
import sys
from pathlib import Path
from lettermill.jobs.job.corrections import Correction, Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box
job, who = Job.open(Path(sys.argv[1])), sys.argv[2]
corrections = Corrections(job)
page = next(job.manifest())[0].id
for position in range(1, 16):
    one = Correction(job.token, page, 1, position, Box(0, 0, 1, 1), "A", 0.5, Decision.RIGHT, "A", who, "now")
    corrections.add([(one, corrections.version(one.key))])
"""


def test_several_processes_append_at_once(job: Job) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(job.path), who]) for who in "abcd"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    found = Corrections(job)
    assert list(found.problems(0)) == []
    assert sorted(one.position for one in found) == list(range(1, 16))


def test_a_full_disk_takes_all_of_it_or_nothing(
    small_disk: Path, job: Job, say: Callable[..., Correction]
) -> None:

    there = dataclasses.replace(job, path=Disk(small_disk))
    corrections = Corrections(there)
    corrections.add([(say(1, 1, Decision.RIGHT, "Q"), 0)])
    (small_disk / "filler").write_bytes(b"x" * 1_000_000)
    with pytest.raises(OSError), (small_disk / "more").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    before = lines(there)
    # More than is left in the file's last block.
    many = [
        (say(1, 1, Decision.RIGHT, "Q", by="b" * 3000), corrections.version(say(1, 1, Decision.RIGHT).key))
    ]
    with pytest.raises(ResultsNotWritable, match="No space left"):
        corrections.add(many * 3)
    assert lines(there) == before
    (small_disk / "filler").unlink()
    assert corrections.add(many)[1] == []
    assert len(lines(there)) == 2


@pytest.fixture
def form(tmp_path: Path, scans: Path, model: Model) -> Job:
    """A form with a doubtful surname and nothing in the other fields, and an empty one."""
    return form_job(tmp_path, scans, model, (field("surname", "FENVICK", 0.6),), ())


def type_text(job: Job, page: int, name: str, text: str, decision: Decision | None = None) -> FieldText:
    """Append a decision about a field, of somebody who sees the last one; return it."""
    corrections, entry = Corrections(job), entries(job)[page]
    reading = job.results.read(entry.id)
    assert reading is not None
    read = read_text(reading, name)
    decision = decision or (Decision.RIGHT if text == read else Decision.CORRECTED)
    said = FieldText(job.token, entry.id, name, Box(20, 80, 160, 40), read, decision, text, "anna", "now")
    assert corrections.add([(said, corrections.version(said.key))])[1] == []
    return said


def test_what_was_typed_is_in_every_table_also_where_nothing_was_found(form: Job) -> None:
    type_text(form, 0, "surname", "FENWICK")
    type_text(form, 0, "number", "0042")
    type_text(form, 0, "town", "Marsh Keep")
    type_text(form, 1, "number", "12")
    summary = write_results(form)
    first, second = rows(form, "fields.csv")
    assert (first["surname"], first["number"], first["town"]) == ("FENWICK", "0042", "Marsh Keep")
    assert (first["surname_confidence"], first["number_confidence"]) == ("1.0000", "1.0000")
    assert (first["flagged"], first["look_at"]) == ("0", "")
    assert (second["number"], second["look_at"]) == ("12", "number")  # Four digits are required.
    assert [row["text"] for row in rows(form, "lines.csv")] == ["FENWICK", "0042", "Marsh Keep", "12"]
    found = [(row["letter"], row["decision"], row["corrected"]) for row in rows(form, "letters.csv")]
    assert found[2:5] == [("N", "right", "N"), ("V", "corrected", "W"), ("I", "right", "I")]
    assert len(found) == 7
    assert (summary.reviewed.fields, summary.reviewed.corrected_fields, summary.flagged_letters) == (4, 4, 0)
    jsonl = export_job(form, FORMATS["jsonl"], None).place
    assert "0042" in Path(str(jsonl)).read_text()


def test_more_letters_than_were_read_say_nothing_about_those_that_differ(form: Job) -> None:
    said = type_text(form, 0, "surname", "FENNWICK")
    reading = form.results.read(said.page)
    assert reading is not None
    letters = [(one.letter, one.decision, one.corrected) for one in said.letters(1, reading.lines[0])]
    assert letters[:3] == [(char, Decision.RIGHT, char) for char in "FEN"]
    assert letters[3] == ("V", Decision.CORRECTED, "")
    write_results(form)
    assert rows(form, "fields.csv")[0]["surname"] == "FENNWICK"


def test_an_entry_of_a_word_list_says_which_capitals_were_written(
    tmp_path: Path, scans: Path, model: Model
) -> None:
    job = form_job(tmp_path, scans, model, (field("town", "DARTUN", entry="Darton"),))
    said = type_text(job, 0, "town", "Darton")
    assert said.decision == Decision.RIGHT
    write_results(job)
    found = [(row["decision"], row["corrected"]) for row in rows(job, "letters.csv")]
    assert found == [("right", char) for char in "DART"] + [("corrected", "O"), ("right", "N")]
    assert rows(job, "fields.csv")[0]["town"] == "Darton"


def test_an_empty_field_and_one_that_was_taken_back(form: Job) -> None:
    type_text(form, 0, "surname", "")
    type_text(form, 0, "number", "0042")
    type_text(form, 0, "number", "", Decision.OPEN)
    summary = write_results(form)
    first = rows(form, "fields.csv")[0]
    assert (first["surname"], first["surname_confidence"]) == ("", "")
    assert (first["number"], first["look_at"]) == ("", "number")
    assert (summary.reviewed.fields, summary.letters) == (1, 0)


def test_a_field_that_reads_otherwise_now_is_kept_and_not_used(form: Job) -> None:
    said = type_text(form, 0, "surname", "FENWICK")
    reading = form.results.read(said.page)
    assert reading is not None
    form.results.write(msgspec.structs.replace(reading, lines=(field("surname", "FENVLCK", 0.6),)))
    summary = write_results(form)
    assert rows(form, "fields.csv")[0]["surname"] == "FENVLCK"
    assert "1 decision is about letters or fields" in summary.reviewed.unused[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.tuples(
            st.sampled_from(["surname", "number", "town"]),
            st.text("ABC 0ÜŠ'", max_size=8).map(lambda text: " ".join(text.split())),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_the_last_text_of_each_field_is_what_a_page_reads(
    form: Job, said: list[tuple[str, str, bool]]
) -> None:
    Path(f"{form.path}/{CORRECTIONS_FILE}").unlink(missing_ok=True)
    last: dict[str, str] = {}
    for name, text, is_open in said:
        type_text(form, 0, name, text, Decision.OPEN if is_open else None)
        last.pop(name, None)
        if not is_open:
            last[name] = text
    corrections = Corrections(form)
    reading = form.results.read(entries(form)[0].id)
    assert reading is not None
    now = corrected(reading, corrections.of_page(reading), corrections.fields_of_page(reading))
    wanted = {"surname": "FENVICK"} | last
    assert {line.field: line.text for line in now.lines if line.text} == {
        name: text for name, text in wanted.items() if text
    }
    assert {one.field: one.text for one in corrections.fields()} == last
