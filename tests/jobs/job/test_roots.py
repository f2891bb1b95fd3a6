"""Paths are named relative to the roots, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.storage.disk import Disk
from tests.support import disk_roots


def test_a_path_below_a_root(tmp_path: Path) -> None:
    roots = disk_roots(tmp_path / "scans", tmp_path / "out")
    assert roots.below(roots.scans, Disk(tmp_path / "scans" / "may" / "1"), "--scans") == "may/1"
    assert roots.below(roots.scans, Disk(tmp_path / "scans"), "--scans") == "."


@pytest.mark.parametrize("path", ["elsewhere", "scans/../elsewhere", "scans2"])
def test_a_path_outside_of_a_root_is_refused(tmp_path: Path, path: str) -> None:
    roots = disk_roots(tmp_path / "scans", tmp_path / "out")
    with pytest.raises(UsageProblem, match="--scans"):
        roots.below(roots.scans, Disk(tmp_path / path), "--scans")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "scans")
    roots = disk_roots(tmp_path / "scans", tmp_path / "out")
    assert roots.below(roots.scans, Disk(tmp_path / "link" / "may"), "--scans") == "may"
