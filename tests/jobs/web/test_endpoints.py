"""The addresses of the review: sheets, single letters, undo, nonsense."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from lettermill.jobs.inputs.model import Model
from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import Settings
from tests.form_jobs import field, form_job
from tests.review_browser import COMMON, Browser, decisions, entries
from tests.support import Command

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_a_sheet_then_the_wrong_one_by_itself_then_undo(
    job: Job, reviewing: Callable[..., str], lettermill: Command
) -> None:
    browser = Browser(reviewing(job, "--name", "anna"))
    page = browser.open("/1/sheet/V")
    form = browser.look(page)
    assert len(form) == len(COMMON)
    wrong = str(form[2][1]).split("-")[0]
    browser.open("/1/sheet/V", [*form, ("wrong", wrong)])
    assert decisions(job) == [("V", "right", "V")] * 7 + [("V", "wrong", "")]
    page = browser.open("/1/letter")
    assert "This is not" in page
    form = browser.look(page)
    assert str(form[0][1]).split("-")[0] == wrong
    for kind in ("line", "page"):
        assert browser.open(f"/picture/{kind}/{wrong}")[1:4] == "PNG"
    browser.open("/1/letter", [*form, ("choice", "typed"), ("typed", "u")])
    assert decisions(job) == [("V", "corrected", "U")] + [("V", "right", "V")] * 7
    # The Q has too few of its kind for a sheet.
    form = browser.look(browser.open("/1/letter"))
    browser.open("/1/letter", [*form, ("choice", "none")])
    assert ("Q", "no letter", "") in decisions(job)
    assert {one.by for one in Corrections(job)} == {"anna"}
    browser.open("/1/undo", [])
    assert browser.url.startswith("/1/letter/")
    browser.open("/1/undo", [])
    assert decisions(job) == [("V", "right", "V")] * 7 + [("V", "wrong", "")]
    browser.open("/1/undo", [])
    assert browser.url == "/1/sheet/V"
    assert decisions(job) == []
    assert "nothing to undo" in browser.open("/1/undo", [])


def test_the_pages_say_how_many_letters_are_disputed(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", settings=Settings(layout="line"))
    (entry,) = entries(job)
    reading = reading_of(entry, "VVVVV", 0.6)
    *others, last = reading.lines[0].letters
    letters = (*others, msgspec.structs.replace(last, disputed=True))
    line = msgspec.structs.replace(reading.lines[0], letters=letters)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    browser = Browser(reviewing(job))
    page = browser.open("/1/")
    assert "The two readers disagree on 1 of the 5 doubtful letters" in page
    assert "<strong>1</strong> field with doubtful letters" in page
    sheet = browser.open("/1/sheet/V")
    assert "The 1 on which the two readers disagree come first, then the least certain." in sheet
    assert str(browser.look(sheet)[0][1]).split("-")[0] == "4"


def test_what_the_ink_alone_gives_is_shown(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    reading = reading_of(entry, "MARIE", 0.6)
    inks = ("H", "", None, None, None)
    letters = tuple(
        msgspec.structs.replace(letter, by_ink=ink)
        for letter, ink in zip(reading.lines[0].letters, inks, strict=True)
    )
    line = msgspec.structs.replace(reading.lines[0], letters=letters)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    browser = Browser(reviewing(job))
    first, second, third = (browser.open(f"/1/letter/{number}") for number in range(3))
    assert 'the ink alone gives <span class="char">H</span>' in first
    assert "the ink alone gives no letter" in second
    assert "the ink alone" not in third


def test_sheet_after_sheet_then_single_letters(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "VVVVVV\nWWWWW\nQ", 0.6))
    job.results.write(reading_of(second, "VVSURE"))
    browser = Browser(reviewing(job))
    assert "sheet by sheet" in browser.open("/1/")
    page = browser.open("/1/sheet")
    assert browser.url == "/1/sheet/V"
    form = browser.look(page)
    assert len(form) == 8
    page = browser.open("/1/sheet/V", form)
    assert browser.url == "/1/sheet/W"
    page = browser.open("/1/sheet/W", browser.look(page))
    assert browser.url == "/1/letter"
    page = browser.open("/1/letter", [*browser.look(page), ("choice", "is:Q")])
    assert browser.url == "/1/"
    assert "No doubtful letters are left. To finish" in page
    # Who wants sure letters stays with their character.
    browser.open("/1/sheet/S", browser.look(browser.open("/1/sheet/S")))
    assert "All letters read as S are decided." in browser.open("/1/sheet/S")


def test_nonsense_is_refused_and_changes_nothing(job: Job, reviewing: Callable[..., str]) -> None:
    browser = Browser(reviewing(job))
    assert browser.refused("/7/") == 404
    assert browser.refused("/1/sheet/7") == 404
    assert browser.refused("/1/letter/99") == 404
    assert browser.refused("/picture/letter/99") == 404
    assert browser.refused("/picture/what/0") == 404
    assert browser.refused("/static/../server.py") == 404
    for words in ("", "x", "0", "0-x", "99-0", "0-0-0"):
        assert browser.refused("/1/sheet/V", [("letter", words)]) == 400
    assert browser.refused("/1/sheet/V", [("letter", "0-0")] * 10_000) == 413
    browser.look(browser.open("/1/letter/0"))
    page = browser.open("/1/letter", [("letter", "0-0"), ("choice", "typed"), ("typed", "?")])
    assert "Type one of the characters" in page
    assert decisions(job) == []


def field_form(browser: Browser, page: str, accept: str, **texts: str) -> list[tuple[str, object]]:
    """Load the pictures of a form's fields; its form with some texts typed and one field accepted."""
    for picture in re.findall(r'src="(/picture/(?:field|form)/[^"]+)"', page):
        assert browser.open(picture)[1:4] == "PNG"
    fields = dict(re.findall(r'name="((?:text|shown|seen):\w+)"[^>]* value="([^"]*)"', page))
    fields |= {f"text:{name}": text for name, text in texts.items()}
    return [*fields.items(), ("accept", accept)]


def texts(job: Job) -> dict[str, tuple[str, str]]:
    return {one.field: (one.decision.value, one.text) for one in Corrections(job).fields()}


def test_a_form_field_by_field_then_undo(
    tmp_path: Path, scans: Path, model: Model, reviewing: Callable[..., str], lettermill: Command
) -> None:
    job = form_job(tmp_path, scans, model, (field("surname", "FENVICK", 0.6),), (field("number", "7123"),))
    browser = Browser(reviewing(job, "--name", "anna"))
    assert browser.url == "/1/form"
    page = browser.open("/1/form")
    assert "2 fields to look at" in page and "empty, but required" in page and "letters doubtful" in page
    # What was changed beside the accepted field is saved, too; what was not is not.
    page = browser.open("/1/form/0", field_form(browser, page, "surname", surname="fenwick", town="Darton"))
    assert texts(job) == {"surname": ("corrected", "FENWICK"), "town": ("corrected", "Darton")}
    assert browser.url == "/1/form/0" and "1 field to look at" in page and "decided by anna" in page
    page = browser.open("/1/form/0", field_form(browser, page, "number", number="0042"))
    assert texts(job)["number"] == ("corrected", "0042")
    assert browser.url == "/1/" and "No fields are left to look at." in page
    assert "No doubtful letters are left" in page  # Those of the field are decided with it.
    browser.open("/1/undo", [])
    assert browser.url == "/1/form/0"
    browser.open("/1/undo", [])
    assert texts(job) == {}
    assert "2 fields to look at" in browser.open("/1/form")
    page = browser.open("/1/form/0", field_form(browser, browser.open("/1/form"), "*all"))
    assert texts(job) == {"surname": ("right", "FENVICK"), "number": ("right", ""), "town": ("right", "")}
    browser.open("/1/undo", [])
    browser.open("/1/form/0", field_form(browser, browser.open("/1/form"), "*skip"))
    assert texts(job) == {}
    assert "skipped here" in browser.open("/1/form")


def test_nonsense_about_fields_is_refused(
    tmp_path: Path, scans: Path, model: Model, job: Job, reviewing: Callable[..., str]
) -> None:
    letters = Browser(reviewing(job))
    assert letters.url == "/1/" and letters.refused("/1/form") == 404
    assert letters.refused("/picture/field/0/surname") == 404
    form = form_job(tmp_path / "forms", tmp_path / "cards", model, (field("surname", "FENVICK", 0.6),))
    browser = Browser(reviewing(form))
    assert browser.refused("/1/form/1") == 404
    for path in ("/picture/field/0/forename", "/picture/field/9/surname"):
        assert browser.refused(path) == 404
    assert browser.refused("/1/form/0", [("accept", "surname")]) == 400
    assert browser.refused("/1/form/0", [("accept", "surname"), ("seen:surname", "x")]) == 400
    long = [("accept", "surname"), ("seen:surname", "0"), ("text:surname", "A" * 301)]
    assert browser.refused("/1/form/0", long) == 400
    # Nobody has seen its picture.
    page = browser.open("/1/form/0", [("accept", "surname"), ("seen:surname", "0"), ("text:surname", "A")])
    assert "1 field had no picture and stays open." in page
    assert texts(form) == {}


def test_no_letter_on_a_sheet_and_pages_that_are_skipped(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "VVVVV", 0.6))
    job.results.write(reading_of(second, "VVVVVV\nQ", 0.7))
    browser = Browser(reviewing(job))
    sheet = browser.look(browser.open("/1/sheet/V"))
    assert len(sheet) == 11
    page = browser.open("/1/sheet/V", [*sheet, ("choice", "skip-pages")])
    assert "Mark a letter of each page" in page
    page = browser.open("/1/sheet/V", [*sheet, ("wrong", "0-none"), ("choice", "skip-pages")])
    assert "Skipped: 1 page with 5 letters." in page and decisions(job) == []
    rest = browser.look(page)
    assert len(rest) == 6
    number = str(rest[0][1]).split("-")[0]
    browser.open("/1/sheet/V", [*rest, ("wrong", f"{number}-none")])
    assert decisions(job) == [("V", "no letter", "")] + [("V", "right", "V")] * 5
    single = browser.look(browser.open("/1/letter"))
    page = browser.open("/1/letter", [*single, ("choice", "skip-page")])
    assert "Skipped: 1 page with 7 letters." in page
    assert len(decisions(job)) == 6
    assert "were skipped, or are being reviewed elsewhere" in browser.open("/1/sheet/V")
