"""How a stage reports what it saw, for a person who looks for an error; by default nobody listens.

A stage says `trace.note("lines", lines)`: one call, with a value that it has anyway. A drawing of a page
(`worker/reading/debug.py`) makes a panel of each stage from what was noted, whatever the stage is called.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.components import Component
from lettermill.segmentation.values import Candidate, Ink

Blot = Component | Candidate
"""Ink that has a place in the ink frame."""

Seen = Ink | NDArray[np.uint8] | Sequence[Blot] | Sequence[Sequence[Blot]]
"""What can be shown: the ink; a mask in the ink frame (h×w, 0: nothing there); blots; or groups of them."""


class Trace:
    """A listener that takes no notice; one that does overrides `note`."""

    def note(self, stage: str, seen: Seen, what: str = "") -> None:
        """Take down what a stage saw.

        Args:
            stage: its name in plain words; notes of one stage belong together.
            seen: ink is the frame of all that is noted after it, and what was noted before is out of date.
                Blots and masks are shown in one colour, groups of blots in one colour each.
            what: says what it is where a stage notes several things; each of them has one colour.
        """


UNSEEN = Trace()
"""Nobody listens."""
