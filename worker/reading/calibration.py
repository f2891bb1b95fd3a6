"""Maps the share of readings that agree on a letter to the probability that the letter is right.

A second map leads from the least letter confidence of a field to the probability that all of it is right.
Both were measured on fields that trained neither network, missed letters counted as errors. The mean of all
values from one upwards is a lower bound that holds with 95 % confidence: bench/calibrate.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lettermill.worker.reading.classifier import Ranking

Knots = Sequence[tuple[float, float]]
"""Log-odds of the share, rising, and the log-odds of being right there, never falling."""

HIGHEST_LOG_ODDS = 9.21
"""Of a probability of 0.9999: beyond, the shares mean nothing."""


def log_odds(shares: Sequence[float]) -> list[float]:
    """Return the log-odds of probabilities, within ±`HIGHEST_LOG_ODDS`."""
    least = 1 / (1 + np.exp(HIGHEST_LOG_ODDS))
    clipped = np.clip(np.asarray(shares, np.float64), least, 1 - least)
    return [float(one) for one in np.log(clipped / (1 - clipped))]


def confidence_of(share: float, knots: Knots) -> float:
    """Return the probability to which a share is mapped, 0–1; between knots the map is straight.

    Without knots, it is the share.
    """
    if not knots:
        return share
    (odds,) = log_odds([share])
    places, values = zip(*knots, strict=True)
    return float(1 / (1 + np.exp(-np.interp(odds, places, values))))


def calibrated(ranking: Ranking, knots: Knots) -> Ranking:
    """Calibrate a letter.

    Args:
        ranking: characters with the share of readings that have them, best first.
        knots: the map. Without knots, nothing changes.

    Returns:
        The same characters; the first has its calibrated confidence, and the others keep their shares of what
        remains.
    """
    if not knots:
        return ranking
    (best, share), *others = ranking
    confidence = confidence_of(share, knots)
    rest = (1 - confidence) / max(1 - share, 1e-9)
    kept = [(other, round(min(1.0, each * rest), 6)) for other, each in others]
    return ((best, round(confidence, 6)), *kept)


def field_confidence(confidences: Sequence[float], knots: Knots) -> float | None:
    """Return the probability that all of a field is right.

    Args:
        confidences: of its letters, at least one.
        knots: the map of fields.

    Returns:
        0–1; None without knots.
    """
    return round(confidence_of(min(confidences), knots), 6) if knots else None
