"""Reads NumPy archives of pen strokes: characters or words, with their writers and sites."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.training.letters.set_formats import unreadable
from lettermill.training.training_settings import TEST_SITES, VALIDATION_SITES

WORD_STROKES_FILE, STROKES_FILE = "_words_strokes.npz", "_strokes.npz"
"""Suffixes of the names of files of pen strokes: of words, and of characters."""

HELD_OUT_SITES = frozenset({*VALIDATION_SITES, *TEST_SITES})
"""Sites of UNIPEN whose characters train neither network, so that writers are left to measure on."""

Stroke = NDArray[np.float32]
"""The points of one stroke: n×2, x to the right, y down, in any unit."""

Drawing = list[Stroke]


def read_strokes_archive(path: Path, first: str) -> list[tuple[Drawing, str, str, str]]:
    """Read pen strokes.

    Args:
        path: an npz of `points` (n×2: x to the right, y down), `stroke_start` (number of the first point of
            each stroke, and of all points), the array `first` (the same for strokes), `y`, `writer`, `site`.
        first: `char_first_stroke` or `word_first_stroke`.

    Returns:
        Strokes, text, writer and site of each drawing that has a stroke.

    Raises:
        BadData: the file holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            points = archive["points"].astype(np.float32)
            starts, firsts = archive["stroke_start"], archive[first]
            names = [archive[name].tolist() for name in ("y", "writer", "site")]
        if points.ndim != 2 or points.shape[1] != 2 or starts[-1] != len(points):
            raise ValueError("its points and strokes do not fit together")
        drawings = []
        for number, (text, writer, site) in enumerate(zip(*names, strict=True)):
            numbers = range(int(firsts[number]), int(firsts[number + 1]))
            strokes = [
                points[starts[one] : starts[one + 1]] for one in numbers if starts[one + 1] > starts[one]
            ]
            if strokes:
                drawings.append((strokes, str(text), str(writer), str(site)))
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(path, "pen strokes", error) from error
    return drawings
