"""What the stages report of themselves to a trace."""

from __future__ import annotations

from typing import Any

import cv2
import pytest

from lettermill.segmentation.page import segment
from lettermill.segmentation.trace import Trace
from lettermill.segmentation.values import Ink
from tests.segmentation.drawn import Draw, Drawn


class Notes(Trace):
    """Keeps what was noted."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any, str]] = []

    def note(self, stage: str, seen: Any, what: str = "") -> None:
        self.taken.append((stage, seen, what))

    def of(self, stage: str, what: str = "") -> list[Any]:
        return [item for name, seen, kind in self.taken if (name, kind) == (stage, what) for item in seen]


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_listening_changes_nothing(text_page: Drawn, notes: Notes) -> None:
    assert segment(text_page.page, trace=notes) == segment(text_page.page)
    assert notes.taken


def test_the_frame_comes_first_and_lines_and_words_are_those_found(text_page: Drawn, notes: Notes) -> None:
    found = segment(text_page.page, trace=notes)
    assert isinstance(notes.taken[0][1], Ink)
    assert [len(line) for line in notes.of("lines")] == [
        sum(len(word.candidates) for word in line.words) for line in found.lines
    ]
    assert [len(word) for word in notes.of("words")] == [
        len(word.candidates) for line in found.lines for word in line.words
    ]


def test_what_is_left_out_says_why(draw: Draw, notes: Notes) -> None:
    page = draw("MILL ON THE FLOSS", "BY GEORGE ELIOT.").page
    height, width = page.shape
    cv2.circle(page, (width // 2, height // 2), 1, 40, -1)  # a speck between the lines
    page[: height // 50, width // 4 : width // 3] = 40  # the foot of a line above
    segment(page, trace=notes)
    assert len(notes.of("left out", "specks")) == 1
    assert len(notes.of("left out", "cut by the edge")) == 1
    (stop,) = notes.of("left out", "marks of no letter")
    assert stop.left > 0.5 * width and stop.top > 0.5 * height
