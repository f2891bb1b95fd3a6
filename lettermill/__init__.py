"""Batch OCR for hand-printed letters; the four rooms of the repository are its sub-packages.

`lettermill.read`, `lettermill.read_pages` and `lettermill.run` read from Python: docs/python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lettermill.api import (
        Letter,
        LettermillError,
        Line,
        Page,
        Results,
        ScanError,
        Word,
        read,
        read_pages,
        run,
    )

__all__ = [
    "Letter",
    "LettermillError",
    "Line",
    "Page",
    "Results",
    "ScanError",
    "Word",
    "read",
    "read_pages",
    "run",
]


def __getattr__(name: str) -> object:
    """Load the Python interface when it is first used: the command line starts without it."""
    if name not in __all__:
        raise AttributeError(f"module 'lettermill' has no attribute {name!r}")
    from lettermill import api

    return getattr(api, name)
