"""What a message says: the arguments of the one task, and the check that everything that comes must pass."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from lettermill.jobs.records.manifest import ManifestEntry

MOST_PAGES = 8
"""At most this many small pages are one message: a message costs about 5 ms, a form field about 10 ms."""

_MOST_CHARACTERS = 4096
"""Of a path or a word: as long as paths get."""


def check_arguments(arguments: Any) -> None:
    """Check the arguments of a message: a job below the result root, an epoch, and some pages.

    Anybody who may write to Redis can send a message, so nothing is taken for granted. What is wrong is said
    without quoting it.

    Raises:
        ValueError: they are none that `lettermill.jobs.queue.feed` could have sent.
    """
    if not isinstance(arguments, list) or len(arguments) != 3:
        raise ValueError("its arguments are not a job, an epoch and pages")
    below, epoch, pages = arguments
    if not isinstance(epoch, str) or len(epoch) > _MOST_CHARACTERS:
        raise ValueError("its epoch is none")
    _check_path(below)
    if not isinstance(pages, list) or not 0 < len(pages) <= MOST_PAGES:
        raise ValueError("it has no pages, or too many")
    for page in pages:
        try:
            entry = ManifestEntry.from_json(page)
        except (ValueError, RecursionError):
            raise ValueError("one of its pages is none") from None
        _check_path(entry.scan)


def _check_path(path: object) -> None:
    if not isinstance(path, str) or len(path) > _MOST_CHARACTERS or "\0" in path:
        raise ValueError("a path in it is none")
    try:
        inside(path)
    except ValueError:
        raise ValueError("a path in it leads out of the roots") from None


def inside(path: str) -> PurePosixPath:
    """Return a path of a message or a job, which may not lead out of its root.

    Raises:
        ValueError: it would.
    """
    below = PurePosixPath(path)
    if below.is_absolute() or ".." in below.parts:
        raise ValueError(f"{path!r} lies outside of the worker's roots")
    return below
