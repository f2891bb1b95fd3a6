"""Scans that are done with are moved; failures wait until nobody writes to them, and changes come back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.watching import put_aside
from lettermill.jobs.watching.journal import Failure, Journal, Scan
from lettermill.jobs.watching.put_aside import FINAL_SECONDS, PutAside

WHY = Failure("TRUNCATED", "a.jpg: not read\n")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the monotonic clock of the module go on by some seconds; else it stands still."""
    now = [1000.0]
    monkeypatch.setattr(put_aside.time, "monotonic", lambda: now[0])

    def on(seconds: float) -> None:
        now[0] += seconds

    return on


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def journal(inbox: Path, tmp_path: Path) -> Iterator[Journal]:
    with Journal(inbox, tmp_path / "out") as opened:
        yield opened


@pytest.fixture
def aside(inbox: Path, tmp_path: Path, journal: Journal) -> PutAside:
    return PutAside(inbox, tmp_path / "done", tmp_path / "failed", journal)


def fail(journal: Journal, scan: Scan | None, why: Failure = WHY) -> None:
    """Record that a batch ended in which a scan was not read."""
    assert scan
    journal.take("batch", [scan])
    assert journal.batch
    journal.finished(journal.batch, {scan: why}, [])


def test_a_broken_scan_is_moved_when_it_has_not_changed_for_a_while(
    aside: PutAside, journal: Journal, inbox: Path, tmp_path: Path, clock: Callable[[float], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (inbox / "a.jpg").write_bytes(b"half")
    fail(journal, Scan.at(inbox, "a.jpg"))
    aside.look()
    clock(FINAL_SECONDS - 1)
    aside.look()
    assert (inbox / "a.jpg").exists()
    clock(1)
    aside.look()
    assert not (inbox / "a.jpg").exists()
    assert (tmp_path / "failed" / "a.jpg").read_bytes() == b"half"
    assert (tmp_path / "failed" / "a.jpg.txt").read_text() == WHY.note
    assert (journal.failed, journal.taken) == ({}, set())
    assert f"'a.jpg': TRUNCATED, moved to {tmp_path}/failed/a.jpg" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["grows", "is rewritten", "goes"])
def test_one_that_changes_meanwhile_is_a_new_scan(
    aside: PutAside,
    journal: Journal,
    inbox: Path,
    tmp_path: Path,
    clock: Callable[[float], None],
    change: str,
) -> None:
    file = inbox / "a.jpg"
    file.write_bytes(b"half")
    fail(journal, Scan.at(inbox, "a.jpg"))
    aside.look()
    if change == "goes":
        file.unlink()
    else:
        file.write_bytes(b"half and half" if change == "grows" else b"FULL")
        os.utime(file, ns=(0, 4 << 60))  # A clock far ahead.
    clock(FINAL_SECONDS)
    aside.look()
    assert not (tmp_path / "failed").exists()
    assert (journal.failed, journal.taken) == ({}, set())


def test_a_scan_waits_on_through_an_end_of_the_watch(
    aside: PutAside, journal: Journal, inbox: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    (inbox / "caf\udce9.jpg").write_bytes(b"half")
    fail(journal, Scan.at(inbox, "caf\udce9.jpg"), Failure("EMPTY_FILE", "é"))
    aside.look()
    journal.__exit__(None, None, None)
    with Journal(inbox, tmp_path / "out") as again:
        aside = PutAside(inbox, None, tmp_path / "failed", again)
        aside.look()
        assert (inbox / "caf\udce9.jpg").exists()
        clock(FINAL_SECONDS)
        aside.look()
        assert (tmp_path / "failed" / "caf\udce9.jpg").exists()


def test_what_its_writer_goes_on_writing_after_the_move_comes_back_once(
    aside: PutAside, journal: Journal, inbox: Path, tmp_path: Path, clock: Callable[[float], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for _ in range(2):
        with (inbox / "a.jpg").open("wb") as scanner:
            scanner.write(b"half")
            scanner.flush()
            fail(journal, Scan.at(inbox, "a.jpg"))
            aside.look()
            clock(FINAL_SECONDS)
            aside.look()
            assert not (inbox / "a.jpg").exists()
            scanner.write(b" and the rest")
        aside.look()
        aside.look()
        if not (inbox / "a.jpg").exists():
            break
        assert (inbox / "a.jpg").read_bytes() == b"half and the rest"
        assert not list((tmp_path / "failed").iterdir())
        (inbox / "a.jpg").unlink()
    else:
        pytest.fail("it came back twice")
    assert (tmp_path / "failed" / "a.jpg").read_bytes() == b"half and the rest"
    said = capsys.readouterr().err
    assert said.count("it is put back") == said.count("was changed again after it was moved") == 1


def test_a_scan_that_was_read_comes_back_too_and_beside_another_of_its_name(
    aside: PutAside, inbox: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    with (inbox / "a.tif").open("wb") as scanner:
        scanner.write(b"page 1")
        scanner.flush()
        scan = Scan.at(inbox, "a.tif")
        assert scan
        aside.move_read(scan)
        assert (tmp_path / "done" / "a.tif").exists()
        (inbox / "a.tif").write_bytes(b"another")
        scanner.write(b"page 2")
    aside.look()
    assert (inbox / "a.tif").read_bytes() == b"another"
    assert (inbox / "a-2.tif").read_bytes() == b"page 1page 2"


def test_what_changes_much_later_or_is_taken_away_stays(
    aside: PutAside, inbox: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    for name in ("late.png", "gone.png"):
        (inbox / name).write_bytes(b"whole")
        scan = Scan.at(inbox, name)
        assert scan
        aside.move_read(scan)
    (tmp_path / "done" / "gone.png").unlink()
    aside.look()
    clock(put_aside._LOOK_BACK_SECONDS + 1)
    aside.look()
    (tmp_path / "done" / "late.png").write_bytes(b"touched up")
    aside.look()
    assert not list(inbox.iterdir())


def test_a_scan_that_was_changed_since_it_was_read_is_not_moved(
    aside: PutAside, inbox: Path, tmp_path: Path
) -> None:
    (inbox / "a.png").write_bytes(b"new")
    aside.move_read(Scan("a.png", 3, 1))
    assert (inbox / "a.png").exists()


def test_a_place_that_takes_nothing_is_named(
    aside: PutAside, journal: Journal, inbox: Path, tmp_path: Path, clock: Callable[[float], None]
) -> None:
    (inbox / "a.jpg").write_bytes(b"half")
    (tmp_path / "failed").write_bytes(b"a file where a folder is needed")
    fail(journal, Scan.at(inbox, "a.jpg"))
    aside.look()
    clock(FINAL_SECONDS)
    for _ in range(2):  # The watch tries again.
        with pytest.raises(ResultsNotWritable):
            aside.look()
    (tmp_path / "failed").unlink()
    aside.look()
    assert (tmp_path / "failed" / "a.jpg").exists()
