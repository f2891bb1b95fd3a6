"""The tables over all batches of a watched folder: each batch once, also after a kill and a correction."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.watching.all_tables import add_batch, refresh

Batch = Callable[..., Job]


@pytest.fixture
def batch(job_of: Callable[..., Job], reading_of: Callable[..., PageReading]) -> Batch:
    """Make a collected job; another resolution makes another job of the same scan."""

    def make(dpi: int, text: str) -> Job:
        job = job_of("a.png", settings=Settings(dpi=dpi))
        for entry, _ in job.manifest():
            job.results.write(reading_of(entry, text))
        write_results(job)
        return job

    return make


@pytest.fixture
def out(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "out")


def rows(out: Path, table: str) -> list[dict[str, str]]:
    with (out / f"all-inbox-{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_batches_are_added_one_below_the_other(batch: Batch, out: Disk) -> None:
    one, two = batch(200, "A\nB"), batch(300, "C")
    for job in (one, two):
        add_batch(out, "inbox", job, again=False)
    lines = rows(out, "lines")
    expected = [(one, "A"), (one, "B"), (two, "C")]
    assert [(row["job"], row["text"]) for row in lines] == [(job.path.name, text) for job, text in expected]
    assert [row["text"] for row in rows(out, "pages")] == ["A\nB", "C"]
    with (two.path / "lines.csv").open(newline="") as file:
        header, last = csv.reader(file)
    assert list(lines[2]) == ["job", *header]
    assert list(lines[2].values())[1:] == last
    assert not list(out.glob("all-inbox-fields*")) and not list(out.glob("all-inbox-letters*"))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.9, 1.0])
def test_what_a_killed_watch_had_added_is_not_added_twice(
    batch: Batch, out: Disk, share: float, first: bool
) -> None:
    one, two = batch(200, "A\nB"), batch(300, "C\nD\nE")
    tables = [out / "all-inbox-lines.csv", out / "all-inbox-pages.csv"]
    if not first:
        add_batch(out, "inbox", one, again=False)
    before = [b"" if first else table.read_bytes() for table in tables]
    add_batch(out, "inbox", two, again=False)
    whole = [table.read_bytes() for table in tables]
    for table, old, both in zip(tables, before, whole, strict=True):
        table.write_bytes(both[: len(old) + round(share * (len(both) - len(old)))])
    add_batch(out, "inbox", two, again=True)
    assert [table.read_bytes() for table in tables] == whole


def test_a_job_that_is_collected_again_has_its_new_rows_in_their_place(
    batch: Batch, out: Disk, reading_of: Callable[..., PageReading]
) -> None:
    one, two = batch(200, "A\nB"), batch(300, "C")
    for job in (one, two):
        add_batch(out, "inbox", job, again=False)
    ((entry, _),) = one.manifest()
    one.results.write(reading_of(entry, "X\nY\nZ"))
    write_results(one)
    refresh(one)
    assert [row["text"] for row in rows(out, "lines")] == ["X", "Y", "Z", "C"]
    refresh(one)
    assert [row["text"] for row in rows(out, "pages")] == ["X\nY\nZ", "C"]


def test_a_job_that_no_watch_has_made_is_in_no_table(batch: Batch, out: Disk) -> None:
    one, two = batch(200, "A"), batch(300, "B")
    add_batch(out, "inbox", one, again=False)
    refresh(two)
    assert [row["text"] for row in rows(out, "lines")] == ["A"]


def test_other_columns_begin_another_table(batch: Batch, out: Disk) -> None:
    one, two = batch(200, "A"), batch(300, "B")
    (out / "all-inbox-lines.csv").write_bytes(b"job,scan,other\r\nx,y,z\r\n")
    for job in (one, two):
        add_batch(out, "inbox", job, again=False)
    assert (out / "all-inbox-lines.csv").read_bytes() == b"job,scan,other\r\nx,y,z\r\n"
    with (out / "all-inbox-lines-2.csv").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == ["A", "B"]
