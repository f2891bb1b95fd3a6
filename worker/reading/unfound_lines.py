"""Reads an image of one line in which segmentation found nothing, by the line network alone.

Patterned paper may hide all strokes from the foreground mask, and the line network still sees them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.settings import ALPHABETS, DIGITS, MARKS, AlphabetChoice
from lettermill.worker.reading.classifier import RANKING_LENGTH, Classifier
from lettermill.worker.reading.line_evidence import Steps
from lettermill.worker.reading.line_views import whole_view
from lettermill.worker.reading.look_alikes import kind_of

_HEIGHT_SHARE = 0.7
"""Height of a letter's box, as a share of the image: its rows are not known."""


def read_unfound_line(
    page: NDArray[np.uint8], classifier: Classifier, alphabet: AlphabetChoice
) -> LineReading | None:
    """Read a line without candidates.

    Args:
        page: uint8, h×w, grey: an image of one line.
        classifier: has the line network.
        alphabet: that of the job; with `auto`, a line of one kind is read with that kind alone.

    Returns:
        The line, all of its letters flagged and disputed; None if nothing is seen.
    """
    if classifier.line_network is None:
        return None
    view = whole_view(page, classifier.line_network, set(classifier.characters) <= set(DIGITS))
    known, marks = classifier.characters + MARKS, classifier.marks
    read: list[Letter] = []
    for first, last in view.letters_seen():
        step = first + int(view.probabilities[first:last, :-1].max(axis=1).argmax())
        shares = view.probabilities[step, :-1]
        order = np.argsort(-shares, kind="stable").tolist()
        allowed = marks if known[order[0]] in MARKS else classifier.characters
        if known[order[0]] in allowed:
            best = [one for one in order if known[one] in allowed][:RANKING_LENGTH]
            ranking = tuple((known[one], round(float(shares[one]), 6)) for one in best)
            read.append(Letter(_box(view, first, last, page.shape), 1, ranking, True, True))
    kind = kind_of([[one.ranking for one in read if not one.is_mark]], together=True)
    if alphabet == "auto" and kind != "alnum":
        return read_unfound_line(page, classifier.narrowed(ALPHABETS[kind]), kind)
    of_letters = [at for at, one in enumerate(read) if not one.is_mark]
    if not of_letters:
        return None
    letters = read[of_letters[0] : of_letters[-1] + 1]  # Marks are read between letters alone.
    boxes = [letter.box for letter in letters]
    left, right = boxes[0].x, max(box.x + box.width for box in boxes)
    return LineReading(Box(left, boxes[0].y, right - left, boxes[0].height), tuple(letters))


def _box(view: Steps, first: int, last: int, shape: tuple[int, ...]) -> Box:
    """Return the box of a letter that is seen at some steps, on an image of a shape."""
    height, width = shape
    margin = height * (1 - _HEIGHT_SHARE) / 2
    # A letter is wider than the steps at which it is given.
    reach = 0.2 * height
    left, right = (
        int(np.clip(round(view.left + step * view.columns + side), 0, width - 1))
        for step, side in ((first, -reach), (last, reach))
    )
    return Box(left, int(margin), max(1, right - left), max(1, height - 2 * int(margin)))
