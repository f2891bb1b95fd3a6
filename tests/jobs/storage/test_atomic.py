"""Files that are complete or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.storage.atomic import (
    atomic_write,
    open_regular,
    remove_abandoned,
    replace_small_file,
    sync_folder,
    write_small_file,
)


def test_writes_bytes_as_given(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.csv"
    with atomic_write(path) as file:
        file.write("a,ü\r\nb\n" + os.fsdecode(b"\xff"))
    assert path.read_bytes() == b"a,\xc3\xbc\r\nb\n\xff"


def test_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "one") as file:
        file.write("x")
    (tmp_path / "other").touch()
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("half of the new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_kill_in_mid_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    code = """
import sys, time
from pathlib import Path
from lettermill.jobs.storage.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write("half")
    file.flush()
    sys.stdout.write("writing\\n")
    sys.stdout.flush()
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"writing\n"
        remove_abandoned(tmp_path)
        assert len(list(tmp_path.glob(".writing-*"))) == 1  # It is written at this moment.
        remove_abandoned(tmp_path)
        assert len(list(tmp_path.glob(".writing-*"))) == 1  # It is written at this moment.
        child.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_takes_no_file_is_told(open_folder: Path, as_nobody: Callable[..., str]) -> None:
    code = """
from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.storage.atomic import atomic_write
for path in sys.argv[1:]:
    try:
        with atomic_write(Path(path)):
            pass
    except ResultsNotWritable as error:
        sys.stdout.write(str(error))
"""
    told = as_nobody(code, open_folder / "pages.csv")
    assert f"cannot write {open_folder}/pages.csv: Permission denied" in told
    assert "permissions" in told
    assert list(open_folder.iterdir()) == []


def test_an_error_of_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_write(tmp_path / "pages.csv"):
        raise PermissionError(13, "Permission denied", "/some/scan.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsNotWritable, match="No space left"), atomic_write(tmp_path / "x") as file:
        # The temporary file's own descriptor now stands for a disk that is full.
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        os.close(full)
        file.write("x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_small_files_are_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    replace_small_file(str(path), b"one")
    replace_small_file(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
    write_small_file(str(tmp_path / "other" / "b.txt"), b"three")
    assert (tmp_path / "other" / "b.txt").read_bytes() == b"three"


@pytest.mark.parametrize("write", [replace_small_file, write_small_file])
def test_a_path_that_no_file_can_have_is_the_callers_business(
    tmp_path: Path, write: Callable[[str, bytes], None]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in ("file/below", "folder", "x" * 300):
        with pytest.raises(OSError):
            write(f"{tmp_path}/{path}", b"x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "none"):
        with pytest.raises(OSError):
            open_regular(tmp_path / name)


def test_a_folders_names_are_flushed(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
