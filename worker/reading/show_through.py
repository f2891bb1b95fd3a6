"""Finds writing of the other side that shows through: it is mirrored, and the CNN knows it better mirrored.

Only a page that is read badly is tried. If part of its writing is much fainter than the rest, that part alone
is tried: it may as well be pencil beside ink. Letters that look the same mirrored (A H I M O T) have no
influence, because only differences count.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import without_faint_ink
from lettermill.segmentation.quality import ink_contrasts
from lettermill.segmentation.values import Candidate, Segmentation
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.page_orientation import SAMPLE_LETTERS, mean_log_probability

FAINT_BELOW_CONFIDENCE, ALL_BELOW_CONFIDENCE = 0.97, 0.9
"""Mean confidence below which faint writing is tried, and all writing: mirrored letters have about 0.8."""

FAINT_SHARE = 0.72
"""Contrast of faint writing as a share of the strongest on the page, at most."""

STRONGEST_PERCENTILE = 90.0
"""Percentile of the letters' contrast that is the strongest on the page."""

FAINT_MARGIN_NATS, ALL_MARGIN_NATS = 4.0, 6.0
"""Mirrored must be this much likelier; more if the writing is not even faint, because it is erased."""

LEAST_LETTERS, LEAST_STRONG_LETTERS = 6, 3
"""Letters that show whether they are mirrored: fewer may be so by chance; and letters that are not faint."""

DARKEST_LEVELS = 256.0
"""Grey levels from the paper that no ink reaches."""

MEASURED_LETTERS = 120
"""Letters whose contrast is measured, at most: they are spread over the page."""


def find_show_through(
    page: NDArray[np.uint8],
    segmentation: Segmentation,
    confidences: NDArray[np.float32],
    classifier: Classifier,
) -> NDArray[np.uint8] | None:
    """Find mirrored writing, and erase it.

    Args:
        page: uint8, h×w, grey.
        segmentation: of the page.
        confidences: float32, one for each component: the probability of its likeliest character.
        classifier: the network.

    Returns:
        uint8, h×w: the page without the writing of its other side; None if there is none.
    """
    if len(confidences) < LEAST_LETTERS + LEAST_STRONG_LETTERS:
        return None
    confidence = float(confidences.mean(dtype=np.float64))
    if confidence >= FAINT_BELOW_CONFIDENCE:
        return None
    letters = [letter for line in segmentation.lines for word in line.words for letter in word.candidates]
    measured = _spread(letters, MEASURED_LETTERS)
    contrasts = ink_contrasts(page, [letter.box for letter in measured])
    is_faint = contrasts <= FAINT_SHARE * float(np.percentile(contrasts, STRONGEST_PERCENTILE))
    faint = [*itertools.compress(measured, is_faint)]
    sizes = segmentation.quality.letter_height or 1.0, segmentation.quality.stroke_width or 1.0

    is_part = len(faint) >= LEAST_LETTERS and len(measured) - len(faint) >= LEAST_STRONG_LETTERS
    if is_part and _lead_of_mirrored(faint, classifier) >= FAINT_MARGIN_NATS:
        limit = (float(contrasts[is_faint].max()) + float(contrasts[~is_faint].min())) / 2
        return without_faint_ink(page, limit, *sizes)
    if confidence < ALL_BELOW_CONFIDENCE and _lead_of_mirrored(letters, classifier) >= ALL_MARGIN_NATS:
        return without_faint_ink(page, DARKEST_LEVELS, *sizes)
    return None


def _spread(letters: Sequence[Candidate], most: int) -> list[Candidate]:
    """Take letters from all over the page."""
    count = min(most, len(letters))
    return [letters[index * len(letters) // count] for index in range(count)]


def _lead_of_mirrored(letters: Sequence[Candidate], classifier: Classifier) -> float:
    """By how many nats letters are likelier mirrored than as they are, or upside down."""
    glyphs = np.array([letter.glyph for letter in _spread(letters, SAMPLE_LETTERS)], np.uint8)
    as_they_are, upside_down, mirrored, mirrored_down = (
        mean_log_probability(each, classifier)
        for each in (glyphs, glyphs[:, ::-1, ::-1], glyphs[:, :, ::-1], glyphs[:, ::-1])
    )
    return len(glyphs) * (max(mirrored, mirrored_down) - max(as_they_are, upside_down))
