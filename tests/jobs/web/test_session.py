"""Who sees which letters, and what becomes of decisions: real processes, real HTTP."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lettermill.jobs.inputs.model import Model
from lettermill.jobs.job.corrections import Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.web.session import Answer, FieldAnswer, Session
from tests.form_jobs import field, form_job
from tests.review_browser import Browser, decisions, entries, held
from tests.support import wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_a_tab_gets_the_same_letters_again_and_another_tab_others(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png")
    job.results.write(reading_of(entries(job)[0], "V" * 60, 0.6))
    browser = Browser(reviewing(job))
    other = browser.tab()
    first = set(browser.look(browser.open("/1/sheet/V")))
    assert len(first) == 40
    assert set(browser.look(browser.open("/1/sheet/V"))) == first
    second = set(browser.look(browser.open(f"{other}sheet/V")))
    assert len(second) == 20 and not first & second
    browser.open("/1/sheet/V", sorted(first))  # type: ignore[arg-type]
    browser.open(f"{other}sheet/V", sorted(second))  # type: ignore[arg-type]
    assert decisions(job) == [("V", "right", "V")] * 60


def test_sheets_with_disputed_letters_come_before_others(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    reading = reading_of(entry, "VVVVVV\nWWWWW", 0.6)
    first, second = reading.lines
    disputed = tuple(
        msgspec.structs.replace(one, disputed=number < 2) for number, one in enumerate(second.letters)
    )
    lines = (first, msgspec.structs.replace(second, letters=disputed))
    job.results.write(msgspec.structs.replace(reading, lines=lines))
    session = Session(job, "anna")
    tab = session.new_tab()
    assert session.next_sheet(tab) == "W"
    letters = session.sheet(tab, "W")
    assert [one.letter.disputed for one in letters] == [True, True, False, False, False]
    answers = [Answer(one.number, one.seen, Decision.RIGHT, "W") for one in letters]
    for one in letters:
        session.picture(one.number)
    session.decide(tab, answers[:1], "W")
    assert session.sheet_after(tab, "W", answers[:1]) == "W"
    session.decide(tab, answers[1:2], "W")
    # Nothing is disputed any more: the character continues.
    assert session.sheet_after(tab, "W", answers[1:2]) == "W"
    session.sheet(tab, "W")
    session.decide(tab, answers[2:], "W")
    assert session.sheet_after(tab, "W", answers[2:]) == "V"


def test_two_reviewers_with_one_letter(job: Job, reviewing: Callable[..., str]) -> None:
    anna, bob = (Browser(reviewing(job, "--name", name)) for name in ("anna", "bob"))
    theirs = anna.look(anna.open("/1/sheet/V"))
    (hers,) = held(job)
    hers.unlink()  # As after ten minutes, or where the shared folder shows it late.
    his = bob.look(bob.open("/1/sheet/V"))
    assert theirs == his
    anna.open("/1/sheet/V", [*theirs[:3], ("wrong", 0)])
    page = bob.open("/1/sheet/V", his)
    assert "anna said" in page and "that it is not V. That decision counts; yours is not saved." in page
    assert "2 letters had been decided before you in the same way." in page
    assert Corrections(job).of((entries(job)[0].id, 1, 1)).decision == Decision.WRONG  # type: ignore[union-attr]
    assert [one.by for one in sorted(Corrections(job), key=lambda one: one.key)] == ["anna"] * 3 + ["bob"] * 5


def test_a_disk_that_is_full(job: Job, reviewing: Callable[..., str], small_disk: Path) -> None:
    """Nothing is half saved, the page says what to do, and the same form goes through afterwards."""
    there = small_disk / "job"
    shutil.copytree(f"{job.path}", there)
    moved = Job.open(Disk(there))
    browser = Browser(reviewing(moved))
    form = browser.look(browser.open("/1/sheet/V"))
    with pytest.raises(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.open("/1/sheet/V", form)
    page = caught.value.read().decode()
    caught.value.close()
    assert "No space left" in page and "None of these decisions is saved" in page
    assert decisions(moved) == []
    (small_disk / "filler").unlink()
    browser.open("/1/sheet/V", form)
    assert decisions(moved) == [("V", "right", "V")] * 8


def test_what_had_no_picture_is_not_accepted(job: Job, scans: Path, reviewing: Callable[..., str]) -> None:
    browser = Browser(reviewing(job))
    (scans / "a.png").rename(scans / "elsewhere")
    form = browser.look(browser.open("/1/sheet/V"))
    page = browser.open("/1/sheet/V", form)
    assert "8 letters had no picture and stay open" in page
    assert "the file is not there: put it back" in browser.open("/1/letter/0")
    assert decisions(job) == []
    (scans / "elsewhere").rename(scans / "a.png")
    browser.open("/1/sheet/V", browser.look(browser.open("/1/sheet/V")))
    assert decisions(job) == [("V", "right", "V")] * 8


def test_a_job_that_is_still_being_read(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", "b.png")
    browser = Browser(reviewing(job))
    assert "0 of 2 pages have a result so far" in browser.open("/1/")
    for entry in entries(job):
        job.results.write(reading_of(entry, "VVVV", 0.6))
    wait_for(lambda: "have a result so far" not in browser.open("/1/"), what="the new pages")
    assert len(browser.look(browser.open("/1/sheet/V"))) == 8


def test_corrections_that_are_not_used_are_told(job: Job, reviewing: Callable[..., str]) -> None:
    Path(f"{job.path}/corrections.jsonl").write_bytes(b'{"check":"","correction":{}}\n')
    page = Browser(reviewing(job)).open("/1/")
    assert "corrections.jsonl: line 1 damaged and not used" in page


def test_two_reviewers_with_one_form(tmp_path: Path, scans: Path, model: Model) -> None:
    lines = (field("surname", "FENVICK", 0.6),)
    job = form_job(tmp_path, scans, model, lines, lines)
    anna, bob = Session(job, "anna"), Session(job, "bob")
    hers, his, another = anna.new_tab(), bob.new_tab(), anna.new_tab()
    first = anna.form(hers)
    assert first and first.number == 0
    second = bob.form(his)
    assert second and second.number == 1  # She has the other.
    assert anna.form(another) is None
    assert bob.fields and anna.fields
    for session in (anna, bob):
        assert session.fields
        session.field_picture(session.fields, 0, "surname")
    seen = first.fields[0].seen
    anna.decide_fields(hers, 0, [FieldAnswer("surname", seen, " fenwick\t")])
    bob.decide_fields(his, 0, [FieldAnswer("surname", seen, "FENNICK")])
    assert his.notes == [his.notes[0]] and "anna said" in his.notes[0] and "“FENWICK”" in his.notes[0]
    assert [(one.text, one.by) for one in Corrections(job).fields()] == [("FENWICK", "anna")]
    assert bob.undo(his) is False
    assert anna.undo(hers)
    assert list(Corrections(job).fields()) == [] and hers.form == 0


def test_an_earlier_text_comes_back_step_by_step(tmp_path: Path, scans: Path, model: Model) -> None:
    job = form_job(tmp_path, scans, model, (field("surname", "FENVICK", 0.6),))
    session = Session(job, "anna")
    tab = session.new_tab()
    assert session.fields
    session.field_picture(session.fields, 0, "surname")
    for text in ("FENWICK", "FENWYCK"):
        form = session.form(tab, 0)
        assert form
        seen = {one.read.name: one.seen for one in form.fields}
        session.decide_fields(tab, 0, [FieldAnswer("surname", seen["surname"], text)])
    assert session.progress().doubtful == 0
    assert session.undo(tab)
    assert [one.text for one in Corrections(job).fields()] == ["FENWICK"]
    assert session.undo(tab)
    assert list(Corrections(job).fields()) == []
    assert session.progress().doubtful == 7 and tab.notes == []
