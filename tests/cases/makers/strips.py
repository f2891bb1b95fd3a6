"""Long strips: a till roll, and a line as long as a wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.cases.makers.sheet import PAPER, writer, written

WORDS = ("QUARRY", "STONE", "GRAVEL", "RAIL", "TOWER", "HEDGE", "BRIDGE", "NORTH", "HARBOUR", "COPPER")
CAP = 24
"""Height of the capitals: on a copy of 1,600 pixels, neither strip would leave them seven."""

CLEAN = 225
"""Lighter than this is paper."""

ROLL = [WORDS[number % 10] for number in range(150)]
LINE = [WORDS[number * 3 % 10] for number in range(50)]


def _strip(lines: list[str], fonts: Path) -> Image.Image:
    """Writing on paper without noise, in a few grey levels: such a file stays small."""
    page = written(lines, writer(fonts), cap=CAP, margin=20)
    return Image.fromarray(np.where(page > CLEAN, PAPER, page).astype(np.uint8)).quantize(8)


def _roll(path: Path, fonts: Path) -> None:
    _strip(ROLL, fonts).save(path)


def _line(path: Path, fonts: Path) -> None:
    _strip([" ".join(LINE)], fonts).save(path)


CASES = {"strips/till-roll.png": _roll, "strips/long-line.png": _line}
