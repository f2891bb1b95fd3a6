"""Reading a page: pixels in, lines of letters out. The recipe, each step done in its own module."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.readings import Box, Letter, LineReading
from jobs.settings import Settings
from segmentation import values
from segmentation.glyph import normalise
from segmentation.page import segment
from segmentation.trace import UNSEEN, Trace
from segmentation.values import Segmentation
from worker.classifier import Classifier, Ranking
from worker.orientation import find_quarters


def read_lines(
    page: NDArray[np.uint8], settings: Settings, classifier: Classifier, trace: Trace = UNSEEN
) -> tuple[tuple[LineReading, ...], Segmentation]:
    """Read a page.

    Args:
        page: uint8, h×w, grey.
        settings: layout, what becomes of captions, and below which confidence a letter is flagged.
        classifier: ranks the glyphs.
        trace: is told what each stage saw.

    Returns:
        The lines in reading order, boxes in pixels of the page; and what segmentation found.
    """
    segmentation = segment(page, settings.layout, settings.printed, trace)
    rankings = _rank(segmentation, classifier)
    quarters = find_quarters(page, segmentation, rankings, settings.layout, classifier)
    if quarters:
        segmentation = segment(page, settings.layout, settings.printed, trace, quarters)
        rankings = _rank(segmentation, classifier)
    ranked = iter(rankings)
    lines = []
    for line in segmentation.lines:
        letters = []
        for number, word in enumerate(line.words, start=1):
            for candidate in word.candidates:
                ranking = next(ranked)
                flagged = ranking[0][1] < settings.flag_below
                letters.append(Letter(_box(candidate.box), number, ranking, flagged))
        lines.append(LineReading(_box(line.box), tuple(letters)))
    return tuple(lines), segmentation


def _rank(segmentation: Segmentation, classifier: Classifier) -> list[Ranking]:
    """Rank all letters of a page, in reading order."""
    glyphs = [
        normalise(candidate.ink)
        for line in segmentation.lines
        for word in line.words
        for candidate in word.candidates
    ]
    return classifier.rank(glyphs)


def _box(box: values.Box) -> Box:
    return Box(box.x, box.y, box.width, box.height)
