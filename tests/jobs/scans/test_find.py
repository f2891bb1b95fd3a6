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
from lettermill.jobs.scans.find import _natural_key, find_scans


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
    for name in (
        "b/scan10.PNG",
        "b/scan2.png",
        "a.TIF",
        "p.HEIC",
        "q.heif",
        "z.pdf",
        "notes.txt",
        "table.csv",
        ".hidden.png",
    ):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).touch()
    (scans / ".cache").mkdir()
    (scans / ".cache" / "page.png").touch()
    (scans / "folder.png").mkdir()
    assert find_scans(scans) == (["a.TIF", "b/scan2.png", "b/scan10.PNG", "p.HEIC", "q.heif", "z.pdf"], 2)


def test_follows_links_to_files_but_not_to_folders(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").touch()
    (scans / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    (scans / "endless").symlink_to(scans)
    (scans / "dangling.png").symlink_to(tmp_path / "nowhere")
    (scans / "round.png").symlink_to(scans / "round.png")
    assert find_scans(scans) == (["linked.png"], 0)


def test_a_pipe_is_no_scan(scans: Path) -> None:
    os.mkfifo(scans / "pipe.png")
    with pytest.raises(NoScans):
        find_scans(scans)


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
