"""Writes pages of half an A4 sheet with about 200 letters, under as many names as a measurement asks for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from bench.pages.difficulties import at_most
from bench.pages.maker import make
from bench.pages.write import ALIKE, default_hands

DISTINCT = 24
LETTERS = 200
_HEIGHT = 1754
"""Of half an A4 sheet at 300 dpi; the scans have 150."""


def write_scans(folder: Path, pages: int) -> None:
    """Write pages into a new folder, by writers of LETTERMILL_DATA's pen strokes where it is set."""
    folder.mkdir(parents=True)
    hands = default_hands(None)
    for seed in range(min(pages, DISTINCT)):
        page = make("a4", hands[seed % len(hands)], seed, at_most(ALIKE["a4"], seed))
        half = page.image[:_HEIGHT].copy()
        if len(page.letters) > LETTERS:
            half[page.letters[LETTERS].y - 10 :] = np.median(half.reshape(-1, 3), axis=0)
        original = folder / f"{seed:05}.png"
        Image.fromarray(half).reduce(2).convert("L").save(original)
        for number in range(seed + DISTINCT, pages, DISTINCT):
            os.link(original, folder / f"{number:05}.png")
