"""Write a count with its noun: "1 page", "1200 pages"."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun in the right number.

    Args:
        count: how many.
        noun: the singular, for example "page".
        plural: the plural; the singular with an s if it is left out.
    """
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
