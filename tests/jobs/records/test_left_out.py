"""What is left out, in words and as JSON."""

from __future__ import annotations

import json

import msgspec
import pytest

from lettermill.jobs.records.left_out import NAMES_KEPT, NOTHING, SUFFIXES_KEPT, LeftOut


def test_files_are_counted_by_suffix_those_without_one_last() -> None:
    files = [
        "a.gif",
        "b.docx",
        "sub/B.DOCX",
        "README",
        "letter of 4. May",
        "caf\udce9.\udce9",
        "x.gif~",
        "e.",
    ]
    left_out = LeftOut.of(files, [], [])
    assert left_out.files == "2 .docx, 1 .gif, 5 without a suffix"
    assert list(left_out.sentences()) == [
        "left out, because they do not end like scans: 2 .docx, 1 .gif, 5 without a suffix"
    ]


def test_of_many_suffixes_and_names_the_first_are_kept_and_all_are_counted() -> None:
    files = [f"{n}.n{n}" for n in range(100)] + ["a.gif", "b.gif"]
    left_out = LeftOut.of(files, [f"box{n:03}" for n in range(100)], [])
    assert len(left_out.by_suffix) == SUFFIXES_KEPT + 1
    assert sum(left_out.by_suffix.values()) == 102
    assert left_out.files.startswith("2 .gif, 1 .n0")
    assert left_out.files.endswith(f"{102 - 2 - SUFFIXES_KEPT + 1} with other suffixes")
    assert (left_out.linked_folders.count, len(left_out.linked_folders.first)) == (100, NAMES_KEPT)
    assert str(left_out.linked_folders).endswith(f"box{NAMES_KEPT - 1:03}, and {100 - NAMES_KEPT} more")


def test_names_that_would_break_a_sentence_are_quoted() -> None:
    left_out = LeftOut.of([], ["a\nb", "a,b", "a b", "caf\udce9"], [])
    assert str(left_out.linked_folders) == r"'a\nb', a b, 'a,b', caf\xe9"


def test_it_comes_back_from_json_and_is_shown_without_bytes_of_names() -> None:
    left_out = LeftOut.of(["a.gif"], ["box\udce9"], ["gone.png"])
    stored = json.loads(json.dumps(msgspec.to_builtins(left_out)))
    assert msgspec.convert(stored, LeftOut) == left_out
    json.dumps(left_out.to_json(), ensure_ascii=False).encode()


def test_nothing_is_nothing() -> None:
    assert not NOTHING
    assert not list(NOTHING.sentences())
    assert LeftOut.of([], [], ["gone.png"])


@pytest.mark.parametrize(
    ("now", "more"),
    [
        (LeftOut.of(["a.gif"], ["box"], []), False),
        (LeftOut.of(["a.gif", "b.gif"], ["box"], []), True),
        (LeftOut.of(["a.docx"], ["box"], []), True),
        (LeftOut.of(["a.gif"], ["box", "box2"], []), True),
        (LeftOut.of(["a.gif"], [], ["gone.png"]), True),
        (NOTHING, False),
    ],
)
def test_whether_there_is_more_than_before(now: LeftOut, more: bool) -> None:
    assert now.has_more_than(LeftOut.of(["x.gif"], ["box"], [])) is more


def test_files_of_some_suffixes_can_be_passed_over() -> None:
    left_out = LeftOut.of(["a.png.part", "b.gif"], ["box"], [])
    assert left_out.without({".part"}) == LeftOut.of(["b.gif"], ["box"], [])
