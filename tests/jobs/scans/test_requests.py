"""Requests and answers are lines of JSON, short enough to be sent at once."""

from __future__ import annotations

import msgspec
import pytest

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.scans.requests import (
    LONGEST_REQUEST_BYTES,
    Answer,
    Count,
    Render,
    Request,
    WriteSearchable,
)
from lettermill.jobs.settings import MAX_DPI, MAX_PAGE_SECONDS, MOST_MEGABYTES, MOST_MEGAPIXELS, Limits

LARGEST = Limits(MOST_MEGAPIXELS - 1e-9, MOST_MEGABYTES - 1e-9, 2**62, MAX_PAGE_SECONDS - 1e-9)


@pytest.mark.parametrize(
    "request_",
    [Count(LARGEST), Render(LARGEST, 2**62, MAX_DPI, 2**62), WriteSearchable(LARGEST, MAX_DPI)],
)
def test_a_request_is_read_as_it_was_sent(request_: Request) -> None:
    line = msgspec.json.encode(request_)
    assert len(line) < LONGEST_REQUEST_BYTES
    assert msgspec.json.decode(line, type=Request) == request_


def test_an_answer_is_one_line() -> None:
    answer = Answer(code=ErrorCode.TRUNCATED, message="two\nlines")
    line = msgspec.json.encode(answer)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Answer) == answer
