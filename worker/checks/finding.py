"""What a check reports: the name of the check, how serious the result is, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """The result of one check. The field names are the keys of `doctor --json`.

    Attributes:
        check: the name of the check.
        level: how serious the finding is.
        said: what was found.
        todo: what to do about it; empty if nothing needs to be done.
    """

    check: str
    level: Level
    said: str
    todo: str = ""
