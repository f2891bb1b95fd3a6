"""Finds whether a scan lies on its side or upside down, by how well the CNN knows its letters each way up.

An upright page costs nothing beyond its reading. Only if that is doubtful, a sample of its letters is
classified upside down as well, and sideways if the white space suggests that lines run down the page. Letters
that look the same upside down (H I N O S X Z) have no influence, because only differences count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.orientation import share_stacked
from lettermill.segmentation.page import Layout, segment
from lettermill.segmentation.values import Segmentation
from lettermill.worker.reading.classifier import Classifier

DOUBTFUL_BELOW_CONFIDENCE = 0.9
"""A page with a lower mean confidence is tried other ways up; upright pages are read with more."""

SIDEWAYS_ABOVE_SHARE = 0.2
"""Lines may run down the page if more letters than this are nearer to the next one below than beside."""

SAMPLE_LETTERS = 40
"""Letters that are classified each way up: among 40, most look different upside down."""

TEMPERATURE_FACTOR = 1.6
"""Multiplies the card's temperature: the CNN was not trained on turned letters and is too sure of them."""

MARGIN_NATS = 5.0
"""One way up must be this much likelier than every other: 150 times."""

MIN_PROBABILITY = 0.05
"""Lower bound of a glyph's probability, so that a few blots do not outweigh the letters."""


def find_quarter_turns(
    page: NDArray[np.uint8],
    segmentation: Segmentation,
    confidences: NDArray[np.float32],
    layout: Layout,
    classifier: Classifier,
) -> int:
    """Find by how many quarter turns a page is rotated.

    Args:
        page: uint8, h×w, grey.
        segmentation: of the page as it was scanned.
        confidences: float32, one for each component: the probability of its likeliest character.
        layout: with which it was segmented.
        classifier: the network.

    Returns:
        Clockwise quarter turns, 0 to 3; also 0 if no other way up is clearly likelier.
    """
    if not len(confidences) or confidences.mean(dtype=np.float64) >= DOUBTFUL_BELOW_CONFIDENCE:
        return 0
    segmentations = {0: segmentation}
    if share_stacked(segmentation) > SIDEWAYS_ABOVE_SHARE:
        segmentations[1] = segment(page, layout, quarters=1)

    scores, counts = {}, {}
    for turns, each in segmentations.items():
        glyphs = _sample(each)
        for more in (0, 2):
            scores[turns + more] = mean_log_probability(np.rot90(glyphs, more, axes=(1, 2)), classifier)
            counts[turns + more] = len(glyphs)

    best = max(scores, key=lambda turns: scores[turns])
    second = max(score for turns, score in scores.items() if turns != best)
    return best if (scores[best] - second) * counts[best] >= MARGIN_NATS else 0


def _sample(segmentation: Segmentation) -> NDArray[np.uint8]:
    """Take glyphs from all over the page: uint8, n×28×28."""
    glyphs = [
        candidate.glyph for line in segmentation.lines for word in line.words for candidate in word.candidates
    ]
    count = min(SAMPLE_LETTERS, len(glyphs))
    sample = [glyphs[index * len(glyphs) // count] for index in range(count)]
    return np.array(sample, np.uint8).reshape(-1, GLYPH_SIZE, GLYPH_SIZE)


def mean_log_probability(glyphs: NDArray[np.uint8], classifier: Classifier) -> float:
    """Return the mean logarithm of the probability of each glyph's likeliest character."""
    if not len(glyphs):
        return float(np.log(MIN_PROBABILITY))
    probabilities = classifier.best_probability(glyphs, TEMPERATURE_FACTOR)
    return float(np.log(np.maximum(probabilities, MIN_PROBABILITY)).mean())
