"""The journal remembers what was taken, through every way in which a watch can end."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import BadData, ResultsNotWritable, UsageProblem
from lettermill.jobs.watching.journal import Failure, Journal, Scan

FIRST, SECOND = Scan("a.png", 1, 2), Scan("caf\udce9.png", 3, 4)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "inbox", tmp_path / "out"


def test_a_batch_is_continued_where_it_was(folders: tuple[Path, Path]) -> None:
    with Journal(*folders) as journal:
        assert (journal.taken, journal.batch) == (set(), None)
        journal.take("batch 1", [FIRST, SECOND])
    with Journal(*folders) as journal:
        assert journal.taken == {FIRST, SECOND}
        assert journal.batch is not None
        assert (journal.batch.name, journal.batch.scans) == ("batch 1", [FIRST, SECOND])
        assert (journal.batch.job, journal.batch.collected) == (None, False)
        journal.made(journal.batch, "job-1")
        journal.collected(journal.batch)
    with Journal(*folders) as journal:
        assert journal.batch is not None
        assert (journal.batch.job, journal.batch.collected) == ("job-1", True)
        journal.finished(journal.batch, {}, [SECOND])
    with Journal(*folders) as journal:
        assert (journal.taken, journal.batch) == ({FIRST}, None)


def test_a_scan_that_was_not_read_waits_until_it_is_released(folders: tuple[Path, Path]) -> None:
    why = Failure("TRUNCATED", "half é")
    with Journal(*folders) as journal:
        journal.take("batch 1", [FIRST, SECOND])
        assert journal.batch
        journal.finished(journal.batch, {SECOND: why}, [FIRST])
    with Journal(*folders) as journal:
        assert (journal.failed, journal.taken, journal.batch) == ({SECOND: why}, {SECOND}, None)
        journal.released([SECOND])
    with Journal(*folders) as journal:
        assert (journal.failed, journal.taken) == ({}, set())


def test_a_scan_has_a_version_while_it_is_there(tmp_path: Path) -> None:
    assert Scan.at(tmp_path, "a.png") is None
    (tmp_path / "a.png").write_bytes(b"four")
    there = Scan.at(tmp_path, "a.png")
    assert there == Scan("a.png", 4, (tmp_path / "a.png").stat().st_mtime_ns)


def test_two_journals_of_the_same_folders_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with Journal(*folders):
        with pytest.raises(UsageProblem, match="another `lettermill watch`"), Journal(*folders):
            pass
        with Journal(folders[0], tmp_path / "elsewhere"):
            pass
    with Journal(*folders):
        pass


def test_half_a_line_did_not_happen(folders: tuple[Path, Path]) -> None:
    with Journal(*folders) as journal:
        journal.take("batch 1", [FIRST])
        journal.take("batch 1", [SECOND])
        path = journal.path
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(*folders) as journal:
        assert journal.taken == {FIRST}
        journal.take("batch 1", [SECOND])
    with Journal(*folders) as journal:
        assert journal.taken == {FIRST, SECOND}


@pytest.mark.parametrize(
    "line", ["{}", "[", '{"event": "taken"}', '{"event": "made", "batch": "1", "job": "a/b"}']
)
def test_a_damaged_line_is_named(folders: tuple[Path, Path], line: str) -> None:
    with Journal(*folders) as journal:
        journal.take("batch 1", [FIRST])
        path = journal.path
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(BadData, match="line 2 of"), Journal(*folders):
        pass


def test_a_full_disk_leaves_no_half_line(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal(*folders) as journal:
        journal.take("batch 1", [FIRST])
        before = journal.path.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr("lettermill.jobs.watching.journal.os.fsync", full)
            with pytest.raises(ResultsNotWritable):
                journal.take("batch 1", [SECOND])
        assert journal.path.read_bytes() == before
        assert journal.taken == {FIRST}
