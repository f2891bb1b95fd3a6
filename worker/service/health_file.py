"""Judges from the health file of a worker whether the worker needs a restart.

`lettermill health` loads it every few seconds, so it imports next to nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from lettermill.jobs.results.counted import counted

_OLD_SECONDS = 30
"""A file that is older than this is out of date: six heartbeats are missing."""

_DEAF_SECONDS = 120
"""Celery tries to connect at least every 32 s; after four times that the worker is stuck."""

_SLACK_SECONDS = 60
"""How long after its time limit a message's process is killed and its pages are dealt with."""


class Health(msgspec.Struct, frozen=True):
    """The state of a worker's main process; ages are in seconds before `at`.

    Attributes:
        at: when it was written.
        stopping: whether the worker was asked to stop and lets pages finish.
        redis_silent: how long Redis has not answered; 0 where it answers.
        deaf: how long the worker has received no messages although Redis answers.
        pages: how many pages the worker has, including those that wait for a free process.
        at_work: how long it has had the message that is closest to its time limit, or beyond it.
        limit: that time limit.
        last_page: how long ago pages were last finished, read or failed; None before the first.
    """

    at: datetime
    stopping: bool
    redis_silent: float
    deaf: float
    pages: int
    at_work: float
    limit: float
    last_page: float | None


class Verdict(NamedTuple):
    """Whether a worker needs a restart.

    Attributes:
        well: whether it needs none.
        sentence: why.
    """

    well: bool
    sentence: str


def judge(health: Health, now: datetime) -> Verdict:
    """Judge whether a worker needs a restart.

    A worker whose Redis is away needs none: it reconnects by itself, and a restart would only lose the pages
    that it is reading.
    """
    age = (now - health.at).total_seconds()
    if age > _OLD_SECONDS:
        return Verdict(False, f"the worker gave its last sign {age:.0f} s ago: it has ended or hangs")
    if health.at_work > health.limit + _SLACK_SECONDS:
        return Verdict(
            False,
            f"pages have been at work for {health.at_work:.0f} s, their time limit is {health.limit:g} s: "
            "the worker is stuck",
        )
    if health.stopping:
        return Verdict(True, f"the worker stops when its pages are finished: {health.pages} at work")
    if health.redis_silent:
        return Verdict(
            True,
            f"the worker is well, but Redis has not answered for {health.redis_silent:.0f} s: look at Redis, "
            "the worker connects again by itself",
        )
    if health.deaf > _DEAF_SECONDS:
        return Verdict(
            False,
            f"Redis answers, and the worker has not listened to it for {health.deaf:.0f} s: it is stuck",
        )
    last = (
        "none finished yet" if health.last_page is None else f"the last finished {health.last_page:.0f} s ago"
    )
    return Verdict(True, f"the worker is well: {counted(health.pages, 'page')} at work, {last}")
