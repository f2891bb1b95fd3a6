"""Pages on which nothing is wrong, against which the others can be compared."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.cases.makers.sheet import writer, written


def plain(path: Path, fonts: Path) -> None:
    """Three lines of clean writing."""
    Image.fromarray(written(["QUARRY STONE", "MIXED GRAVEL", "SENT BY RAIL"], writer(fonts))).save(path)


CASES = {"plain/three-lines.png": plain}
