"""Files are moved atomically, across disks too, and overwrite nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lettermill.jobs.watching.move import free_name, move


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system here")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_moving_to_another_disk_keeps_content_and_time(tmp_path: Path, other_disk: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"content")
    os.utime(source, (1, 1))
    target = free_name(source, other_disk / "below" / "a.png")
    move(source, target)
    assert not source.exists()
    assert target.read_bytes() == b"content"
    assert target.stat().st_mtime == 1
    assert list(target.parent.iterdir()) == [target]


def test_moving_never_overwrites_and_knows_what_it_has_moved(tmp_path: Path) -> None:
    source, wanted = tmp_path / "a.png", tmp_path / "done" / "a.png"
    for content in (b"1", b"2", b"3"):
        source.write_bytes(content)
        move(source, free_name(source, wanted))
    assert {path.name: path.read_bytes() for path in wanted.parent.iterdir()} == {
        "a.png": b"1",
        "a-2.png": b"2",
        "a-3.png": b"3",
    }
    source.hardlink_to(wanted.with_name("a-2.png"))  # As if killed between the two halves of a move.
    assert free_name(source, wanted) == wanted.with_name("a-2.png")
    move(source, wanted.with_name("a-2.png"))
    assert not source.exists()
    source.write_bytes(b"4")
    with pytest.raises(FileExistsError):
        move(source, wanted)
    assert source.read_bytes() == b"4"


def test_a_link_is_moved_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "original.png").write_bytes(b"content")
    source = tmp_path / "inbox" / "a.png"
    source.parent.mkdir()
    source.symlink_to("../original.png")
    target = tmp_path / "elsewhere" / "far" / "a.png"
    move(source, target)
    assert not target.is_symlink()
    assert target.read_bytes() == b"content"
    assert (tmp_path / "original.png").exists()
    assert not source.is_symlink()
