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
from worker.classifier import Classifier
from worker.lattice import chain
from worker.lexicon import Lexicon
from worker.look_alikes import follow_kind
from worker.orientation import find_quarters


def read_lines(
    page: NDArray[np.uint8],
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon | None = None,
    trace: Trace = UNSEEN,
) -> tuple[tuple[LineReading, ...], Segmentation]:
    """Read a page.

    Args:
        page: uint8, h×w, grey.
        settings: layout, what becomes of captions, and below which confidence a letter is flagged.
        classifier: ranks the glyphs.
        lexicon: words that the lines are read with a second time.
        trace: is told what each stage saw.

    Returns:
        The lines in reading order, boxes in pixels of the page; and what segmentation found.
    """
    segmentation = segment(page, settings.layout, settings.printed, trace)
    probabilities, non_letter = _classify(segmentation, classifier)
    rankings = classifier.ranked(probabilities)
    quarters = find_quarters(page, segmentation, rankings, settings.layout, classifier)
    if quarters:
        segmentation = segment(page, settings.layout, settings.printed, trace, quarters)
        probabilities, non_letter = _classify(segmentation, classifier)
        rankings = classifier.ranked(probabilities)
    start = 0
    lines = []
    for line in segmentation.lines:
        letters: list[Letter] = []
        readings = []
        for number, word in enumerate(line.words, start=1):
            part = slice(start, start := start + len(word.candidates))
            ranked = follow_kind(rankings[part]) if settings.alphabet == "alnum" else rankings[part]
            for candidate, ranking in zip(word.candidates, ranked, strict=True):
                flagged = ranking[0][1] < settings.flag_below
                letters.append(Letter(_box(candidate.box), number, ranking, flagged))
            text = "".join(ranking[0][0] for ranking in ranked)
            readings.append((text, chain(probabilities[part], non_letter[part])))
        lexicon_text = lexicon.read(readings) if lexicon else ""
        lines.append(LineReading(_box(line.box), tuple(letters), lexicon_text))
    return tuple(lines), segmentation


def _classify(
    segmentation: Segmentation, classifier: Classifier
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Classify all letters of a page in reading order, as `Classifier.read` does."""
    glyphs = [
        normalise(candidate.ink)
        for line in segmentation.lines
        for word in line.words
        for candidate in word.candidates
    ]
    return classifier.read(np.stack(glyphs) if glyphs else np.zeros((0, 28, 28), np.uint8))


def _box(box: values.Box) -> Box:
    return Box(box.x, box.y, box.width, box.height)
