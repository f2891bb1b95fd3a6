"""Pages drawn on the spot, with the boxes of their letters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.segmentation import drawn
from tests.segmentation.drawn import Draw, Drawn


@pytest.fixture
def draw() -> Draw:
    return drawn.draw


@pytest.fixture
def text_page() -> Drawn:
    return drawn.draw("MEND THE ROADS", "BEFORE WINTER", "AND COUNT", "7 BRIDGES TWICE")


@pytest.fixture
def real_pages() -> Path:
    root = os.environ.get("LETTERMILL_DATA")
    if not root or not (Path(root) / "pages").is_dir():
        pytest.skip("LETTERMILL_DATA names no folder with pages/: the real pages are not here")
    return Path(root) / "pages"
