"""Which letters are flagged, by the settings and for a rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.advice import fields_unseen, why_flagged
from lettermill.jobs.results.flagging import UNLIKE_FROM_LETTERS, Unlike, low_mean_confidence
from lettermill.jobs.results.summary import FieldTotals
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.results import (
    entries,
    sure_job,
    table,
)

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def flagged_scans(job: Job) -> set[str]:
    return {row["scan"] for row in table(job.path / "letters.csv") if row["flagged"] == "1"}


def test_without_a_rate_the_flags_are_those_of_the_settings(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = sure_job(job_of, reading_of, 0.99, 0.95, 0.8)
    summary = write_results(job)
    assert flagged_scans(job) == {"2.png"}
    assert (summary.flagging.accept_at, summary.flagging.below) == (None, 0.9)
    assert summary.expected_wrong == pytest.approx(4 * 0.01 + 4 * 0.05)
    assert summary.expected_right == pytest.approx(0.97)


@pytest.mark.parametrize(
    ("rate", "below", "flagged", "right"),
    [
        (0.9, 0.8, set(), 0.9133),  # The mean of all three is above the rate.
        (0.95, 0.95, {"2.png"}, 0.97),
        (0.98, 0.99, {"1.png", "2.png"}, 0.99),
        (0.99, 0.99, {"1.png", "2.png"}, 0.99),
        (0.995, None, {"0.png", "1.png", "2.png"}, None),
    ],
)
def test_letters_are_flagged_for_a_rate(
    job_of: JobOf,
    reading_of: ReadingOf,
    rate: float,
    below: float | None,
    flagged: set[str],
    right: float | None,
) -> None:
    job = sure_job(job_of, reading_of, 0.99, 0.95, 0.8)
    summary = write_results(job, Acceptance(rate))
    assert (summary.flagging.accept_at, summary.flagging.below) == (rate, below)
    assert flagged_scans(job) == flagged
    assert summary.expected_right == pytest.approx(right, abs=1e-4)
    lines = {row["scan"]: row["flagged_letters"] for row in table(job.path / "lines.csv")}
    pages = {row["scan"]: row["flagged_letters"] for row in table(job.path / "pages.csv")}
    assert lines == pages == {f"{n}.png": "4" if f"{n}.png" in flagged else "0" for n in range(3)}
    assert summary.flagged_letters == 4 * len(flagged)


def test_flags_change_nothing_that_was_read(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = sure_job(job_of, reading_of, 0.99, 0.8)
    write_results(job)
    before = {path: path.read_bytes() for path in (job.path / "pages").rglob("*.json")}
    first = (job.path / "letters.csv").read_bytes()
    write_results(job, Acceptance(0.999))
    assert (job.path / "letters.csv").read_bytes() != first
    write_results(job)
    assert (job.path / "letters.csv").read_bytes() == first
    assert {path: path.read_bytes() for path in (job.path / "pages").rglob("*.json")} == before


@pytest.mark.parametrize(
    ("letters", "sure", "settings", "unlike"),
    [
        (UNLIKE_FROM_LETTERS, 0.92, Settings(), True),
        (UNLIKE_FROM_LETTERS - 1, 0.92, Settings(), False),  # Too few to say.
        (UNLIKE_FROM_LETTERS, 0.93, Settings(), False),
        (UNLIKE_FROM_LETTERS, 0.92, Settings(printed="keep"), False),  # Read by the CNN alone.
        (UNLIKE_FROM_LETTERS, 0.92, Settings(alphabet="alnum"), False),  # Not calibrated.
    ],
)
def test_a_job_unlike_the_calibration_sets_is_flagged_more(
    calibrated_job: Callable[..., Job], letters: int, sure: float, settings: Settings, unlike: bool
) -> None:
    job = calibrated_job(letters, sure, settings)
    summary = write_results(job)
    assert summary.unlike == (Unlike(pytest.approx(sure), 0.93) if unlike else None)  # type: ignore[arg-type]
    assert summary.to_json()["unlike_below"] == (0.93 if unlike else None)
    # A mean of 0.92 has the rate 0.91, but not the 0.97 that is asked for then.
    assert (write_results(job, Acceptance(0.91)).flagging.below is None) == unlike
    assert write_results(job, Acceptance(0.7)).flagging.below == sure


def test_results_whose_model_is_gone_are_written(calibrated_job: Callable[..., Job]) -> None:
    job = calibrated_job(UNLIKE_FROM_LETTERS, 0.92)
    assert low_mean_confidence(job) == 0.93
    Path(f"{job.path}/model/handprint.json").unlink()
    job = Job.open(job.path)
    assert low_mean_confidence(job) is None
    assert write_results(job).unlike is None


def in_field(reading: PageReading, field: float | None, *sure: float) -> PageReading:
    """Give the one line of a page the confidence of a field, and its letters theirs."""
    (line,) = reading.lines
    letters = tuple(
        msgspec.structs.replace(letter, ranking=((letter.letter, one),), flagged=one < 0.9)
        for letter, one in zip(line.letters, sure, strict=True)
    )
    return msgspec.structs.replace(
        reading, lines=(msgspec.structs.replace(line, letters=letters, confidence=field),)
    )


@pytest.fixture
def field_job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    """Images of one line: two that are sure, one that is less, and three to look at at any rate."""
    job = job_of(*(f"{number}.png" for number in range(6)), settings=Settings(layout="line"))
    of_fields = [
        (0.99, 0.95, 0.8),
        (0.97, 0.95, 0.92),
        (0.9, 0.95, 0.85),
        (None, 0.99, 0.98),
        (0.99, 0.98, 0.97),
    ]
    readings = [
        in_field(reading_of(entry, "AB"), field, *sure)
        for entry, (field, *sure) in zip(entries(job), of_fields, strict=False)
    ]
    # A letter that was flagged whatever its confidence.
    uncut, line = readings[-1], readings[-1].lines[0]
    letters = (msgspec.structs.replace(line.letters[0], flagged=True), line.letters[1])
    readings[-1] = msgspec.structs.replace(uncut, lines=(msgspec.structs.replace(line, letters=letters),))
    for reading in readings:
        job.results.write(reading)
    job.results.write(reading_of(entries(job)[-1], ""))
    return job


def flags_by_scan(job: Job) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in table(job.path / "letters.csv"):
        found[row["scan"]] = found.get(row["scan"], "") + row["flagged"]
    return found


@pytest.mark.parametrize(
    ("rate", "below", "flags", "wrong"),
    [
        (0.98, 0.97, ["00", "00", "01"], 0.04),
        (0.985, 0.99, ["00", "01", "01"], 0.01),
        (0.95, 0.9, ["00", "00", "00"], 0.14),
        (0.995, None, ["01", "01", "01"], 0),
    ],
)
def test_fields_are_accepted_at_a_rate(
    field_job: Job, rate: float, below: float | None, flags: list[str], wrong: float
) -> None:
    summary = write_results(field_job, Acceptance(rate, by_field=True))
    assert summary.flagging.below == below
    assert (summary.flagging.accept_at, summary.flagging.accept_fields_at) == (None, rate)
    assert list(flags_by_scan(field_job).values()) == [*flags, "01", "11"]
    unseen = flags.count("00")
    assert summary.field_totals == FieldTotals(unseen, 5 - unseen, 1, pytest.approx(wrong))  # type: ignore[arg-type]
    found = summary.to_json()
    assert (found["accept_fields_at"], found["field_totals"]["expected_wrong"]) == (rate, wrong)


def test_accepted_fields_are_reported(field_job: Job) -> None:
    summary = write_results(field_job, Acceptance(0.98, by_field=True))
    said = "2 of 6 fields can be taken unseen: less than one is expected to be wrong (98.00% right); 3 need"
    assert fields_unseen(summary).startswith(said)
    assert said in (field_job.path / "summary.html").read_bytes().decode()
    assert why_flagged(summary) == "in fields with a confidence below 0.97"
    none = write_results(field_job, Acceptance(0.999, by_field=True))
    assert why_flagged(none) == "no field is certain enough for 0.999, or their confidence is not known"
    assert fields_unseen(none) == "0 of 6 fields can be taken unseen; 5 need a look, 1 is empty"


def test_a_mark_is_not_the_letter_that_is_flagged(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", settings=Settings(layout="line"))
    job.results.write(in_field(reading_of(entries(job)[0], "A-B"), 0.5, 0.95, 0.91, 0.93))
    write_results(job, Acceptance(0.9, by_field=True))
    assert flags_by_scan(job) == {"a.png": "001"}


def test_fields_of_a_job_unlike_the_calibration_sets(calibrated_job: Callable[..., Job]) -> None:
    job = calibrated_job(UNLIKE_FROM_LETTERS, 0.92, Settings(layout="line"))
    ((_, reading),) = job.results.read_each([entries(job)[0].id])
    assert isinstance(reading, PageReading)
    job.results.write(in_field(reading, 0.95, *[0.92] * UNLIKE_FROM_LETTERS))
    assert write_results(job, Acceptance(0.8, by_field=True)).flagging.below == 0.95
    assert write_results(job, Acceptance(0.9, by_field=True)).flagging.below is None


def test_a_job_without_fields_says_what_to_use_instead(job_of: JobOf) -> None:
    with pytest.raises(UsageProblem, match="needs fields") as caught:
        write_results(job_of("a.png"), Acceptance(0.98, by_field=True))
    assert "Use --accept-at" in str(caught.value)
