"""How the peers are called, and what they answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.peer_tools import Tesseract, shares


def test_files_are_dealt_out_without_an_empty_share() -> None:
    files = [Path(name) for name in "abc"]
    assert shares(files, 2) == [[Path("a"), Path("c")], [Path("b")]]
    assert shares(files[:1], 2) == [[Path("a")]]


@pytest.mark.parametrize("last", ["", "\f"])
def test_texts_of_tesseract_are_told_apart_also_where_a_page_has_none(tmp_path: Path, last: str) -> None:
    (tmp_path / "0.list").write_text("/x/a.png\n/x/b.png\n/x/c.png\n")
    (tmp_path / "0.txt").write_text(f"A\n\f\fC\n{last}")
    assert Tesseract(6).texts(tmp_path) == {"a.png": "A\n", "b.png": "", "c.png": "C\n"}
