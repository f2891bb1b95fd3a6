"""The scan root and the result root: missing, closed, empty, full, with a wrong clock, without locks."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.storage.disk import Disk
from lettermill.worker.checks import folders
from lettermill.worker.checks.finding import Level
from lettermill.worker.checks.folders import check_results, check_scans
from tests.support import draw


def test_scans_that_can_be_read(tmp_path: Path) -> None:
    draw(tmp_path / "card.png", ["HELLO"])
    (found,) = check_scans(Disk(tmp_path))
    assert (found.check, found.level, found.todo) == ("scans", Level.OK, "")


def test_an_empty_scan_root_may_be_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    (found,) = check_scans(Disk(tmp_path))
    assert found.level is Level.WARNING
    assert "mounted" in found.todo


def test_what_was_not_given_is_not_checked() -> None:
    assert [one.level for one in (*check_scans(None), *check_results(None))] == [Level.NOT_CHECKED] * 2


def test_a_result_root_is_left_as_it_was(tmp_path: Path) -> None:
    found = {one.check: one.level for one in check_results(Disk(tmp_path))}
    assert list(found) == ["results", "clock of results", "space for results"]
    assert found["results"] is found["clock of results"] is Level.OK
    assert not list(tmp_path.iterdir())


def test_a_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(folders, "_try_disk", refuse)
    (found,) = check_results(Disk(tmp_path))
    assert found.level is Level.WRONG
    assert "cannot be locked" in found.said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("seconds", "word"), [(60, "behind"), (-60, "ahead")])
def test_a_disk_with_another_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, word: str
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)
    (found,) = (one for one in check_results(Disk(tmp_path)) if one.check == "clock of results")
    assert found.level is Level.WARNING
    assert found.said == f"the disk's clock is 60 s {word}"


def test_a_disk_that_is_nearly_full(findings: Callable, small_disk: Path) -> None:
    found = findings("--results", small_disk, status=13)
    assert found["results"][0] == "ok"
    assert found["space for results"] == ("wrong", "0.0 GiB free")
