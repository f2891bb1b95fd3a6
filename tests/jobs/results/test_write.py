"""Collecting: the output contract, to the byte."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lettermill.jobs.commands.text import summary_text
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status, to_bytes
from lettermill.jobs.results.csv_tables import escape_formula, unescape_formula
from lettermill.jobs.results.summary import (
    DOUBTFUL_LETTERS,
    DOUBTFUL_PAGES,
    FAILURES_LISTED,
    WORST_PAGES,
)
from lettermill.jobs.results.write import write_results
from lettermill.jobs.storage.display import display_path
from tests.support import LETTERMILL, ROOT, Command, wait_for

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]

OUTPUT_PAGE = ROOT / "docs" / "output.md"
TABLES = ["letters.csv", "lines.csv", "pages.csv"]
FILES = {*TABLES, "summary.json", "summary.html"}
RESULTS = {*FILES, "text", "overlays"}


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture
def contract_job(job_of: JobOf) -> Job:
    """A page with two lines, an empty one, a failed one, a quarantined one."""
    job = job_of("a.png", "b.png", "c.png", "d.png")
    a, b, c, d = entries(job)
    first = LineReading(
        Box(10, 20, 200, 40),
        (
            Letter(Box(10, 20, 30, 40), 1, (("Q", 0.98765), ("O", 0.01), ("G", 0.00231)), False),
            Letter(Box(45, 21, 30, 39), 1, (("U", 0.5), ("V", 0.49999)), True),
            Letter(Box(95, 22, 30, 38), 2, (("X", 1.0),), False),
        ),
        "=Qu X",
    )
    second = LineReading(Box(10, 80, 30, 40), (Letter(Box(10, 80, 30, 40), 1, (("A", 0.75),), True),))
    for reading in (
        PageReading(a.id, a.scan, 1, Status.DONE, lines=(first, second), skew_degrees=-1.236,
                    quality=("LOW_RESOLUTION", "SKEWED"), seconds=1.23456, attempts=2),
        PageReading(b.id, b.scan, 1, Status.EMPTY, skew_degrees=-0.001, seconds=0.1),
        PageReading(c.id, c.scan, 1, Status.FAILED, ErrorCode.TRUNCATED, 'cut off, "badly"\nhere'),
        PageReading(d.id, d.scan, 1, Status.QUARANTINED, ErrorCode.WORKER_LOST, "=died", attempts=3),
    ):  # fmt: skip
        job.results.write(reading)
    return job


def test_the_contract_to_the_byte(contract_job: Job) -> None:
    write_results(contract_job)
    path = contract_job.path
    assert (path / "letters.csv").read_bytes().decode().split("\r\n") == [
        "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
        "third,third_confidence,flagged,decision,corrected,corrected_by",
        "a.png,1,1,1,1,10,20,30,40,Q,0.9877,O,0.0100,G,0.0023,0,,,",
        "a.png,1,1,1,2,45,21,30,39,U,0.5000,V,0.5000,,,1,,,",
        "a.png,1,1,2,3,95,22,30,38,X,1.0000,,,,,0,,,",
        "a.png,1,2,1,1,10,80,30,40,A,0.7500,,,,,1,,,",
        "",
    ]
    assert (path / "lines.csv").read_bytes().decode().split("\r\n") == [
        "scan,page,line,x,y,width,height,text,letters,mean_confidence,min_confidence,flagged_letters,"
        "lexicon_text,field",
        "a.png,1,1,10,20,200,40,QU X,3,0.8292,0.5000,1,'=Qu X,",
        "a.png,1,2,10,80,30,40,A,1,0.7500,0.7500,1,,",
        "",
    ]
    assert (path / "pages.csv").read_bytes().decode().split("\r\n") == [
        "scan,page,status,error_code,error,text,lines,letters,mean_confidence,flagged_letters,"
        "skew_degrees,seconds,attempts,quality",
        'a.png,1,DONE,,,"QU X\nA",2,4,0.8094,2,-1.24,1.235,2,LOW_RESOLUTION SKEWED',
        "b.png,1,EMPTY,,,,0,0,,0,0.00,0.100,1,",
        'c.png,1,FAILED,TRUNCATED,"cut off, ""badly""\nhere",,0,0,,0,0.00,0.000,1,',
        "d.png,1,QUARANTINED,WORKER_LOST,'=died,,0,0,,0,0.00,0.000,3,",
        "",
    ]


def test_the_columns_are_those_of_the_docs(contract_job: Job) -> None:
    write_results(contract_job)
    page = OUTPUT_PAGE.read_text(encoding="utf-8")
    for name in ("letters.csv", "lines.csv", "pages.csv"):
        section = page.split(f"## {name}")[1].split("\n##")[0]
        documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert documented == list(table(contract_job.path / name)[0]), name


def test_the_summary_counts(contract_job: Job) -> None:
    summary = write_results(contract_job)
    assert (summary.scans, summary.pages, summary.finished, summary.unfinished) == (4, 4, 4, 0)
    assert summary.by_status == {
        Status.DONE: 1, Status.EMPTY: 1, Status.FAILED: 1, Status.QUARANTINED: 1, Status.CANCELLED: 0,
    }  # fmt: skip
    assert summary.failed == 2
    assert summary.by_error_code == {"TRUNCATED": 1, "WORKER_LOST": 1}
    assert (summary.lines, summary.letters, summary.flagged_letters) == (2, 4, 2)
    assert summary.mean_confidence == pytest.approx(0.8094, abs=1e-4)
    assert sum(summary.histogram) == 4
    assert summary.histogram[19] == 2  # 0.98765, and 1.0 which has no bin of its own.
    assert summary.letter_counts["Q"] == 1
    assert list(summary.letter_counts) == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert [letter.letter.letter for letter in summary.doubtful] == ["U", "A", "Q", "X"]
    assert [failure.scan for failure in summary.failures] == ["c.png", "d.png"]


def test_summary_json_holds_the_same(contract_job: Job) -> None:
    summary = write_results(contract_job)
    written = json.loads((contract_job.path / "summary.json").read_text(encoding="utf-8"))
    assert written == summary.to_json()
    assert written["by_status"] == {"DONE": 1, "EMPTY": 1, "FAILED": 1, "QUARANTINED": 1, "CANCELLED": 0}
    assert written["least_certain"][0]["letter"] == "U"
    page = OUTPUT_PAGE.read_text(encoding="utf-8")
    documented = re.findall(
        r"^\| `(\w+)` \|", page.split("## summary.json")[1].split("\n##")[0], re.MULTILINE
    )
    assert documented == list(written)


def test_confidence_by_scan_and_by_letter(contract_job: Job) -> None:
    summary = write_results(contract_job)
    (scan,) = summary.least_sure_scans
    assert (scan.scan, scan.letters, scan.flagged_letters) == ("a.png", 4, 2)
    assert scan.mean_confidence == pytest.approx(0.8094, abs=1e-4)
    assert summary.scan_histogram[16] == sum(summary.scan_histogram) == 1
    assert summary.letter_confidence == pytest.approx({"A": 0.75, "Q": 0.98765, "U": 0.5, "X": 1.0})
    assert summary.seconds_histogram == (2, 1, 0, 0, 1, 0, 0, 0, 0)


def test_a_scan_of_many_pages_is_one_scan(
    documents: Callable[..., list[ManifestEntry]], job_of: JobOf, reading_of: ReadingOf
) -> None:
    documents("book.tif", 3)
    job = job_of("card.png")
    for entry, sure in zip(entries(job), (0.5, 0.7, 0.9, 0.6), strict=True):
        job.results.write(reading_of(entry, "AB", sure=sure))
    found = [(scan.scan, scan.letters, scan.mean_confidence) for scan in write_results(job).least_sure_scans]
    assert found == [("card.png", 2, 0.6), ("book.tif", 6, pytest.approx(0.7))]


def test_the_worst_pages_are_those_with_most_expected_mistakes(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*(f"{number:02}.png" for number in range(WORST_PAGES + 3)))
    for number, entry in enumerate(entries(job)):
        job.results.write(reading_of(entry, "A" * (number + 1), sure=0.9))
    worst = write_results(job).worst_pages
    assert [page.letters for page in worst] == list(range(WORST_PAGES + 3, 3, -1))
    assert worst[0].expected_wrong == pytest.approx(0.1 * (WORST_PAGES + 3))


# --- flags --------------------------------------------------------------------------------------


def sure_job(job_of: JobOf, reading_of: ReadingOf, *sure: float) -> Job:
    """A page for each confidence, with four letters of it."""
    job = job_of(*(f"{number}.png" for number in range(len(sure))))
    for entry, one in zip(entries(job), sure, strict=True):
        job.results.write(reading_of(entry, "AB CD", sure=one))
    return job


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


def test_a_rate_that_cannot_be_met_is_said(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = sure_job(job_of, reading_of, 0.99, 0.8)
    told = "8 letters (100.0%): no letter is certain enough for 0.999"
    printed = summary_text(write_results(job, 0.999))
    assert told in printed
    assert printed.endswith(f"correct it  lettermill review '{job.path}'")
    assert "no letter is certain enough for 0.999" in (job.path / "summary.html").read_text(encoding="utf-8")
    assert "4 letters: less than one is expected to be wrong (99.00% right)" in summary_text(
        write_results(job)
    )


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


# --- cells --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx", " =1", "\u00a0=1", "\u3000@x", "'=1", "''-1", "＝1"],
)
def test_cells_that_a_spreadsheet_would_run_are_escape_formula(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"
    assert unescape_formula(escape_formula(cell)) == cell


@pytest.mark.parametrize("cell", ["", "A", "a-b", "1=1", "'quoted'", "O'HARA", "(=x)", " x"])
def test_other_cells_stay(cell: str) -> None:
    assert escape_formula(cell) == cell
    assert unescape_formula(cell) == cell


ODD_NAMES = [
    '=cmd|" /C calc"!A1.png',
    "-rf.png",
    "+1.png",
    "@x.png",
    "\tx.png",
    "\rx.png",
    " =x.png",
    "with, comma.png",
    'quote".png',
    "new\nline.png",
    "Größe 表.png",
    "<script>.png",
    os.fsdecode(b"caf\xe9.png"),
]


def test_odd_names(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*ODD_NAMES, *(f"=box 2/{name}" for name in ODD_NAMES))
    for entry in entries(job):
        job.results.write(reading_of(entry, "AB"))
    write_results(job)
    expected = sorted(display_path(entry.scan) for entry in entries(job))
    for name in ("letters.csv", "lines.csv", "pages.csv"):
        cells = {row["scan"] for row in table(job.path / name)}
        assert sorted(unescape_formula(cell) for cell in cells) == expected
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@]|[\t\r]", cell)]
    assert "caf\\xe9.png" in expected
    for name in ODD_NAMES:
        assert (job.path / "text" / f"{name}.txt").read_text() == "AB\n"
        assert (job.path / "text" / "=box 2" / f"{name}.txt").read_text() == "AB\n"


# --- texts --------------------------------------------------------------------------------------


@pytest.fixture
def documents(job_of: JobOf, scans: Path) -> Callable[..., list[ManifestEntry]]:
    """Make a TIFF of several pages and return the job's pages."""
    from PIL import Image

    def make(name: str, pages: int) -> list[ManifestEntry]:
        sheet = Image.new("1", (30, 20), 1)
        sheet.save(scans / name, save_all=True, append_images=[sheet] * (pages - 1))
        return entries(job_of())

    return make


def test_pages_of_a_text_are_separated_by_form_feeds(
    documents: Callable[..., list[ManifestEntry]], job_of: JobOf, reading_of: ReadingOf
) -> None:
    first, empty, failed, _unread, last = documents("book.tif", 5)
    job = job_of()
    job.results.write(reading_of(first, "AB CD\nEF"))
    job.results.write(reading_of(empty))
    job.results.write(PageReading(failed.id, failed.scan, 3, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    job.results.write(reading_of(last, "Z"))
    write_results(job)
    assert (job.path / "text" / "book.tif.txt").read_bytes() == b"AB CD\nEF\n\f\f\f\fZ\n"


def test_a_scan_of_which_nothing_was_read_has_no_text(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("failed.png", "empty.png", "unread.png")
    for entry in entries(job):
        if entry.scan == "failed.png":
            job.results.write(PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late"))
        elif entry.scan == "empty.png":
            job.results.write(reading_of(entry))
    write_results(job)
    assert [path.name for path in (job.path / "text").iterdir()] == ["empty.png.txt"]
    assert (job.path / "text" / "empty.png.txt").read_bytes() == b""


def test_long_names_are_shortened(job_of: JobOf, reading_of: ReadingOf) -> None:
    long = ["x" * 251 + ".png", "ü" * 125 + "1.png", "ü" * 125 + "2.png"]
    fits = "y" * 247 + ".png"
    deep = "/".join(["d" * 200] * 18) + "/page.png"
    job = job_of(*long, fits)
    with job.manifest_path.open("a") as file:  # The scan need not be there to be collected.
        entry = msgspec.structs.replace(entries(job)[0], id="d" * 24, scan=deep)
        file.write(entry.to_line())
    for number, entry in enumerate(entries(job)):
        job.results.write(reading_of(entry, "ABCDE"[number]))
    write_results(job)
    files = sorted((job.path / "text").rglob("*.txt"))
    assert len(files) == 5
    assert sorted(path.read_text() for path in files) == ["A\n", "B\n", "C\n", "D\n", "E\n"]
    assert (job.path / "text" / f"{fits}.txt") in files
    write_results(job)
    assert sorted((job.path / "text").rglob("*.txt")) == files


def test_a_file_and_a_folder_of_one_name(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "a.png.txt/b.png")
    for entry in entries(job):
        job.results.write(reading_of(entry, "A" if entry.scan == "a.png" else "B"))
    for _ in range(2):
        write_results(job)
        texts = [path.read_text() for path in (job.path / "text").rglob("*.txt") if path.is_file()]
        assert sorted(texts) == ["A\n", "B\n"]


def test_texts_of_scans_that_left_the_job_go(job_of: JobOf, scans: Path, reading_of: ReadingOf) -> None:
    job = job_of("stays.png", "box/goes.png")
    for entry in entries(job):
        job.results.write(reading_of(entry, "A"))
    write_results(job)
    before = (job.path / "text" / "stays.png.txt").stat().st_mtime_ns
    assert (job.path / "text" / "box" / "goes.png.txt").exists()
    (scans / "box" / "goes.png").unlink()
    write_results(job_of())
    assert [path.name for path in (job.path / "text").rglob("*")] == ["stays.png.txt"]
    assert (job.path / "text" / "stays.png.txt").stat().st_mtime_ns == before
    assert {row["scan"] for row in table(job.path / "pages.csv")} == {"stays.png"}


# --- circumstances ------------------------------------------------------------------------------


def test_while_the_job_runs(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", "c.png")
    summary = write_results(job)
    assert (summary.pages, summary.finished, summary.letters, summary.mean_confidence) == (3, 0, 0, None)
    assert table(job.path / "pages.csv") == []
    assert not (job.path / "text").exists()
    job.results.write(reading_of(entries(job)[1], "AB"))
    summary = write_results(job)
    assert (summary.pages, summary.finished, summary.unfinished) == (3, 1, 2)
    assert [row["scan"] for row in table(job.path / "pages.csv")] == ["b.png"]


def test_rows_are_in_the_order_of_the_manifest(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*(f"{number}.png" for number in (10, 9, 1, 2)))
    for entry in reversed(entries(job)):
        job.results.write(reading_of(entry, "A"))
    write_results(job)
    for name in ("letters.csv", "lines.csv", "pages.csv"):
        assert [row["scan"] for row in table(job.path / name)] == ["1.png", "2.png", "9.png", "10.png"]


def test_the_same_readings_give_the_same_bytes(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*(f"{number}.png" for number in range(5)))
    for entry in entries(job):
        job.results.write(reading_of(entry, "HELLO WORLD\nAGAIN", sure=0.123456789))
    write_results(job)
    first = {name: (job.path / name).read_bytes() for name in ("letters.csv", "lines.csv")}
    for entry in reversed(entries(job)):  # Read again, slower and at the third attempt.
        reading = reading_of(entry, "HELLO WORLD\nAGAIN", sure=0.123456789)
        job.results.write(msgspec.structs.replace(reading, seconds=9.0, attempts=3))
    write_results(job)
    assert first == {name: (job.path / name).read_bytes() for name in first}


def test_pages_of_a_stopped_job_have_a_row(
    documents: Callable[..., list[ManifestEntry]], job_of: JobOf, reading_of: ReadingOf
) -> None:
    first, failed, *_ = documents("book.tif", 4)
    job = job_of("card.png")
    job.results.write(reading_of(first, "AB"))
    job.results.write(PageReading(failed.id, failed.scan, 2, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    job.cancel("=enough, said she")
    summary = write_results(job)
    assert (summary.pages, summary.finished, summary.not_begun, summary.unfinished) == (5, 2, 3, 0)
    assert (summary.failed, summary.cancelled, len(summary.failures)) == (1, "=enough, said she", 1)
    rows = (job.path / "pages.csv").read_text(encoding="utf-8").splitlines()
    assert rows[3:] == [
        'book.tif,3,CANCELLED,,"\'=enough, said she",,0,0,,0,0.00,0.000,0,',
        'book.tif,4,CANCELLED,,"\'=enough, said she",,0,0,,0,0.00,0.000,0,',
        'card.png,1,CANCELLED,,"\'=enough, said she",,0,0,,0,0.00,0.000,0,',
    ]
    assert (job.path / "text" / "book.tif.txt").read_text() == "AB\n\f\f\f"
    assert not (job.path / "text" / "card.png.txt").exists()
    job.uncancel()
    assert (write_results(job).unfinished, len(table(job.path / "pages.csv"))) == (3, 2)


def test_a_stopped_job_ends_with_status_1(job_of: JobOf, lettermill: Command) -> None:
    job = job_of("a.png")
    assert "unfinished" in lettermill("collect", job.path, status=1).stdout
    job.cancel("enough")
    assert (
        "stopped: enough. To continue: lettermill resume" in lettermill("collect", job.path, status=1).stdout
    )


def _cut(content: bytes) -> bytes:
    return content[:-20]


def _edited(content: bytes) -> bytes:
    return content.replace(b'"A"', b'"B"')


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda _: b"{", lambda _: b"[]", lambda _: b"\xff", _cut, _edited]
)
@pytest.mark.parametrize("stopped", [False, True])
def test_a_damaged_result_stops_nothing(
    job_of: JobOf, reading_of: ReadingOf, damage: Callable[[bytes], bytes], stopped: bool
) -> None:
    job = job_of("a.png", "b.png", "c.png")
    for entry in entries(job):
        job.results.write(reading_of(entry, "AB"))
    damaged = job.results.path(entries(job)[1].id)
    whole = damaged.read_bytes()
    damaged.write_bytes(damage(whole))
    assert damaged.read_bytes() != whole
    if stopped:
        job.cancel("enough")
    summary = write_results(job)
    assert (summary.finished, summary.unfinished) == (2, 1)
    assert summary.damaged == (damaged.relative_to(job.path).as_posix(),)
    assert [row["scan"] for row in table(job.path / "pages.csv")] == ["a.png", "c.png"]
    report = (job.path / "summary.html").read_text(encoding="utf-8")
    assert damaged.name in report
    assert "lettermill resume" in report


def test_nothing_but_the_results_is_left(contract_job: Job) -> None:
    before = {path.name for path in contract_job.path.iterdir()} | {".lock"}
    write_results(contract_job)
    assert {path.name for path in contract_job.path.iterdir()} == before | RESULTS


def test_two_collectors_at_once(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    _fill(job, 300)
    for entry in entries(job):
        _write_fast(job, reading_of(entry, "HELLO WORLD\nAGAIN"))
    write_results(job)
    expected = _contents(job)
    for name in FILES:
        (job.path / name).unlink()
    shutil.rmtree(job.path / "text")
    collectors = [subprocess.Popen([*LETTERMILL, "collect", job.path, "--json"]) for _ in range(2)]
    assert [collector.wait(120) for collector in collectors] == [0, 0]
    assert _contents(job) == expected
    assert not list(job.path.rglob(".writing-*"))


def test_while_results_are_being_written(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    _fill(job, 300)
    code = """
import itertools, sys
from pathlib import Path
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import from_bytes
job, finished = Job.open(Path(sys.argv[1])), Path(sys.argv[2])
for content in itertools.cycle(sorted(finished.iterdir())):
    job.results.write(from_bytes(content.read_bytes()))
"""
    finished = job.path.parent / "finished"
    finished.mkdir()
    for entry in entries(job):
        (finished / entry.id).write_bytes(to_bytes(reading_of(entry, "HELLO WORLD")))
    counts = []
    with subprocess.Popen([sys.executable, "-c", code, job.path, finished]) as worker:
        wait_for((job.path / "pages").exists, what="the first result")
        try:
            for _ in range(3):
                summary = write_results(job)
                assert not summary.damaged
                assert summary.letters == 10 * summary.finished == len(table(job.path / "letters.csv"))
                assert len(list((job.path / "text").rglob("*.txt"))) == summary.finished
                counts.append(summary.finished)
            wait_for(lambda: job.tally().finished == 300, what="the last result")
            assert write_results(job).finished == 300
        finally:
            worker.kill()
    assert counts == sorted(counts)


def test_a_first_collector_that_is_killed_leaves_nothing(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png")
    for entry in entries(job):
        _write_fast(job, reading_of(entry, "HELLO"))
    code = """
import sys, time
from pathlib import Path
from lettermill.jobs.results.write import write_results
from lettermill.jobs.storage.scan_files import _OnDisk
from lettermill.jobs.job.folder import Job
_OnDisk.finish = lambda texts: time.sleep(600)
write_results(Job.open(Path(sys.argv[1])))
"""
    with subprocess.Popen([sys.executable, "-c", code, job.path]) as collector:
        try:
            wait_for(lambda: len(list(job.path.glob(".writing-text-*/*.txt"))) == 2, what="all texts")
        finally:
            collector.kill()
    assert not (job.path / "text").exists()
    write_results(job)
    assert sorted(path.name for path in (job.path / "text").iterdir()) == ["a.png.txt", "b.png.txt"]
    assert not list(job.path.glob(".writing-*"))


def test_a_collector_that_is_killed_leaves_the_old_files(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    _fill(job, 300)
    for entry in entries(job):
        _write_fast(job, reading_of(entry, "HELLO"))
    write_results(job)
    old = {name: (job.path / name).read_bytes() for name in FILES}
    *others, last = entries(job)
    for entry in others:
        _write_fast(job, reading_of(entry, "OTHER WORDS"))
    code = """
import sys, time
from pathlib import Path
from lettermill.jobs.results.write import write_results
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.page_results import PageResults
read = PageResults.read
PageResults.read = lambda results, page: time.sleep(600) if page == sys.argv[2] else read(results, page)
write_results(Job.open(Path(sys.argv[1])))
"""
    before_last = job.path / "text" / f"{others[-1].scan}.txt"
    with subprocess.Popen([sys.executable, "-c", code, job.path, last.id]) as collector:
        try:
            wait_for(lambda: before_last.read_text() == "OTHER WORDS\n", what="all texts but the last")
        finally:
            collector.kill()
    assert {name: (job.path / name).read_bytes() for name in old} == old
    _write_fast(job, reading_of(last, "OTHER WORDS"))
    assert write_results(job).letters == 3000
    texts = [path for path in (job.path / "text").rglob("*") if path.is_file()]
    assert [path.read_text() for path in texts] == ["OTHER WORDS\n"] * 300


def _contents(job: Job) -> dict[str, bytes]:
    """The job's tables and texts by their names."""
    texts = {str(path): path.read_bytes() for path in (job.path / "text").rglob("*.txt")}
    return texts | {name: (job.path / name).read_bytes() for name in TABLES}


def test_a_failure_leaves_the_old_files(contract_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results(contract_job)
    old = {name: (contract_job.path / name).read_bytes() for name in FILES}
    manifest = contract_job.manifest_path.read_text()
    contract_job.manifest_path.write_text(manifest + "{damaged\n")
    with pytest.raises(Exception, match=r"manifest\.jsonl"):
        write_results(contract_job)
    assert old == {name: (contract_job.path / name).read_bytes() for name in old}
    assert not list(contract_job.path.glob(".writing-*"))


def test_a_job_folder_that_takes_nothing(open_folder: Path, as_nobody: Callable[..., str]) -> None:
    code = """
from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.job.folder import Job
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
somebodys = Job(Disk(sys.argv[1]), Settings(), "", "", "", False, "", "", "")
try:
    with somebodys.lock():
        pass
except ResultsNotWritable as error:
    sys.stdout.write(error.what)
"""
    assert as_nobody(code, open_folder) == f"cannot write in the job folder {open_folder}: Permission denied"


def test_only_some_failures_are_named_one_by_one(job_of: JobOf) -> None:
    job = job_of("a.png")
    _fill(job, FAILURES_LISTED + 50)
    for entry in entries(job):
        job.results.write(PageReading(entry.id, entry.scan, 1, Status.FAILED, ErrorCode.PASSWORD, "locked"))
    summary = write_results(job)
    assert summary.failed == FAILURES_LISTED + 50
    assert len(summary.failures) == FAILURES_LISTED
    assert len(table(job.path / "pages.csv")) == FAILURES_LISTED + 50


def test_the_least_certain_letters(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    _fill(job, 40)
    for number, entry in enumerate(entries(job)):
        job.results.write(reading_of(entry, "ABCDE", sure=0.5 + number / 100))
    doubtful = write_results(job).doubtful
    assert len(doubtful) == DOUBTFUL_LETTERS
    assert len({letter.entry for letter in doubtful}) <= DOUBTFUL_PAGES
    sure = [letter.letter.confidence for letter in doubtful]
    assert sure == sorted(sure)
    assert sure == pytest.approx([0.5 + number / 100 for number in range(5) for _ in range(5)][:24])
    assert [(letter.line, letter.position) for letter in doubtful[:5]] == [(1, n) for n in range(1, 6)]


def _fill(job: Job, pages: int) -> None:
    """Give a job's manifest many pages; their scans need not be there."""
    entry = entries(job)[0]

    def more() -> Iterator[str]:
        for number in range(pages):
            page = msgspec.structs.replace(entry, id=f"{number:024x}", scan=f"box {number % 7}/{number}.png")
            yield page.to_line()

    job.manifest_path.write_text("".join(more()))


def _write_fast(job: Job, reading: PageReading) -> None:
    path = job.results.path(reading.page_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(reading))
