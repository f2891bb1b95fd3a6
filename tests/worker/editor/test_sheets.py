"""The scans on which a template can be tried."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode, NoScans, ScanError
from lettermill.worker.editor import sheets
from lettermill.worker.editor.sheets import Sheets
from tests.support import draw


def test_a_folder_and_what_is_sent(tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "a" / "2.png", ["A"])
    draw(tmp_path / "scans" / "10.png", ["ABC"])
    with contextlib.closing(Sheets(tmp_path / "scans")) as one:
        look_at(one, tmp_path)


def look_at(one: Sheets, tmp_path: Path) -> None:
    """What it has of a folder with two scans."""
    assert one.names == ["10.png", "a/2.png"]
    one.add("mine.png", (tmp_path / "scans" / "a" / "2.png").read_bytes())
    one.add("10.png", b"no picture")
    assert one.names == ["10.png", "mine.png", "a/2.png"]
    assert one.page("mine.png", 1).shape == one.page("a/2.png", 1).shape
    with pytest.raises(ScanError) as caught:
        one.page("10.png", 1)
    assert caught.value.code == ErrorCode.NOT_AN_IMAGE
    with pytest.raises(ScanError):
        one.page("mine.png", 2)
    for unknown in ("../scans/10.png", "b.png"):
        with pytest.raises(KeyError):
            one.page(unknown, 1)


def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_SENT", 2)
    with contextlib.closing(Sheets(None)) as one:
        for name in ("a.png", "b.png", "a.png", "c.png"):
            one.add(name, b"x")
        assert one.names == ["c.png", "a.png"]
    assert one.names == []


def test_a_folder_without_scans(tmp_path: Path) -> None:
    with pytest.raises(NoScans):
        Sheets(tmp_path)
