"""Gives a letter that the line network alone sees a place: its columns, and the ink that lies there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lettermill.segmentation.boxes import clip_to_page, page_boxes
from lettermill.segmentation.components import INK_LEVEL
from lettermill.segmentation.glyph import GLYPH_SIZE, normalise
from lettermill.segmentation.values import Candidate, Ink


def uncut_candidate(
    left: float, right: float, line: Sequence[Candidate], letter: float, ink: Ink, shape: tuple[int, ...]
) -> Candidate:
    """Make a candidate of the columns of a letter.

    Args:
        left: its first column in the ink frame.
        right: one past its last column.
        line: the candidates of its line, at least one.
        letter: height of the line's typical letter in pixels of the ink frame.
        ink: the frame.
        shape: height and width of the page in pixels.

    Returns:
        A candidate as high as the letters beside it, or as the ink there; it is a run of no parts.
    """
    height, width = ink.mask.shape
    x, end = (int(np.clip(round(edge), 0, width)) for edge in (left, right))
    x = min(x, width - 1)
    end = max(end, x + 1)
    near = sorted(line, key=lambda one: abs(one.left + one.ink.shape[1] / 2 - (x + end) / 2))[:3]
    middle = float(np.median([one.top + one.ink.shape[0] / 2 for one in near]))
    top = int(np.clip(round(middle - 0.6 * letter), 0, height - 1))
    bottom = int(np.clip(round(middle + 0.6 * letter), top + 1, height))
    part = ink.mask[top:bottom, x:end]
    strong = part >= INK_LEVEL
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if rows.size:
        part = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        top, x = top + int(rows[0]), x + int(columns[0])
    corners = np.array([[x, top], [x + part.shape[1] - 1, top + part.shape[0] - 1]], np.int32)
    corners = np.concatenate((corners, [[x, corners[1, 1]], [corners[1, 0], top]])).astype(np.int32)
    box = clip_to_page(page_boxes([corners], ink)[0].tolist(), shape)
    own = np.pad(part, 1)
    glyph = normalise(own) if rows.size else np.zeros((GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    return Candidate(box, own, glyph, x - 1, top - 1, 0, 0)
