"""Scans that lie on a side or upside down, told by how well the CNN knows their letters either way up.

An upright page costs nothing more than its reading: only where that is doubtful are a sample of its letters
asked about upside down too, and on a side where white space lets lines run down the page. Letters that
look alike either way (H I N O S X Z) weigh nothing by themselves, for only differences count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.orientation import share_stacked
from lettermill.segmentation.page import Layout, segment
from lettermill.segmentation.values import Segmentation
from lettermill.worker.reading.classifier import Classifier

DOUBTFUL = 0.85
"""Mean confidence below which a page is looked at other ways up; upright pages read with more."""

SIDEWAYS = 0.2
"""Share of letters nearer to the one below than to the one beside from which lines may run down the page."""

SAMPLE = 40
"""Letters that are asked about: of so many, most look unlike themselves when they are turned."""

CALM = 1.6
"""Times the card's temperature: the network never saw turned letters, and is too sure of what they are."""

MARGIN = 3.0
"""Nats by which one way up must be likelier than every other: twenty times."""

LEAST = 0.05
"""Least probability that a glyph is some letter, so that a few blots don't outweigh the letters."""


def find_quarters(
    page: NDArray[np.uint8],
    segmentation: Segmentation,
    confidences: NDArray[np.float32],
    layout: Layout,
    classifier: Classifier,
) -> int:
    """Find how a page lies.

    Args:
        page: uint8, h×w, grey.
        segmentation: of the page as it is.
        confidences: float32, one for each letter: the probability of what it was read as.
        layout: as it was segmented.
        classifier: the network.

    Returns:
        Quarter turns clockwise by which it lies, 0 to 3; 0 too where nothing else is clearly likelier.
    """
    if not len(confidences) or confidences.mean(dtype=np.float64) >= DOUBTFUL:
        return 0
    found = {0: segmentation}
    if share_stacked(segmentation) > SIDEWAYS:
        found[1] = segment(page, layout, quarters=1)
    scores, count = {}, {}
    for turn, one in found.items():
        glyphs = _sample(one)
        for more in (0, 2):
            scores[turn + more] = _mean_likeness(np.rot90(glyphs, more, axes=(1, 2)), classifier)
            count[turn + more] = len(glyphs)
    best = max(scores, key=lambda turn: scores[turn])
    second = max(score for turn, score in scores.items() if turn != best)
    return best if (scores[best] - second) * count[best] >= MARGIN else 0


def _sample(segmentation: Segmentation) -> NDArray[np.uint8]:
    """Glyphs from all over the page, uint8 n×28×28."""
    glyphs = [
        candidate.glyph for line in segmentation.lines for word in line.words for candidate in word.candidates
    ]
    count = min(SAMPLE, len(glyphs))
    return np.array([glyphs[index * len(glyphs) // count] for index in range(count)], np.uint8).reshape(
        -1, GLYPH_SIZE, GLYPH_SIZE
    )


def _mean_likeness(glyphs: NDArray[np.uint8], classifier: Classifier) -> float:
    """Mean logarithm of the probability that a glyph is the character it most looks like."""
    if not len(glyphs):
        return float(np.log(LEAST))
    return float(np.log(np.maximum(classifier.likeness(glyphs, CALM), LEAST)).mean())
