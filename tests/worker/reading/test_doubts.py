"""Letters whose ink may not be theirs alone lose confidence, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np

from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.values import Box, Candidate
from lettermill.worker.reading.doubts import TRUST, lower_doubtful

RANKING = (("X", 0.9), ("Y", 0.08), ("Z", 0.02))
LOWERED = tuple((character, round(TRUST * confidence, 6)) for character, confidence in RANKING)


def candidate(height: int = 40, holes: int = 0, left: int = 100, top: int = 50) -> Candidate:
    """A candidate of some height whose glyph has round holes."""
    glyph = np.zeros((GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    glyph[2:26, 2:26] = 255
    for number in range(holes):
        cv2.circle(glyph, (7 + 7 * (number % 3), 7 + 7 * (number // 3)), 2, 0, cv2.FILLED)
    ink = np.full((height + 2, 32), 255, np.uint8)
    return Candidate(Box(left, top, 30, height), ink, glyph, left, top, 0, 1)


def test_a_letter_that_may_be_struck_through_is_doubted() -> None:
    one, other = candidate(left=100), candidate(left=200)
    read = lower_doubtful([one, other], [RANKING, RANKING], 40.0, [(190, 40, 240, 100)])
    assert read == [RANKING, LOWERED]


def test_an_x_higher_than_its_line_may_cross_a_letter_out() -> None:
    high, usual = candidate(height=60), candidate(height=42)
    assert lower_doubtful([high, usual], [RANKING, RANKING], 40.0, []) == [LOWERED, RANKING]
    k = (("K", 0.9), *RANKING[1:])
    assert lower_doubtful([high], [k], 40.0, []) == [k]


def test_a_letter_with_more_holes_than_it_can_have_is_doubted() -> None:
    b, x = (("B", 0.9), ("D", 0.1)), RANKING
    assert lower_doubtful([candidate(holes=3)], [b], 40.0, []) == [b]
    assert lower_doubtful([candidate(holes=4)], [b], 40.0, []) != [b]
    assert lower_doubtful([candidate(holes=1)], [x], 40.0, []) == [x]
    assert lower_doubtful([candidate(holes=2)], [x], 40.0, []) == [LOWERED]
