"""Tells slashes and vertical bars from the letters and digits of their line, by height and lean.

A slash looks like a 1 or an I; only its line shows what it is. It begins above the other letters and ends
below them, and it leans more than the hand does. A logistic model adds these up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from lettermill.segmentation.components import Component, draw_component

LEAST_BAR_LETTERS = 0.8
"""Lowest bar: slashes are at least about as high as letters."""

LEAST_SLENDER_RATIO = 3.0
"""Length divided by width of the narrowest box around a bar; a curved or hooked stroke has less."""

LEAST_FILL_SHARE = 0.45
"""Share of that box which is ink: the ends are round; a hook at an end leaves more paper."""

WIDEST_LEAN_RATIO = 1.5
"""Columns that a bar leans for each of its rows, at most: a hyphen leans more."""

LEAST_NEIGHBOUR_SHARE = 0.6
"""Height of a neighbour as a share of the line's letters, at least: lower ones are fragments."""

REACH_LETTERS = 1.2
"""Widest gap between a slash and what it separates: an I that is a word of its own has wider gaps."""

HEIGHT_WEIGHT, BEYOND_WEIGHT, LEAN_WEIGHT, BIAS = 10.0, 8.0, 11.0, -6.6
"""The log-odds of a slash: per unit of the logarithm of its height in heights of the line's other letters;
for each such height by which both its ends are beyond its neighbours'; per column for each row by which it
leans beyond the others. Fitted on 122 slashes and 435 digits 1 and letters I of UNIPEN, and on the letters I
of 8,600 names, and rounded."""

MOST_LEAN_RATIO = 0.6
"""Lean beyond the others' up to which it counts: a 1 that is all upstroke leans more."""

DOUBTFUL_LOG_ODDS = -3.5
"""Log-odds of a slash from which a bar is doubtful: one in twelve letters I of names has more, and nearly all
slashes do."""

DOUBTFUL_LEAN_RATIO = 0.5
"""Lean beyond the others' from which a bar is doubtful even if it is low: a hand leans by half as much."""

BACKSLASH_LEAN_RATIO = 0.2
"""What leaning to the left must exceed leaning to the right by: hands draw backslashes seldom."""

NEIGHBOURS = 4
"""Letters nearest to a bar that show where its line begins and ends: few enough to follow a bend."""

CERTAIN_PROBABILITY = 0.9
"""A bar that is as probably a slash as this is left out; one that is less so is read, but flagged."""

MOST_DOUBT_PROBABILITY = 0.4
"""Probability of a slash up to which a bar that is not certain counts: with more it would be left out."""


def slash_probabilities(line: Sequence[Component], letter: float) -> list[float]:
    """Say of each component how probably it is a slash or a vertical bar.

    Args:
        line: its letters from left to right.
        letter: height of the line's typical letter in pixels.

    Returns:
        0 for what is no bar or has no letter on both sides; never between `MOST_DOUBT_PROBABILITY` and
        `CERTAIN_PROBABILITY`.
    """
    leans = [_lean_of_bar(one, letter) for one in line]
    if all(lean is None for lean in leans):
        return [0.0] * len(line)
    whole = [one for one in line if one.height >= LEAST_NEIGHBOUR_SHARE * letter]
    slants = [_slant(one) for one in whole]
    return [
        0.0 if lean is None else _probability(one, lean, whole, slants, letter)
        for one, lean in zip(line, leans, strict=True)
    ]


def _probability(
    bar: Component, lean: float, whole: Sequence[Component], slants: Sequence[float], letter: float
) -> float:
    """How probably a bar is a slash, from the letters of its line and their slants; 0 at a word's end."""
    reach = REACH_LETTERS * letter
    twice = bar.left + bar.right
    if not any(one.left + one.right < twice and bar.left - one.right <= reach for one in whole):
        return 0.0
    if not any(one.left + one.right > twice and one.left - bar.right <= reach for one in whole):
        return 0.0

    others = [one for one in whole if one is not bar]
    slant = float(np.median([each for one, each in zip(whole, slants, strict=True) if one is not bar]))
    log_odds = _log_odds(bar, lean - slant, others)
    probability = 1 / (1 + math.exp(-log_odds))
    if probability >= CERTAIN_PROBABILITY:
        return probability
    is_doubtful = log_odds >= DOUBTFUL_LOG_ODDS or lean - slant >= DOUBTFUL_LEAN_RATIO
    return MOST_DOUBT_PROBABILITY if is_doubtful else probability


def _log_odds(bar: Component, beyond: float, others: Sequence[Component]) -> float:
    """The log-odds that a bar is a slash.

    Args:
        bar: the bar.
        beyond: how much it leans beyond the other letters of its line.
        others: these letters.
    """
    height = float(np.median([one.height for one in others]))
    near = sorted(others, key=lambda one: abs(one.left + one.right - bar.left - bar.right))[:NEIGHBOURS]
    above = float(np.median([one.top for one in near])) - bar.top
    below = bar.bottom - float(np.median([one.bottom for one in near]))
    return (
        HEIGHT_WEIGHT * math.log(bar.height / height)
        + BEYOND_WEIGHT * min(above, below) / height
        + LEAN_WEIGHT * min(max(beyond, -beyond - BACKSLASH_LEAN_RATIO), MOST_LEAN_RATIO)
        + BIAS
    )


def _lean_of_bar(component: Component, letter: float) -> float | None:
    """Columns that a straight bar leans to the right for each row; None if a component is no bar."""
    if (
        component.height < LEAST_BAR_LETTERS * letter
        or component.width > WIDEST_LEAN_RATIO * component.height
    ):
        return None
    box = cv2.minAreaRect(np.concatenate(component.contours))
    # Contours run through pixel centres.
    short, long = sorted(side + 1 for side in box[1])
    if long < LEAST_SLENDER_RATIO * short or component.area < LEAST_FILL_SHARE * long * short:
        return None
    corners = cv2.boxPoints(box)
    across, down = max(
        (corners[1] - corners[0], corners[2] - corners[1]), key=lambda side: float(np.hypot(*side))
    )
    if abs(across) > WIDEST_LEAN_RATIO * abs(down):
        return None
    return -float(across) / float(down)


def _slant(component: Component) -> float:
    """Columns that a component leans to the right for each row, by its second moments."""
    drawing = draw_component(component, component.left, component.top, component.width, component.height)
    moments = cv2.moments(drawing, binaryImage=True)
    return -moments["mu11"] / moments["mu02"] if moments["mu02"] else 0.0
