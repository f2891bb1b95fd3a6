"""What a folder on disk adds to what all places promise: links, pipes, locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lettermill.jobs.errors import ErrorCode, NotAJob, ResultsNotWritable, ScanError, UsageProblem
from lettermill.jobs.storage.disk import READ, Disk, regular_file


@pytest.fixture
def folder(tmp_path: Path) -> Disk:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.png").write_bytes(b"inside")
    (tmp_path / "outside.png").write_bytes(b"outside")
    return Disk(tmp_path / "scans")


def test_a_link_is_followed_as_long_as_it_stays_inside(folder: Disk) -> None:
    (folder / "link.png").symlink_to(folder / "a.png")
    file, size, mtime_ns = folder.open_below("link.png", 0)
    with file:
        assert file.read() == b"inside"
    assert (size, mtime_ns) == folder.measure("a.png")
    (folder / "out.png").symlink_to(folder.parent / "outside.png")
    with pytest.raises(ScanError) as caught:
        folder.open_below("out.png", 0)
    assert caught.value.code is ErrorCode.OUTSIDE
    with pytest.raises(ScanError) as caught:
        folder.open_below("../outside.png", 0)
    assert caught.value.code is ErrorCode.OUTSIDE


def test_links_to_folders_are_not_followed_in_a_listing(folder: Disk) -> None:
    (folder / "again").symlink_to(folder)
    assert list(folder.files()) == ["a.png"]


def test_a_pipe_and_a_folder_are_no_files(folder: Disk) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    for name, kind in (("pipe", "a pipe or a device"), ("folder", "a folder")):
        with pytest.raises(ScanError, match=f"this is {kind}"):
            regular_file(os.open(folder / name, READ))
        with pytest.raises(OSError):
            folder.read(name)


def test_what_is_not_there_cannot_be_listed(folder: Disk) -> None:
    with pytest.raises(UsageProblem, match="does not exist"):
        list((folder / "none").files())
    with pytest.raises(UsageProblem, match="is a file, not a folder"):
        list((folder / "a.png").files())
    with pytest.raises(NotAJob, match="is not a folder"):
        list((folder / "none").folders_with("job.json"))


def test_a_lock_file_is_held_by_one_at_a_time(folder: Disk) -> None:
    with (folder / ".lock").held(wait=True) as first, (folder / ".lock").held(wait=False) as second:
        assert (first, second) == (True, False)
    with (folder / ".lock").held(wait=False) as free:
        assert free
    with (
        pytest.raises(ResultsNotWritable, match=r"cannot write in the job folder .*/none: No such file"),
        (folder / "none" / ".lock").held(wait=False),
    ):
        pass


def test_a_begun_file_is_not_begun_again_nor_deleted(folder: Disk) -> None:
    folder.make_folder("attempts/ab")
    log = folder / "attempts" / "ab" / "one.log"
    with log.begin("one"):
        with log.begin("two") as content:
            assert content is None
        (folder / "attempts").unlink_free()
        assert log.read_bytes() == b"one\n"
    (folder / "attempts").unlink_free()
    assert not log.exists()


def test_a_file_is_created_once(folder: Disk) -> None:
    assert (folder / "job.json").create(b"one")
    assert not (folder / "job.json").create(b"two")
    assert folder.read("job.json") == b"one"
