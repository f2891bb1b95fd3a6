"""Decides whether a box is ticked or signed: by the share of it that is ink and not print."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lettermill.jobs.inputs.field_kinds import TICKED, FieldKind, Signature, Tick
from lettermill.jobs.records.readings import Box, Letter, LineReading


class Bounds(NamedTuple):
    """Shares of a field that is ink.

    Attributes:
        empty: up to this one there is nothing but dirt.
        filled: from this one on, somebody made a mark.
    """

    empty: float
    filled: float


TICK_BOUNDS = Bounds(0.02, 0.05)
"""Of a tick box; docs/forms.md has the measurements."""

SIGNATURE_BOUNDS = Bounds(0.002, 0.008)
"""Of the place for a signature, most of which stays white."""

STEEPNESS = 3.0
"""How fast the confidence rises with the share: 0.5 between the bounds, 0.8 at the upper one of a tick."""


def bounds_of(kind: FieldKind) -> Bounds | None:
    """Return the bounds of a kind that is decided by its ink; None for others."""
    if isinstance(kind, Tick):
        return TICK_BOUNDS
    return SIGNATURE_BOUNDS if isinstance(kind, Signature) else None


def read_tick(name: str, box: Box, share: float, bounds: Bounds) -> LineReading | None:
    """Return the reading of a box: one letter, X, if there is a mark.

    Args:
        name: of the field.
        box: on the page.
        share: of the box that is ink.
        bounds: between them the letter is flagged.

    Returns:
        None if the box is empty.
    """
    if share <= bounds.empty:
        return None
    middle = np.sqrt(bounds.empty * bounds.filled)
    confidence = round(float(1 / (1 + (middle / share) ** STEEPNESS)), 6)
    letter = Letter(box, 1, ((TICKED, confidence),), share < bounds.filled)
    return LineReading(box, (letter,), "", name, confidence)
