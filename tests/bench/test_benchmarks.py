"""What is pure in the measurements: counting, tables, parts of a page, made texts, dealing out."""

import math
from pathlib import Path

import pytest

from bench.ceiling import Stopwatch, floors, products_of
from bench.docs_parts import replace, spread, table
from bench.growth import Point, fixed_and_each, slopes, verdict
from bench.peer_pages import PageSet, a4_text
from bench.peer_tools import Tesseract, shares
from lettermill.jobs.inputs.model import installed_model_folder, load_model


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


def test_the_error_rate_counts_letters_of_the_alphabet_alone() -> None:
    pages = PageSet("a set", Path(), {"one.png": "ÉTÉ 1\nAB", "two.png": "CD"})
    assert pages.cer({"one.png": "e te-a b!", "two.png": "CD"}) == 0
    assert pages.cer({"one.png": "ETEAX", "two.png": ""}) == pytest.approx(3 / 7)
    assert pages.cer({"two.png": "CX"}) == pytest.approx(1 / 2)


@pytest.mark.parametrize(("letters", "lines"), [(10, 1), (300, 10), (1000, 32), (5000, 72)])
def test_a_text_has_as_many_letters_as_asked_in_lines_of_one_length(letters: int, lines: int) -> None:
    text = a4_text(3, letters, lines)
    lengths = [len(line.replace(" ", "")) for line in text]
    assert (sum(lengths), len(lengths)) == (letters, lines)
    assert max(lengths) - min(lengths) <= 1
    assert a4_text(3, letters, lines) == text


def test_files_are_dealt_out_without_an_empty_share() -> None:
    files = [Path(name) for name in "abc"]
    assert shares(files, 2) == [[Path("a"), Path("c")], [Path("b")]]
    assert shares(files[:1], 2) == [[Path("a")]]


@pytest.mark.parametrize("last", ["", "\f"])
def test_texts_of_tesseract_are_told_apart_also_where_a_page_has_none(tmp_path: Path, last: str) -> None:
    (tmp_path / "0.list").write_text("/x/a.png\n/x/b.png\n/x/c.png\n")
    (tmp_path / "0.txt").write_text(f"A\n\f\fC\n{last}")
    assert Tesseract(6).texts(tmp_path) == {"a.png": "A\n", "b.png": "", "c.png": "C\n"}


def test_a_line_and_its_slope_are_found() -> None:
    linear = [Point(size, 3 * size, 0) for size in (1, 10, 100)]
    assert slopes(linear) == pytest.approx([1, 1])
    square = [Point(size, size**2, 0) for size in (1, 10)]
    assert slopes(square) == pytest.approx([2])
    assert "no more than linear" in verdict(linear)
    assert "no more" not in verdict(square)
    assert fixed_and_each([Point(size, 2 + 0.5 * size, 0) for size in (1, 10, 100)]) == pytest.approx(
        (2, 0.5)
    )


def test_multiply_adds_are_those_of_the_graph() -> None:
    products = products_of(load_model(installed_model_folder()).network)
    # The first convolution looks at 28×28 pixels once each; the last product gives a score a label.
    assert products[0][0] == 28 * 28
    assert products[-1][0] == 1
    weights = sum(inner * columns for _, inner, columns in products)
    assert weights < sum(math.prod(each) for each in products)


def test_floors_come_from_the_best_rates() -> None:
    rate = {"product a": 5.0, "product b": 10.0, "decode PNG": 4.0, "decode JPEG": 8.0, "copy": 50.0}
    found = floors(rate, pixels=100, multiply_adds=40)
    assert found == {"decode": 25, "segmentation": 10, "CNN": 4}


def test_what_a_stage_calls_of_another_counts_for_the_other() -> None:
    watch = Stopwatch()
    burn = watch.timed("inner", lambda: sum(range(2_000_000)))
    watch.timed("outer", lambda: [burn() for _ in range(3)])()
    assert watch.seconds["inner"] > watch.seconds["outer"] >= 0
