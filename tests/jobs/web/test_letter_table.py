"""The letters of a job, sorted by how doubtful they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import Settings
from lettermill.jobs.web.letter_table import LetterTable
from tests.review_browser import Browser, entries
from tests.support import Command

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def read_as(page: PageReading, *letters: tuple[str, float, bool]) -> PageReading:
    """The reading of a page with these letters, each with its confidence and whether it is disputed."""
    (line,) = page.lines
    one = line.letters[0]
    made = tuple(
        msgspec.structs.replace(one, ranking=((char, sure),), flagged=sure < 0.9, disputed=disputed)
        for char, sure, disputed in letters
    )
    return msgspec.structs.replace(page, lines=(msgspec.structs.replace(line, letters=made),))


def test_what_the_readers_dispute_comes_first(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    letters = [
        ("V", 0.3, False),
        ("V", 0.8, True),
        ("V", 0.95, True),  # Not flagged: it is no matter for people that the readers disagree.
        ("V", 0.6, True),
        ("V", 0.92, False),
        ("Q", 0.2, False),
        ("Q", 0.7, True),
        ("W", 0.1, False),
        ("W", 0.1, False),
    ]
    job.results.write(read_as(reading_of(entry, "V"), *letters))
    table = LetterTable(job)
    assert table.least_certain("V", 9, set()) == [3, 1, 0, 4, 2]
    assert table.least_certain("V", 2, {3}) == [1, 0]
    assert table.singles(9) == [3, 6, 1, 7, 8, 5, 0]
    found = [(group.char, group.doubtful, group.disputed) for group in table.groups()]
    assert found == [("V", 3, 2), ("Q", 2, 1), ("W", 2, 0)]
    assert (table.progress().doubtful, table.progress().disputed) == (7, 3)
    assert [table.is_disputed(number) for number in (0, 1, 2)] == [False, True, False]


def test_fields_with_doubtful_letters_are_counted(job_of: JobOf, reading_of: ReadingOf) -> None:
    for layout, fields in (("line", 1), ("page", None)):
        job = job_of("a.png", "b.png", "c.png", settings=Settings(layout=layout))
        for entry, text, sure in zip(entries(job), ("AB\nCD", "EF", ""), (0.6, 0.95, 0.9), strict=True):
            job.results.write(reading_of(entry, text, sure))
        assert LetterTable(job).progress().doubtful_fields == fields


def test_marks_are_shown_one_by_one(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", settings=Settings(alphabet="digits"))
    (entry,) = entries(job)
    job.results.write(read_as(reading_of(entry, "V"), *[("1", 0.5, False)] * 5, *[("/", 0.6, False)] * 5))
    table = LetterTable(job)
    assert table.char(5) == "/"
    assert table.singles(4) == [5, 6, 7, 8, 9]
    assert [(group.char, group.is_mark) for group in table.groups()] == [("1", False), ("/", True)]


def test_doubtful_letters_come_first_however_sure(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    """Where a field does not fit its template, all of its letters are flagged."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "V" * 45, 0.95))
    reading = reading_of(second, "VVVVV", 0.99)
    flagged = tuple(msgspec.structs.replace(one, flagged=True) for one in reading.lines[0].letters)
    line = msgspec.structs.replace(reading.lines[0], letters=flagged)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    page = Browser(reviewing(job)).open("/1/sheet")
    sure = re.findall(r'class="sure">(\d+) %', page)
    assert sure == ["99"] * 5 + ["95"] * 35


def test_accept_at_says_what_is_doubtful(
    job: Job, reviewing: Callable[..., str], lettermill: Command
) -> None:
    assert "<strong>9</strong> doubtful left" in Browser(reviewing(job)).open("/1/")
    assert "<strong>13</strong> doubtful left" in Browser(reviewing(job, "--accept-at", "0.99")).open("/1/")
    lettermill("collect", job.path, "--accept-at", "0.99")
    assert Path(f"{job.path}/letters.csv").read_text().count(",1,,,") == 13


def test_accepted_fields_have_no_doubtful_letters(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str], lettermill: Command
) -> None:
    job = job_of("a.png", "b.png", "c.png", settings=Settings(layout="line"))
    for entry, field, sure in zip(entries(job), (0.99, 0.7, None), (0.6, 0.95, 0.6), strict=True):
        reading = reading_of(entry, "ABCD", sure)
        line = msgspec.structs.replace(reading.lines[0], confidence=field)
        job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    page = Browser(reviewing(job, "--accept-fields-at", "0.98")).open("/1/")
    assert "<strong>5</strong> doubtful left" in page
    lettermill("collect", job.path, "--accept-fields-at", "0.98")
    assert Path(f"{job.path}/letters.csv").read_text().count(",1,,,") == 5
