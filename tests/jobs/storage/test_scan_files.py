"""One file per scan: under the scan's own path where that can be, on disk and in a bucket."""

from __future__ import annotations

from pathlib import Path

from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.place import Place
from lettermill.jobs.storage.scan_files import scan_files


def write(folder: Place, *scans: str, own: bool = True) -> list[str]:
    files = scan_files(folder / "text", ".txt", own=own)
    for scan in scans:
        files.add(scan, scan.encode())
    files.finish()
    return sorted((folder / "text").files())


def test_files_have_the_paths_of_their_scans(folder: Place) -> None:
    assert write(folder, "a.png", "deep/b.png") == ["a.png.txt", "deep/b.png.txt"]
    assert (folder / "text").read("deep/b.png.txt") == b"deep/b.png"
    files = scan_files(folder / "pages", ".xml", own=False)
    files.add("a.tif", b"<page/>", "-2")
    files.finish()
    assert list((folder / "pages").files()) == ["a.tif-2.xml"]


def test_files_of_scans_that_are_gone_are_removed_from_a_folder_of_our_own(folder: Place) -> None:
    write(folder, "a.png", "deep/b.png")
    assert write(folder, "c.png", own=False) == ["a.png.txt", "c.png.txt", "deep/b.png.txt"]
    assert write(folder, "a.png") == ["a.png.txt"]


def test_a_name_that_is_too_long_is_shortened_and_stays_its_own(folder: Place) -> None:
    long = "x" * 900
    names = write(folder, f"{long}1.png", f"{long}2.png")
    assert len(names) == len(set(names)) == 2
    assert all(name.startswith("xxx") and name.endswith(".txt") and "~" in name for name in names)


def test_a_file_and_a_folder_of_one_name(tmp_path: Path) -> None:
    plain, nested = write(Disk(tmp_path), "a", "a.txt/b")
    assert plain == "a.txt"
    assert nested.startswith("b~")


def test_a_path_that_leads_out_of_the_folder_stays_inside(tmp_path: Path) -> None:
    (name,) = write(Disk(tmp_path), "../../b.png")
    assert name.startswith("b.png~")
    assert list(tmp_path.parent.glob("*.txt")) == []


def test_a_new_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    files = scan_files(Disk(tmp_path) / "text", ".txt", own=True)
    files.add("a.png", b"x")
    assert not (tmp_path / "text").exists()
    (tmp_path / ".writing-text-1").mkdir()  # Of a process that was killed.
    files.finish()
    assert [path.name for path in (tmp_path / "text").iterdir()] == ["a.png.txt"]
    scan_files(Disk(tmp_path) / "text", ".txt", own=True).finish()
    assert list(tmp_path.iterdir()) == []
