"""Show paths, and what a disk refuses, as a person reads them."""

from __future__ import annotations

import os

from lettermill.jobs.errors import ResultsNotWritable


def display_path(path: object) -> str:
    r"""Return a path as a person can read it: bytes that are not UTF-8 show as \xNN."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def not_writable(
    path: object,
    error: OSError,
    act: str = "write",
    next_step: str = "Free some space or correct the folder's permissions, then try again.",
) -> ResultsNotWritable:
    """Return the error to raise where a disk or folder does not take what a command writes.

    Args:
        path: the file or folder.
        error: what the system said.
        act: what was tried, to stand before the path: "cannot {act} {path}: …".
        next_step: what the person can do about it.
    """
    return ResultsNotWritable(f"cannot {act} {display_path(path)}: {error.strerror}", next_step)
