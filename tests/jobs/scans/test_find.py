"""Which files below a folder are scans, and in what order."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lettermill.jobs.errors import NoScans, UsageProblem
from lettermill.jobs.scans.find import _natural_key, common_folder, find_scans
from lettermill.jobs.storage.disk import Disk


def test_forbidden_folders(open_folder: Path, picture: Image.Image, as_nobody: Callable[..., str]) -> None:
    for name, mode in (("closed", 0), ("list only", 0o644)):
        (open_folder / name / "inner").mkdir(parents=True)
        picture.save(open_folder / name / "inner" / "page.png")
        picture.save(open_folder / name / "page.png")
        (open_folder / name).chmod(mode)
    code = """
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.scans.find import find_scans
for path in sys.argv[1:]:
    try:
        find_scans(Path(path))
    except UsageProblem as error:
        sys.stdout.write(error.what + "\\n")
"""
    told = as_nobody(code, open_folder, open_folder / "closed", open_folder / "list only").splitlines()
    assert len(told) == 3
    assert all("cannot list the folder" in line and "Permission denied" in line for line in told)


def test_finds_scans_in_natural_order_and_counts_the_rest(scans: Path) -> None:
    left_out = ("notes.txt", "a/table.CSV", "b/table.csv", "letter of 4. May", "no suffix")
    found = ("a.TIF", "b/scan2.png", "b/scan10.PNG", "p.HEIC", "q.heif", "z.pdf")
    for name in (*found, ".hidden.png", *left_out):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).touch()
    (scans / ".cache").mkdir()
    (scans / ".cache" / "page.png").touch()
    (scans / "folder.png").mkdir()
    scans_found, others = find_scans(scans)
    assert scans_found == list(found)
    assert others.files == "2 .csv, 1 .txt, 2 without a suffix"


def test_what_systems_put_among_scans_is_neither_read_nor_counted(scans: Path) -> None:
    for name in (
        "card.png",
        "@eaDir/card.png/SYNOPHOTO_THUMB_XL.jpg",
        "box/@eaDir/1.png",
        "#recycle/old.png",
        "$RECYCLE.BIN/$R1.png",
        "System Volume Information/x.png",
        "lost+found/1.png",
        "__MACOSX/card.png",
        "._card.png",
        ".DS_Store",
        "Thumbs.db",
        "box/desktop.ini",
        "card.png:Zone.Identifier",
        "Icon\r",
    ):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).touch()
    found, left_out = find_scans(scans)
    assert found == ["card.png"]
    assert not left_out


def test_follows_links_to_files_but_not_to_folders(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").touch()
    (scans / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    (scans / "endless").symlink_to(scans)
    (scans / "dangling.png").symlink_to(tmp_path / "nowhere")
    (scans / "round.png").symlink_to(scans / "round.png")
    (scans / "box").mkdir()
    (scans / "box" / "back").symlink_to("..")
    found, left_out = find_scans(scans)
    assert found == ["linked.png"]
    assert list(left_out.sentences()) == [
        "left out, because links to folders are not followed: box/back, endless",
        "left out, because no file is there (a broken link, a pipe, a device): dangling.png, round.png",
    ]


def test_a_pipe_is_no_scan_and_is_named(scans: Path) -> None:
    os.mkfifo(scans / "pipe.png")
    with pytest.raises(NoScans, match=r"a pipe, a device\): pipe\.png\)"):
        find_scans(scans)


def test_a_folder_of_nothing_but_linked_folders_says_so(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in ("box 1", "box 2"):
        (scans / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NoScans) as refused:
        find_scans(scans)
    assert refused.value.what.endswith("links to folders are not followed: box 1, box 2)")
    assert "Give the folder that a link leads to" in refused.value.next_step


def test_a_scan_folder_that_is_a_link_is_followed(scans: Path, tmp_path: Path) -> None:
    (scans / "card.png").touch()
    (tmp_path / "link").symlink_to(scans)
    assert find_scans(tmp_path / "link")[0] == ["card.png"]


@pytest.mark.parametrize("names", [[], ["notes.txt"]])
def test_no_scans(scans: Path, names: list[str]) -> None:
    for name in names:
        (scans / name).touch()
    with pytest.raises(NoScans, match="png"):
        find_scans(scans)


def test_missing_folder_and_file_as_folder(scans: Path) -> None:
    (scans / "file").touch()
    with pytest.raises(UsageProblem, match="does not exist"):
        find_scans(scans / "missing")
    with pytest.raises(UsageProblem, match="is a file"):
        find_scans(scans / "file")


@given(st.lists(st.text(st.sampled_from("ab/019é \udcff"), min_size=1), max_size=8))
def test_numbers_in_names_count_as_numbers(names: list[str]) -> None:
    def parts(path: str) -> tuple[list[tuple[int, int, str]], str]:
        return [
            (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split("([0-9]+)", path)
        ], path

    assert sorted(sorted(names), key=_natural_key) == sorted(names, key=parts)


def test_only_what_is_named_is_found(scans: Path) -> None:
    for name in ("a.png", "b.png", "box/2.png", "box/10.png", "box/notes.txt", ".hidden.png", "c.docx"):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).touch()
    found, left_out = find_scans(scans, ("c.docx", "box", "a.png", "box/2.png", ".hidden.png"))
    assert found == [".hidden.png", "a.png", "box/2.png", "box/10.png"]
    assert left_out.files == "1 .docx, 1 .txt"
    with pytest.raises(NoScans, match=r"no scans among what was given \(.*1 \.docx\)"):
        find_scans(scans, ["c.docx"])


def test_the_folder_that_holds_all_that_is_named(tmp_path: Path) -> None:
    for name in ("may/a.png", "may/box/b.png", "june/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to("june/c.png")
    may, june = Disk(tmp_path / "may"), Disk(tmp_path / "june")
    assert common_folder([may]) == (may, ())
    assert common_folder([may / "a.png"]) == (may, ("a.png",))
    assert common_folder([may / "box/b.png", may / "a.png", may / "a.png"]) == (may, ("box/b.png", "a.png"))
    assert common_folder([may, june / "c.png"]) == (tmp_path, ("may", "june/c.png"))
    assert common_folder([may, may / "a.png"]) == (tmp_path, ("may", "may/a.png"))
    assert common_folder([Disk(tmp_path / "link.png")]) == (tmp_path, ("link.png",))
    with pytest.raises(UsageProblem, match=r"d\.png does not exist"):
        common_folder([may / "a.png", may / "d.png"])
