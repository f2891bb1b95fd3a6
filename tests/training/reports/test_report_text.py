"""Figures as text for the terminal."""

from __future__ import annotations

import numpy as np

from lettermill.training.reports.report_content import headline
from lettermill.training.reports.report_text import change_text, table_text
from tests.drawn_letters import answers_of


def test_a_line_for_each_group_below_the_two_of_the_head() -> None:
    answers = answers_of([("A", "A", 0.9995), ("B", "B", 0.9), ("C", "A", 0.8), ("C", "C", 0.995)])
    answers.sources[:2] = "two"
    lines = table_text(headline(answers)).splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["all letters", "one", "two"]
    assert lines[1].split()[:3] == ["source", "letters", "right"] and lines[1].endswith("99.9%")
    words = lines[4].split()
    assert words[1:3] == ["2", "100.00%"] and words[-3:] == ["100.0%"] * 3


def test_the_columns_are_as_wide_as_the_longest_source() -> None:
    answers = answers_of([("A", "A", 0.9), ("B", "B", 0.9)])
    answers = type(answers)(
        answers.labels,
        answers.probabilities,
        answers.classes,
        answers.glyphs,
        np.array(["a source of a long name", "b"]),
    )
    head, *rows = table_text(headline(answers)).splitlines()[1:]
    assert {len(row) for row in rows} == {len(head)}


def test_a_change_is_counted_and_tested() -> None:
    before = answers_of([("A", "B", 0.9)] * 6 + [("A", "A", 0.9)])
    after = answers_of([("A", "A", 0.9)] * 6 + [("A", "B", 0.9)])
    text = change_text(after, before)
    assert text.startswith("6 letters corrected, 1 broken; by chance with p = 0.12")  # 2 · (1 + 7) / 2⁷
