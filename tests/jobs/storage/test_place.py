"""What the protocol of places promises, held by a disk and by a bucket alike."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lettermill.jobs.storage.bucket import Bucket
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.place import Place


def test_a_file_is_written_read_and_deleted(folder: Place) -> None:
    file = folder / "a" / "b é.json"
    assert not file.exists()
    assert file.version() == ""
    file.write(b"one")
    assert file.exists()
    assert folder.read("a/b é.json") == b"one"
    first = file.version()
    file.write(b"two")
    assert file.version() != first
    assert (file.name, file.parent) == ("b é.json", folder / "a")
    assert file.below(folder) == "a/b é.json"
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        folder.read("a/b é.json")


def test_renewing_changes_the_version_alone(folder: Place) -> None:
    file = folder / "manifest"
    file.write(b"lines")
    before = file.version()
    # An object store tells seconds: what is renewed later than that has another version.
    time.sleep(1.1)
    file.renew()
    assert file.version() != before
    assert folder.read("manifest") == b"lines"


def test_a_file_appears_whole_or_not_at_all(folder: Place) -> None:
    file = folder / "table.csv"
    with pytest.raises(ZeroDivisionError), file.atomic_write() as writing:
        writing.write("half")
        raise ZeroDivisionError
    assert not file.exists()
    with file.atomic_write() as writing:
        writing.write("a,\udcff\r\n" * 700_000)  # More than one part of an upload.
        assert not file.exists()
    assert folder.read("table.csv") == b"a,\xff\r\n" * 700_000


def test_a_file_is_read_from_an_offset_line_by_line(folder: Place) -> None:
    content = b"".join(b"%d\n" % number for number in range(100_000))
    (folder / "lines").write(content)
    for start in (0, 6, 262_144, len(content)):
        with (folder / "lines").opened(start) as file:
            assert b"".join(file) == content[start:]
    (folder / "empty").write(b"")
    with (folder / "empty").opened() as file:
        assert file.read() == b""


def test_lines_are_appended_to_what_was_begun(folder: Place) -> None:
    folder.make_folder("attempts/ab")
    log = folder / "attempts" / "ab" / "one.log"
    for number in (1, 2):
        with log.begin(f"begun {number}") as content:
            assert content == b"begun 1\nbegun 2\n"[: 8 * number]
    log.append("lost")
    assert folder.read("attempts/ab/one.log") == b"begun 1\nbegun 2\nlost\n"
    (folder / "attempts").unlink_free()
    assert not log.exists()


def test_the_files_below_a_folder(folder: Place) -> None:
    for name in ("b/2.png", "b/1.png", "c.tif", ".hidden/a.png", "b/.x.png"):
        (folder / "scans" / name).write(name.encode())
    assert sorted((folder / "scans").files()) == ["b/1.png", "b/2.png", "c.tif"]
    size, changed = (folder / "scans").measure("b/1.png")
    assert size == 7
    file, *found = (folder / "scans").open_below("b/1.png", 100)
    with file:
        assert file.read() == b"b/1.png"
        assert found == [size, changed]
    assert (folder / "scans").measure("b/1.png") == (size, changed)


def test_the_names_of_the_files_in_folders(folder: Place) -> None:
    assert list((folder / "pages").names()) == []
    for name in ("ab/1.json", "ab/2.json", "cd/1.failed.json"):
        (folder / "pages" / name).write(b"{}")
    assert sorted((folder / "pages").names()) == ["1.failed.json", "1.json", "2.json"]


def test_folders_that_hold_a_file(folder: Place) -> None:
    for name in ("one/job.json", "deep/two/job.json", "one/inner/job.json", ".gone/job.json", "no/x"):
        (folder / name).write(b"{}")
    assert sorted(found.below(folder) for found in folder.folders_with("job.json")) == ["deep/two", "one"]
    assert folder.is_folder()
    assert not (folder / "elsewhere").is_folder()


def test_what_lies_elsewhere_is_not_below(folder: Place, tmp_path: Path) -> None:
    for other in (folder / "a", Disk(tmp_path / "other"), Bucket("another-bucket", "below")):
        with pytest.raises(ValueError):
            (folder / "ab").below(other)
    assert folder.below(folder) == "."


def test_when_a_file_was_last_made_in_its_folders(folder: Place) -> None:
    pages = folder / "pages"
    assert pages.last_change() is None
    before = time.time()
    folder.make_folder("pages/ab")
    (pages / "ab" / "1.json").write(b"1")
    changed = pages.last_change()
    assert changed is not None
    assert before - 2 <= changed <= time.time() + 2  # An object store tells seconds.


def test_a_lock_file_that_is_not_there_is_not_held_and_is_not_made(folder: Place) -> None:
    assert not (folder / ".reading").is_held()
    assert not (folder / ".reading").exists()
