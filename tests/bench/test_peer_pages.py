"""The pages that Lettermill and its peers read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.peer_pages import PageSet, a4_text, as_png


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


def test_images_of_any_name_become_png() -> None:
    pixels = np.zeros((2, 3), np.uint8)
    items = [("images/a.jpg", pixels, "A"), ("b.png", pixels, "B")]
    assert [(name, text) for name, _, text in as_png(items, "x-")] == [("x-a.png", "A"), ("x-b.png", "B")]
