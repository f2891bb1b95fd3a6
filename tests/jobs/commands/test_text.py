"""What the command line prints of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lettermill.jobs.commands.text import score_text, summary_text
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.compare import compare
from lettermill.jobs.results.write import write_results
from tests.results import entries, sure_job

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_a_rate_that_cannot_be_met_is_said(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = sure_job(job_of, reading_of, 0.99, 0.8)
    told = "8 letters (100.0%): no letter is certain enough for 0.999"
    printed = summary_text(write_results(job, Acceptance(0.999)))
    assert told in printed
    assert printed.endswith(f"correct it  lettermill review '{job.path}'")
    assert "no letter is certain enough for 0.999" in (job.path / "summary.html").read_text(encoding="utf-8")
    assert "4 letters: less than one is expected to be wrong (99.00% right)" in summary_text(
        write_results(job)
    )


def test_a_short_table_then_failures_then_files(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", "c.png")
    a, b, _ = entries(job)
    job.results.write(reading_of(a, "AB\nCDE", sure=0.85))
    job.results.write(PageReading(b.id, b.scan, 1, Status.FAILED, ErrorCode.PASSWORD, "locked: unlock it"))
    printed = summary_text(write_results(job))
    assert printed.splitlines() == [
        "pages       3  (1 DONE, 1 FAILED)",
        "unfinished  1 page",
        "lines       2",
        "letters     5",
        "doubtful    5 letters (100.0%): confidence below 0.9",
        "confidence  0.850 on average",
        "",
        "not read:",
        "  'b.png', page 1: PASSWORD",
        "    locked: unlock it",
        "",
        f"letters     {job.path}/letters.csv",
        f"report      {job.path}/summary.html",
        f"correct it  lettermill review '{job.path}'",
    ]


def test_only_the_first_failures_are_printed(job_of: JobOf) -> None:
    job = job_of(*(f"{number:02}.png" for number in range(12)))
    for entry in entries(job):
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    printed = summary_text(write_results(job))
    assert printed.count(": TIMEOUT") == 10
    assert "… and 2 more: see pages.csv" in printed


def test_a_score_says_which_rows_and_files_are_not_compared(
    job_of: JobOf, reading_of: ReadingOf, tmp_path: Path
) -> None:
    job = job_of("a.png", "b.png", "c.png", "d.png")
    for entry in entries(job)[:2]:
        job.results.write(reading_of(entry, "AB"))
    truth = tmp_path / "truth.csv"
    truth.write_text("file,label\na.png,AC\nc.png,AB\nd.png,EMPTY\nx.png,A\ny.png,B\n")
    printed = score_text(compare(job, truth))
    for expected in (
        "CER         83.33%  (5 edits, 6 characters)",
        "exact       0.0%  (0 of 4 files)",
        "left out    1 row of the truth (label empty, EMPTY or UNREADABLE)",
        "not in job  2 files of the truth: all characters count as missed",
        "not read    1 file with a failed or missing page: its characters count as missed",
        "no truth    1 file of the job: not counted",
        "C → B",
    ):
        assert expected in printed, printed


def test_a_file_that_was_found_by_its_name_is_said(
    job_of: JobOf, reading_of: ReadingOf, tmp_path: Path
) -> None:
    job = job_of("below/a.png")
    for entry in entries(job):
        job.results.write(reading_of(entry, "AB"))
    truth = tmp_path / "truth.csv"
    hint = "by name     1 file of the truth in another folder: found by their names alone"
    truth.write_text("file,label\na.png,AB\n")
    assert hint in score_text(compare(job, truth))
    truth.write_text("file,label\nbelow/a.png,AB\na.png,AB\n")
    assert "by name" not in score_text(compare(job, truth))
