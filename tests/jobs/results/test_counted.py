"""Counts with their nouns."""

from __future__ import annotations

import pytest

from lettermill.jobs.results.counted import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 pages"), (1, "1 page"), (1200, "1200 pages")])
def test_the_noun_follows_the_count(count: int, said: str) -> None:
    assert counted(count, "page") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(3, "entry", "entries") == "3 entries"
