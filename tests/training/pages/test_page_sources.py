"""What pages are made from, and what is said of folders that hold nothing of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.training.pages.page_sources import load_page_sources
from tests.training.pages.made import FONTS


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    folder = tmp_path / "hands"
    folder.mkdir()
    shutil.copy(FONTS / "STIXGeneralItalic.ttf", folder)
    return folder


def test_hands_print_and_pictures_are_loaded(hands: Path) -> None:
    printed, pictures = hands.parent / "print", hands.parent / "pictures"
    printed.mkdir()
    pictures.mkdir()
    shutil.copy(FONTS / "DejaVuSans.ttf", printed)
    cv2.imwrite(str(pictures / "table.png"), np.full((2000, 3000), 90, np.uint8))
    said: list[str] = []
    sources = load_page_sources([hands, printed, pictures], said.append)
    assert len(sources.hands.fonts) == 1
    assert [path.name for path in sources.print_fonts] == ["DejaVuSans.ttf"]
    assert sources.pictures[0].shape == (933, 1400)
    assert said[-1] == "pages: 0 words as pen on paper, 1 fonts of print, 0 fonts of symbols, 1 photographs"


def test_without_a_font_of_print_there_are_no_pages(hands: Path) -> None:
    with pytest.raises(BadData, match="there is no font of print"):
        load_page_sources([hands])


def test_a_picture_that_is_none_is_named(hands: Path) -> None:
    pictures = hands.parent / "pictures"
    pictures.mkdir()
    (pictures / "table.png").write_bytes(b"no picture")
    with pytest.raises(BadData, match=r"table\.png is not a picture"):
        load_page_sources([hands, pictures])
