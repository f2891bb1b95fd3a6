"""What each reader says of a line is reported with its place."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.trace import Trace
from lettermill.segmentation.values import Box, Candidate
from lettermill.worker.reading.line_evidence import Steps
from lettermill.worker.reading.reader_notes import best_path, note_readers

LABELS = "AB/"


def steps(best: str, left: float = 10.0, columns: float = 2.0) -> Steps:
    """A view in which each step is surest of a label, or of nothing ("_")."""
    columns_of = [LABELS.find(one) for one in best]
    return Steps(np.eye(len(LABELS) + 1)[columns_of], left, columns)


def candidate(left: int, top: int, height: int = 12, width: int = 8) -> Candidate:
    ink = np.zeros((height, width), np.uint8)
    return Candidate(Box(left, top, width, height), ink, np.zeros((28, 28), np.uint8), left, top, 0, 1)


def test_characters_are_where_their_steps_are() -> None:
    assert best_path(steps("__AA_A//B"), LABELS) == [("A", 16.0), ("A", 21.0), ("/", 24.0), ("B", 27.0)]


@given(st.text(alphabet=f"{LABELS}_", min_size=1))
def test_the_best_path_is_the_text(best: str) -> None:
    view = steps(best)
    assert "".join(one for one, _ in best_path(view, LABELS)) == view.text(LABELS)


def test_all_readers_of_a_line_are_reported_together() -> None:
    noted: list[Any] = []

    class Notes(Trace):
        def note_readings(self, *words: Any) -> None:
            noted.append(words)

    line = [candidate(0, 5), candidate(10, 3), candidate(20, 8, height=14)]
    cnn, chosen = [("B", line[0])], [("A", line[1])]
    note_readers(Notes(), line, cnn, [steps("A"), steps("_B")], LABELS, chosen)
    assert noted == [
        (
            3,
            22,
            {
                "CNN": [("B", 4.0)],
                "line network": [("A", 11.0)],
                "line network, stretched": [("B", 13.0)],
                "chosen": [("A", 14.0)],
            },
        )
    ]
