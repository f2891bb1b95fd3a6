"""Which letters are flagged, by the settings and for a rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.flagging import UNLIKE_FROM_LETTERS, Unlike, low_mean_confidence
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.results import (
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
    summary = write_results(job, rate)
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
    write_results(job, 0.999)
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
    assert (write_results(job, 0.91).flagging.below is None) == unlike
    assert write_results(job, 0.7).flagging.below == sure


def test_results_whose_model_is_gone_are_written(calibrated_job: Callable[..., Job]) -> None:
    job = calibrated_job(UNLIKE_FROM_LETTERS, 0.92)
    assert low_mean_confidence(job) == 0.93
    Path(f"{job.path}/model/handprint.json").unlink()
    job = Job.open(job.path)
    assert low_mean_confidence(job) is None
    assert write_results(job).unlike is None
