"""Name the fields of a blank form after their captions, where these are read surely: capitals without serifs.

The readers know hand-printed capitals, so they read print of that form, too. Small letters and serifs they do
not know, and are seldom sure of what they make of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.field_kinds import LONGEST_NAME_CHARACTERS
from lettermill.jobs.settings import Settings
from lettermill.segmentation.values import Box
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

SETTINGS = Settings(alphabet="letters", printed="keep")
"""How captions are read; the classifier must know their characters."""

SURE_PROBABILITY = 0.95
"""Least confidence of each letter of a caption that becomes a name."""

FEWEST_LETTERS = 3
"""Of one of a caption's words: tick boxes and marks are read as a letter or two."""

HEIGHT_SHARE = 1 / 35
"""Height of the strip above a field in which its caption is searched, as a share of the longer side."""

WIDTH_FIELD_HEIGHTS = 8
"""Width of the strip beside a field, in heights of the field."""

FRAME_SHARE = 1 / 300
"""Width of a field's frame as a share of the longer side, or more."""

ENLARGED = 2
"""Captions are small: they are read at twice their size."""

_MARGIN_PIXELS = 20


def caption_names(
    blank: NDArray[np.uint8], fields: Sequence[Box], classifier: Classifier
) -> list[str | None]:
    """Return a name for each field: its caption above or beside it, in small letters with `_` for spaces.

    Args:
        blank: uint8, h×w, grey: the blank form.
        fields: their boxes, in pixels of the blank.
        classifier: knows the characters of `SETTINGS`.

    Returns:
        No name twice; None where no caption was read surely.
    """
    names: list[str | None] = []
    for field in fields:
        read = (_name(blank, strip, classifier) for strip in _strips(field, fields, max(blank.shape)))
        name = next((name for name in read if name), None)
        names.append(None if name in names else name)
    return names


def _strips(field: Box, fields: Sequence[Box], side: int) -> list[tuple[int, int, int, int]]:
    """Return where the caption of a field may be, as far as the next field: left, top, right and low edge."""
    frame = round(FRAME_SHARE * side)
    right, low = field.x + field.width, field.y + field.height
    above = [one.y + one.height for one in fields if one.x < right and field.x < one.x + one.width]
    beside = [one.x + one.width for one in fields if one.y < low and field.y < one.y + one.height]
    top = max([0, field.y - round(HEIGHT_SHARE * side), *(end + frame for end in above if end <= field.y)])
    left = max(
        [0, field.x - WIDTH_FIELD_HEIGHTS * field.height, *(end + frame for end in beside if end <= field.x)]
    )
    return [(max(0, field.x - frame), top, right, field.y - frame), (left, field.y, field.x - frame, low)]


def _name(blank: NDArray[np.uint8], strip: tuple[int, int, int, int], classifier: Classifier) -> str | None:
    """Return the name that a part of the blank holds; None if it is not one line that is read surely."""
    left, top, right, low = strip
    if min(right - left, low - top) < _MARGIN_PIXELS:
        return None
    paper = float(np.median(blank))
    margin = (_MARGIN_PIXELS,) * 4
    picture = cv2.copyMakeBorder(blank[top:low, left:right], *margin, cv2.BORDER_CONSTANT, value=(paper,))
    picture = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    lines, _ = read_lines(np.asarray(picture, np.uint8), SETTINGS, classifier, None)
    if len(lines) != 1:
        return None
    (line,) = lines
    is_sure = all(one.confidence >= SURE_PROBABILITY for one in line.letters if not one.is_mark)
    words = "".join(char if char.isalpha() else " " for char in line.text).lower().split()
    name = "_".join(words)
    has_word = any(len(word) >= FEWEST_LETTERS for word in words)
    return name if is_sure and has_word and len(name) <= LONGEST_NAME_CHARACTERS else None
