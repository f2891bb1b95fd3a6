"""The CSV files: the output contract to the byte, columns, cells that a spreadsheet would run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.csv_tables import escape_formula, unescape_formula
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.display import display_path
from tests.results import (
    OUTPUT_PAGE,
    entries,
    table,
)

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_the_contract_to_the_byte(contract_job: Job) -> None:
    write_results(contract_job)
    path = contract_job.path
    assert (path / "letters.csv").read_bytes().decode().split("\r\n") == [
        "scan,page,line,word,position,x,y,width,height,letter,confidence,second,second_confidence,"
        "third,third_confidence,flagged,decision,corrected,corrected_by,by_ink,cell_row,cell",
        "a.png,1,1,1,1,10,20,30,40,Q,0.9877,O,0.0100,G,0.0023,0,,,,,,",
        "a.png,1,1,1,2,45,21,30,39,U,0.5000,V,0.5000,,,1,,,,,,",
        "a.png,1,1,2,3,95,22,30,38,X,1.0000,,,,,0,,,,,3,2",
        "a.png,1,2,1,1,10,80,30,40,A,0.7500,,,,,1,,,,,,",
        "",
    ]
    assert (path / "lines.csv").read_bytes().decode().split("\r\n") == [
        "scan,page,line,x,y,width,height,text,letters,mean_confidence,min_confidence,flagged_letters,"
        "lexicon_text,field,field_confidence",
        "a.png,1,1,10,20,200,40,QU X,3,0.8292,0.5000,1,'=Qu X,,",
        "a.png,1,2,10,80,30,40,A,1,0.7500,0.7500,1,,,",
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


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx", " =1", "\u00a0=1", "\u3000@x", "'=1", "''-1", "＝1"],
)
def test_cells_that_a_spreadsheet_would_run_are_escaped(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"
    assert unescape_formula(escape_formula(cell)) == cell


@pytest.mark.parametrize("cell", ["", "A", "a-b", "1=1", "'quoted'", "O'HARA", "(=x)", " x"])
def test_other_cells_stay(cell: str) -> None:
    assert escape_formula(cell) == cell
    assert unescape_formula(cell) == cell


def test_marks_stand_as_themselves(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", settings=Settings(alphabet="alnum"))
    (entry,) = entries(job)
    job.results.write(reading_of(entry, "1-2/3.4,5'6"))
    write_results(job)
    letters = table(job.path / "letters.csv")
    assert "".join(row["letter"] for row in letters) == "1-2/3.4,5'6"
    (line,) = table(job.path / "lines.csv")
    assert (line["text"], line["letters"]) == ("1-2/3.4,5'6", "11")


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


def test_rows_are_in_the_order_of_the_manifest(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of(*(f"{number}.png" for number in (10, 9, 1, 2)))
    for entry in reversed(entries(job)):
        job.results.write(reading_of(entry, "A"))
    write_results(job)
    for name in ("letters.csv", "lines.csv", "pages.csv"):
        assert [row["scan"] for row in table(job.path / name)] == ["1.png", "2.png", "9.png", "10.png"]
