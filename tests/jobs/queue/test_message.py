"""What a message may say: everything else is refused, in words that quote nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.queue.message import MAX_PAGES, PagesMessage, inside
from lettermill.jobs.records.manifest import ManifestEntry

PAGE: dict[str, Any] = {
    "id": "0123456789abcdef01234567",
    "scan": "box 2/page 1.tif",
    "page": 1,
    "bytes": 10,
    "mtime_ns": 5,
    "pages": 2,
}


def test_a_message_of_ours() -> None:
    for arguments in (
        ["may/scans-1", "an epoch", [PAGE] * MAX_PAGES],
        ["scans-1", "", [{**PAGE, "scan": "caf\udce9.png"}]],
    ):
        message = PagesMessage.from_arguments(arguments)
        assert message == PagesMessage(
            arguments[0], arguments[1], tuple(map(ManifestEntry.from_json, arguments[2]))
        )
        assert list(message.to_arguments()) == arguments
        assert message.page_ids == [PAGE["id"]] * len(message.pages)


def test_the_bytes_on_the_wire() -> None:
    """Workers of other versions with the same message format read these."""
    arguments = PagesMessage("may/scans-1", "an epoch", (ManifestEntry.from_json(PAGE),)).to_arguments()
    assert json.dumps(arguments) == (
        '["may/scans-1", "an epoch", [{"id": "0123456789abcdef01234567", "scan": "box 2/page 1.tif", '
        '"page": 1, "bytes": 10, "mtime_ns": 5, "pages": 2}]]'
    )


@pytest.mark.parametrize(
    "arguments",
    [
        None,
        {},
        [],
        ["job", "epoch"],
        ["job", "epoch", [PAGE], 1],
        [None, "epoch", [PAGE]],
        ["job", 7, [PAGE]],
        ["job", "x" * 5000, [PAGE]],
        ["job", "epoch", PAGE],
        ["job", "epoch", []],
        ["job", "epoch", [PAGE] * (MAX_PAGES + 1)],
        ["../SECRET", "epoch", [PAGE]],
        ["/SECRET", "epoch", [PAGE]],
        ["a/../../SECRET", "epoch", [PAGE]],
        ["SECRET\0", "epoch", [PAGE]],
        ["SECRET" * 1000, "epoch", [PAGE]],
        *(
            ["job", "epoch", [{**PAGE, key: value}]]
            for key, value in (
                ("id", "../../SECRET"),
                ("id", "A" * 24),
                ("id", PAGE["id"] + "\n"),
                ("id", None),
                ("scan", ""),
                ("scan", "../SECRET"),
                ("scan", "/SECRET"),
                ("scan", "SECRET\0"),
                ("scan", "\ud800SECRET"),
                ("scan", 1),
                ("page", 0),
                ("page", True),
                ("page", 1.5),
                ("pages", 0),
                ("bytes", -1),
                ("bytes", "1"),
                ("mtime_ns", None),
                ("SECRET", 1),
            )
        ),
        ["job", "epoch", [{key: value for key, value in PAGE.items() if key != "scan"}]],
    ],
)
def test_what_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError) as refusal:
        PagesMessage.from_arguments(arguments)
    assert "SECRET" not in str(refusal.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values)
def test_nothing_but_a_refusal_comes_of_other_things(arguments: Any) -> None:
    with pytest.raises(ValueError):
        PagesMessage.from_arguments(arguments)


@given(st.lists(st.sampled_from(["a", "b c", ".", "..", "", "é"]), min_size=1, max_size=5))
def test_a_path_stays_inside_or_is_refused(parts: list[str]) -> None:
    path = "/".join(parts)
    if ".." in parts or path.startswith("/"):
        with pytest.raises(ValueError, match="outside"):
            inside(path)
    else:
        assert not inside(path).is_absolute()
