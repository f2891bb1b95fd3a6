"""Checks that the `train` extra is installed."""

from __future__ import annotations

import importlib.util

from lettermill.jobs.errors import MissingExtra


def require_extra(package: str, purpose: str) -> None:
    """Stop with advice if a package of the `train` extra is not installed.

    Args:
        package: its import name.
        purpose: what needs it.

    Raises:
        MissingExtra: the package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(
            f"{purpose} needs {package}", "Install it with: pip install '.[train]' (in a clone)"
        )
