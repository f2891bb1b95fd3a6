"""Defines what a message says, and validates it on arrival.

A message has the arguments of the one Celery task: a job, an epoch, and some pages.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from lettermill.jobs.records.manifest import ManifestEntry

MAX_PAGES = 8
"""The most pages of a message: a message costs about 5 ms, a form field about 10 ms."""

_MAX_CHARACTERS = 4096
"""Of a path or an epoch; paths do not get longer."""

_Text = Annotated[str, msgspec.Meta(max_length=_MAX_CHARACTERS)]


class PagesMessage(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Some pages of a job that are to be read; on the wire a list of three values.

    Attributes:
        job: path of the job folder below the result root, with `/`.
        epoch: the word that tells a current message from one that is out of date.
        pages: the pages.
    """

    job: _Text
    epoch: _Text
    pages: Annotated[tuple[ManifestEntry, ...], msgspec.Meta(min_length=1, max_length=MAX_PAGES)]

    @classmethod
    def from_arguments(cls, arguments: object) -> PagesMessage:
        """Return a validated message.

        Anybody who may write to Redis can send a message, so nothing is taken for granted.

        Args:
            arguments: the task's arguments as JSON gives them.

        Raises:
            ValueError: `lettermill.jobs.queue.feed` could not have sent them. It does not quote them.
        """
        try:
            message = msgspec.convert(arguments, cls)
        except (msgspec.ValidationError, RecursionError):
            raise ValueError(
                f"its arguments are not a job, an epoch and 1 to {MAX_PAGES} pages of a manifest"
            ) from None
        for path in (message.job, *(page.scan for page in message.pages)):
            _check_path(path)
        return message

    def to_arguments(self) -> tuple[str, str, list[dict[str, object]]]:
        """Return the arguments of the task."""
        return self.job, self.epoch, [page.to_json() for page in self.pages]

    @property
    def page_ids(self) -> list[str]:
        """The ids of its pages."""
        return [page.id for page in self.pages]


def _check_path(path: str) -> None:
    """Check a path of a message.

    Raises:
        ValueError: no file can have it, or it leads out of its root. The path is not quoted.
    """
    try:
        valid = len(path) <= _MAX_CHARACTERS and b"\0" not in os.fsencode(path)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("a path in it is invalid")
    try:
        inside(path)
    except ValueError:
        raise ValueError("a path in it leads out of the roots") from None


def inside(path: str) -> PurePosixPath:
    """Return a path of a message or a job, if it does not lead out of its root.

    Raises:
        ValueError: it does.
    """
    below = PurePosixPath(path)
    if below.is_absolute() or ".." in below.parts:
        raise ValueError(f"{path!r} lies outside of the worker's roots")
    return below
