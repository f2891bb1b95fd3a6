"""Events of pages reach the main process whole, and nobody waits for them."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.worker.service.events import AttemptsLost, EventPipe, PageEnd, page_end, timed


def _tell(pipe: EventPipe, times: int) -> None:
    for _ in range(times):
        pipe.send(AttemptsLost(1))
    if times < 100:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_line_is_whole_whoever_is_killed() -> None:
    pipe = EventPipe()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_tell, args=(pipe, times)) for times in (50, 100, 60, 100)]
    for process in processes:
        process.start()
    events = pipe.events()
    assert sum(next(events).attempts == 1 for _ in range(310)) == 310  # type: ignore[union-attr]
    for process in processes:
        process.join()
    pipe.send(AttemptsLost(7))
    assert next(events) == AttemptsLost(7)


def test_nobody_waits_where_nobody_listens() -> None:
    pipe = EventPipe()
    for _ in range(10_000):
        pipe.send(AttemptsLost(1))
    assert next(pipe.events()) == AttemptsLost(1)


def test_the_event_of_a_page_has_counts_and_no_letters() -> None:
    letters = tuple(Letter(Box(0, 0, 9, 9), 1, (("A", sure),), sure < 0.8) for sure in (0.5, 1.0))
    reading = PageReading("id", "a.png", 1, Status.DONE, lines=(LineReading(Box(0, 0, 9, 9), letters),))
    assert page_end(reading, {"read": 2.0}) == PageEnd(Status.DONE, None, 2, 1, 0.75, {"read": 2.0})
    failed = PageReading("id", "a.png", 1, Status.FAILED, ErrorCode.TRUNCATED)
    assert page_end(failed, {}) == PageEnd(Status.FAILED, ErrorCode.TRUNCATED, 0, 0, None, {})


def test_a_stage_that_fails_is_timed() -> None:
    seconds: dict[str, float] = {}
    with pytest.raises(ZeroDivisionError), timed(seconds, "decode"):
        raise ZeroDivisionError
    assert seconds["decode"] >= 0
