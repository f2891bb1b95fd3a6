"""Parts of docs/benchmarks.md that measurements write."""

from __future__ import annotations

import pytest

from bench.docs_parts import replace, spread, table


def test_a_part_of_a_page_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- a begins -->\nold\n<!-- a ends -->\nbetween\n<!-- b begins -->\n<!-- b ends -->\n"
    once = replace(page, "a", "new\n")
    assert once == page.replace("old", "new")
    assert replace(once, "a", "new") == once


@pytest.mark.parametrize("page", ["nothing", 2 * "<!-- a begins -->\n<!-- a ends -->\n"])
def test_a_page_without_the_part_or_with_two_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="must have one <!-- a begins -->"):
        replace(page, "a", "new")


def test_tables_and_spreads() -> None:
    assert table(["tool", "s"], [["x", "1"]]) == "| tool | s |\n| --- | ---: |\n| x | 1 |"
    assert spread([3, 1, 2]) == "2.00 (1.00–3.00)"
