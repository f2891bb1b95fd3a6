"""Results are written and read; damaged ones are found."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lettermill.jobs.errors import ErrorCode, NotAJob
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import (
    Box,
    Letter,
    LineReading,
    PageReading,
    Quality,
    Status,
    from_bytes,
    to_bytes,
)
from lettermill.jobs.storage.display import display_path

characters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


boxes = st.builds(Box, *[st.integers(0, 100_000)] * 4)


rankings = st.lists(st.tuples(characters, st.floats(0, 1)), min_size=1, max_size=3).map(tuple)


letters = st.builds(Letter, boxes, st.integers(1, 99), rankings, st.booleans())


lines = st.builds(LineReading, boxes, st.lists(letters, min_size=1, max_size=4).map(tuple), st.text())


names = st.text(st.characters(exclude_characters="\0", exclude_categories=[])).map(
    lambda text: os.fsdecode(text.encode("utf-8", "ignore"))
) | st.binary().map(os.fsdecode)


readings = st.builds(
    PageReading,
    page_id=st.text("0123456789abcdef", min_size=24, max_size=24),
    scan=names,
    page=st.integers(1, 10_000),
    status=st.sampled_from(Status),
    error_code=st.none() | st.sampled_from(ErrorCode),
    error=st.text(),
    lines=st.lists(lines, max_size=3).map(tuple),
    skew_degrees=st.floats(-45, 45),
    quality=st.lists(st.sampled_from(["LOW_RESOLUTION", "SKEWED"])).map(tuple),
    measured=st.builds(Quality, *[st.none() | st.floats(0, 1e4)] * 5),
    seconds=st.floats(0, 1e4),
    attempts=st.integers(1, 3),
)


@hypothesis_settings(deadline=None)  # The machine may be busy.
@given(readings)
def test_readings_survive_their_bytes(reading: PageReading) -> None:
    assert from_bytes(to_bytes(reading)) == msgspec.structs.replace(reading, scan=display_path(reading.scan))


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def failed(entry: ManifestEntry, code: ErrorCode, status: Status = Status.FAILED) -> PageReading:
    return PageReading(entry.id, entry.scan, entry.page, status, code, "why")


def test_results_survive_the_disk(job_of: Callable[..., Job], reading_of: Callable[..., PageReading]) -> None:
    job = job_of(os.fsdecode(b"caf\xe9.png"), "b.png")
    first, second = entries(job)
    reading = msgspec.structs.replace(reading_of(second, "HELLO WORLD\nAGAIN"), quality=("SKEWED",))
    job.results.write(reading)
    assert job.results.read(second.id) == msgspec.structs.replace(reading, scan=display_path(second.scan))
    assert reading.text == "HELLO WORLD\nAGAIN"
    assert job.results.read(first.id) is None
    assert (job.tally().pages, job.tally().finished, job.tally().complete) == (2, 1, False)
    job.results.write(reading_of(first))
    assert job.tally().complete


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"lines": [{}]}'])
def test_damaged_results_are_told_and_read_again(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading], content: bytes
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    for entry in (first, second):
        job.results.write(reading_of(entry, "AB"))
    job.results.path(first.id).write_bytes(content)
    with pytest.raises(NotAJob, match="damaged"):
        job.results.read(first.id)
    assert job.forget_results() == 1
    assert not job.results.has(first.id)
    assert job.results.has(second.id)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"A"', b'"B"'), (b'"word"', b'"WORD"'), (b"0.98", b"0.99"), (b"true", b"false")]
)
def test_a_result_edited_by_hand_is_told(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading], old: bytes, new: bytes
) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    job.results.write(msgspec.structs.replace(reading_of(entry, "AB"), quality=("word", "true")))
    path = job.results.path(entry.id)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(NotAJob, match="damaged"):
        job.results.read(entry.id)


def test_a_result_in_another_pages_place_is_told(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "AB"))
    job.results.path(second.id).parent.mkdir(parents=True, exist_ok=True)
    job.results.path(first.id).rename(job.results.path(second.id))
    with pytest.raises(NotAJob, match="another page"):
        job.results.read(second.id)


def test_a_reading_counts_more_than_a_failure_whichever_comes_first(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(failed(first, ErrorCode.TIMEOUT))
    assert (job.tally().finished, job.tally().failed) == (1, 1)
    for entry in (first, second):
        job.results.write(reading_of(entry, "AB"))
    job.results.write(failed(second, ErrorCode.TIMEOUT))
    assert (job.tally().finished, job.tally().failed) == (2, 0)
    assert [job.results.read(entry.id) for entry in (first, second)] == [
        reading_of(entry, "AB") for entry in (first, second)
    ]


def test_which_failures_are_tried_again(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of(*(f"{name}.png" for name in "abcd"))
    a, b, c, d = entries(job)
    for reading in (
        failed(a, ErrorCode.TOO_MANY_PIXELS),
        failed(b, ErrorCode.TRUNCATED),
        failed(c, ErrorCode.WORKER_LOST, Status.QUARANTINED),
        reading_of(d, "A"),
    ):
        job.results.write(reading)
    job_of()  # The same command again: what may have been mended outside of the file.
    assert [job.results.has(entry.id) for entry in (a, b, c, d)] == [False, True, True, True]
    assert job.forget_results(failures=True) == 2
    assert [job.results.has(entry.id) for entry in (a, b, c, d)] == [False, False, False, True]
