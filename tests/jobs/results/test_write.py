"""Writing results: texts, jobs that run or were stopped, damaged results, collectors that meet or die."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status, to_bytes
from lettermill.jobs.results.write import write_results
from tests.results import (
    FILES,
    RESULTS,
    contents,
    entries,
    fill,
    table,
    write_fast,
)
from tests.support import LETTERMILL, Command, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


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
    fill(job, 300)
    for entry in entries(job):
        write_fast(job, reading_of(entry, "HELLO WORLD\nAGAIN"))
    write_results(job)
    expected = contents(job)
    for name in FILES:
        (job.path / name).unlink()
    shutil.rmtree(job.path / "text")
    collectors = [subprocess.Popen([*LETTERMILL, "collect", job.path, "--json"]) for _ in range(2)]
    assert [collector.wait(120) for collector in collectors] == [0, 0]
    assert contents(job) == expected
    assert not list(job.path.rglob(".writing-*"))


def test_while_results_are_being_written(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    fill(job, 300)
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
        write_fast(job, reading_of(entry, "HELLO"))
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
    fill(job, 300)
    for entry in entries(job):
        write_fast(job, reading_of(entry, "HELLO"))
    write_results(job)
    old = {name: (job.path / name).read_bytes() for name in FILES}
    *others, last = entries(job)
    for entry in others:
        write_fast(job, reading_of(entry, "OTHER WORDS"))
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
    write_fast(job, reading_of(last, "OTHER WORDS"))
    assert write_results(job).letters == 3000
    texts = [path for path in (job.path / "text").rglob("*") if path.is_file()]
    assert [path.read_text() for path in texts] == ["OTHER WORDS\n"] * 300


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
