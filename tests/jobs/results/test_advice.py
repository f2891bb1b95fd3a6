"""What is said of failures, of the quality of scans and of mistakes to expect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec
import pytest

from lettermill.jobs.commands.text import summary_text
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.advice import (
    QUALITY_ADVICE,
    expected_mistakes,
    fields_unseen,
    unlike_advice,
    why_flagged,
)
from lettermill.jobs.results.flagging import UNLIKE_FROM_LETTERS
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.results import entries, report, words

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


@pytest.mark.parametrize("code", ErrorCode)
def test_every_failure_has_advice(job_of: JobOf, code: ErrorCode) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    job.results.write(PageReading(entry.id, entry.scan, 1, Status.QUARANTINED, code, "so it was"))
    text = words(report(job))
    for expected in (code.value, code.meaning, code.remedy, "so it was", "after repeated attempts"):
        assert expected in text


def test_quality_is_told_with_advice(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", "c.png")
    for entry, quality in zip(entries(job), [("BLURRED", "SKEWED"), ("BLURRED",), ()], strict=True):
        job.results.write(msgspec.structs.replace(reading_of(entry, "AB"), quality=quality))
    page = words(report(job))
    printed = re.sub(r"\s+", " ", summary_text(write_results(job)))
    for expected in (*QUALITY_ADVICE["BLURRED"], *QUALITY_ADVICE["SKEWED"]):
        assert expected in page
        assert expected in printed
    assert "BLURRED: 2 pages" in printed
    assert "SKEWED: 1 page " in printed
    assert page.index("BLURRED") < page.index("SKEWED")
    assert json.loads((job.path / "summary.json").read_text())["by_quality"] == {"BLURRED": 2, "SKEWED": 1}


def test_without_a_flaw_nothing_is_said_of_quality(read_job: Callable[..., Job]) -> None:
    job = read_job("a.png")
    assert "quality" not in words(report(job)).lower()
    assert "quality" not in summary_text(write_results(job))


def test_a_quality_code_of_another_version_is_shown_and_escaped(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    job.results.write(msgspec.structs.replace(reading_of(entry, "AB"), quality=("<b>NEW</b>",)))
    assert "<b>NEW</b>" in report(job).text
    assert "<b>NEW</b>: 1 page" in summary_text(write_results(job))


def test_how_many_mistakes_to_expect(job_of: JobOf, reading_of: ReadingOf) -> None:
    for letters, sure, said in (
        (4, 0.99, "less than one is expected to be wrong (99.00% right)"),
        (20, 0.95, "about 1 is expected to be wrong (95.00% right)"),
        (40, 0.95, "about 2 are expected to be wrong (95.00% right)"),
    ):
        job = job_of("a.png")
        (entry,) = entries(job)
        job.results.write(reading_of(entry, "A" * letters, sure=sure))
        assert expected_mistakes(write_results(job)) == said


def test_why_letters_are_flagged(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    job.results.write(reading_of(entry, "AB", sure=0.95))
    assert why_flagged(write_results(job)) == "confidence below 0.9"
    assert why_flagged(write_results(job, Acceptance(0.94))) == "confidence below 0.95"
    assert why_flagged(write_results(job, Acceptance(0.999))) == "no letter is certain enough for 0.999"


def test_what_to_do_about_a_job_unlike_the_calibration_sets(calibrated_job: Callable[..., Job]) -> None:
    job = calibrated_job(UNLIKE_FROM_LETTERS, 0.92)
    said = (
        "have a mean confidence of 0.920, and nearly all that confidences were measured on had 0.930 or more"
    )
    assert said in summary_text(write_results(job))
    assert said in words(report(job))
    assert "letters are flagged as for" not in unlike_advice(write_results(job))
    assert "and letters are flagged as for 0.9967." in unlike_advice(write_results(job, Acceptance(0.99)))
    assert unlike_advice(write_results(calibrated_job(UNLIKE_FROM_LETTERS, 0.97))) == ""


def test_how_many_fields_can_be_taken_unseen(job_of: JobOf, reading_of: ReadingOf) -> None:
    names = [f"{number}.png" for number in range(3)]
    job = job_of(*names, settings=Settings(layout="line"))
    assert fields_unseen(write_results(job)) == ""
    said = []
    for entry, (text, sure) in zip(entries(job), (("AB", 0.95), ("CD", 0.6), ("", 1.0)), strict=True):
        job.results.write(reading_of(entry, text, sure))
        said.append(fields_unseen(write_results(job)))
    assert said == [
        "1 of 1 field can be taken unseen",
        "1 of 2 fields can be taken unseen; 1 needs a look",
        "1 of 3 fields can be taken unseen; 1 needs a look, 1 is empty",
    ]
    page = words(report(job))
    assert "1 of 3 fields can be taken unseen; 1 needs a look, 1 is empty." in page
    assert "33.3% of the fields without a flag (1)" in page
