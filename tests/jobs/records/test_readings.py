"""Readings are written and read again whole, and what they share with segmentation/ stays the same."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import get_args

import msgspec
import pytest

from lettermill.jobs import settings
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.records import readings
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
from lettermill.segmentation import page, values

BOX = Box(1, 2, 3, 4)


def letter(best: str, word: int = 1) -> Letter:
    return Letter(BOX, word, ((best, 0.9), ("Y", 0.05), ("Z", 0.05)), False)


READING = PageReading(
    "0" * 24,
    "box/page.png",
    2,
    Status.DONE,
    lines=(
        LineReading(BOX, (letter("A"), letter("B"), letter("C", 2))),
        LineReading(BOX, (letter(""),)),
        LineReading(BOX, (letter("D", 2),), "DO", "name", 0.8),
    ),
    skew_degrees=1.5,
    width=600,
    height=400,
    quality=("SKEWED",),
    measured=Quality(30.0, 4.0, 180.0, None, 0.98),
    seconds=0.5,
    version="1",
)


def test_a_reading_is_read_as_it_was_written() -> None:
    assert from_bytes(to_bytes(READING)) == READING
    failed = PageReading("0" * 24, "a.png", 1, Status.FAILED, ErrorCode.TIMEOUT, "late")
    assert from_bytes(to_bytes(failed)) == failed
    assert failed.failed
    assert not READING.failed


def test_bytes_that_are_not_text_are_written_as_escapes() -> None:
    odd = msgspec.structs.replace(READING, scan=os.fsdecode(b"caf\xe9.png"), error="\udce9")
    found = from_bytes(to_bytes(odd))
    assert (found.scan, found.error) == ("caf\\xe9.png", "\\udce9")


@pytest.mark.parametrize("change", [lambda file: file[:-10], lambda file: file.replace(b'"A"', b'"B"')])
def test_a_file_that_was_cut_off_or_edited(change: object) -> None:
    with pytest.raises(ValueError):
        from_bytes(change(to_bytes(READING)))  # type: ignore[operator]
    values = json.loads(to_bytes(READING))
    with pytest.raises(ValueError, match="digest"):
        from_bytes(json.dumps({**values, "check": "00"}).encode())


def test_letters_that_a_person_removed_are_not_text() -> None:
    assert READING.text == "AB C\nD"
    assert [one.letter for one in READING.letters] == ["A", "B", "C", "D"]
    assert [len(word) for word in READING.lines[0].words] == [2, 1]
    assert READING.lines[0].letters[0].confidence == 0.9


@pytest.mark.parametrize("name", ["Box", "Quality"])
def test_the_twins_in_segmentation_have_the_same_parts(name: str) -> None:
    ours = msgspec.structs.fields(getattr(readings, name))
    theirs = dataclasses.fields(getattr(values, name))
    assert [(one.name, one.type, one.default) for one in ours] == [
        (one.name, {"int": int, "float | None": float | None}[str(one.type)], _default(one.default))
        for one in theirs
    ]


def _default(value: object) -> object:
    return msgspec.NODEFAULT if value is dataclasses.MISSING else value


def test_the_twins_in_segmentation_have_the_same_values() -> None:
    assert get_args(settings.Layout) == get_args(page.Layout)
    assert get_args(settings.Printed) == get_args(page.Printed)


def test_letters_of_early_versions_are_not_disputed() -> None:
    written = to_bytes(READING)
    early = written.split(b'"reading":')[1][:-1].replace(b",false,false]", b",false]")
    check = readings._check(early).encode()
    assert len(early) < len(written) - 6 * len(READING.letters)
    assert from_bytes(b'{"check":"%s","reading":%s}' % (check, early)) == READING


@pytest.mark.parametrize(
    ("character", "is_mark"), [("A", False), ("1", False), ("", False), ("-", True), (".", True)]
)
def test_a_mark_is_no_letter_and_a_removed_letter_is_no_mark(character: str, is_mark: bool) -> None:
    assert Letter(Box(0, 0, 1, 1), 1, ((character, 1.0),), False).is_mark == is_mark
