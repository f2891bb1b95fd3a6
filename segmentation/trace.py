"""Lets a stage report what it saw, for a person who looks for an error; by default nobody listens.

A stage calls `trace.note("lines", lines)`, with a value that it has anyway. The debug drawing of a page
(`worker/reading/debug.py`) makes one panel per stage from the notes, whatever the name of the stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component
from lettermill.segmentation.values import Candidate, Ink

Blot = Component | Candidate
"""Ink that has a place in the ink frame."""

Seen = Ink | NDArray[np.uint8] | Sequence[Blot] | Sequence[Sequence[Blot]]
"""What can be shown: the ink; a mask in the ink frame (h×w, 0: nothing there); blots; or groups of them."""

ReadAt = Sequence[tuple[str, float]]
"""Characters, each with the column of the ink frame where its middle is."""


class Trace:
    """A listener that ignores everything; subclasses override `note`."""

    def note(self, stage: str, seen: Seen, what: str = "") -> None:
        """Record what a stage saw.

        Args:
            stage: its name in plain words; notes of one stage belong together.
            seen: ink is the frame of everything noted after it, and makes all notes before it obsolete.
                Blots and masks are shown in one colour, groups of blots in one colour each.
            what: names the value if a stage notes several; each name has one colour.
        """

    def note_readings(self, top: float, bottom: float, readings: Mapping[str, ReadAt]) -> None:
        """Record what several readers read in one line.

        Args:
            top: row of the ink frame at which the line begins.
            bottom: one past its last row.
            readings: what each reader read, by its name in plain words.
        """


UNSEEN = Trace()
"""Ignores everything."""
