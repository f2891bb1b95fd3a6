"""Drops the dots of a printed screen, and grain: thousands of small pieces of ink among few letters.

A picture in print, or grey paper that was scanned black and white, is a screen of dots. Each of them could be
the dot of an i or the remains of a stroke, but where they far outnumber the letters, hardly one is.
"""

from __future__ import annotations

from collections.abc import Sequence

from lettermill.segmentation.characters import is_body
from lettermill.segmentation.components import Component, Sizes
from lettermill.segmentation.trace import UNSEEN, Trace

LEAST_DOTS, LEAST_DOTS_PER_BODY = 2000, 3.0
"""Small pieces of a screen: at least this many, and this many for each piece that may be a letter.

A page of 4,000 letters has 2,000 at most, one for every second letter; a badly broken one as many.
"""


def drop_screen(parts: Sequence[Component], sizes: Sizes, trace: Trace = UNSEEN) -> list[Component]:
    """Drop the dots of a printed screen, if there is one.

    Args:
        parts: what may be letters or parts of letters, in the ink frame.
        sizes: of the page's letters and strokes.
        trace: receives what is dropped.

    Returns:
        The parts; if the small ones are a screen, only those large enough to be letters.
    """
    bodies = [part for part in parts if is_body(part, sizes)]
    dots = len(parts) - len(bodies)
    if dots < max(LEAST_DOTS, LEAST_DOTS_PER_BODY * len(bodies)):
        return list(parts)
    trace.note("left out", [part for part in parts if not is_body(part, sizes)], "dots of a screen")
    return bodies
