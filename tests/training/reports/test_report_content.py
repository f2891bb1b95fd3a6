"""Groups of letters and their headline figures."""

from __future__ import annotations

import numpy as np

from lettermill.training.measure import figures
from lettermill.training.reports.report_content import ALL, groups, headline
from tests.drawn_letters import answers_of

ROWS = [("A", "A", 0.99), ("B", "B", 0.9), ("C", "A", 0.8)]


def test_letters_of_one_source_are_one_group() -> None:
    assert list(groups(answers_of(ROWS))) == [ALL]


def test_each_of_several_sources_is_a_group_beside_all() -> None:
    answers = answers_of(ROWS)
    answers.sources[2] = "two"
    found = groups(answers)
    assert list(found) == [ALL, "one", "two"]
    assert [int(mask.sum()) for mask in found.values()] == [3, 2, 1]
    measured = headline(answers)
    assert measured[ALL] == figures(answers)
    assert measured["two"] == figures(answers[np.array([2])])
    assert [one.wrong for one in measured.values()] == [1, 0, 1]
