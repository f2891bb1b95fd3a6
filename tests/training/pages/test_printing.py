"""What is printed on pages: text, codes, stamps; and what hands put there that is no writing."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.training.pages import printing
from tests.training.pages.made import FONTS

FONT = FONTS / "DejaVuSans.ttf"


def test_text_is_printed_in_its_size() -> None:
    small, large = printing.print_text("Name", FONT, 10), printing.print_text("Name", FONT, 40)
    assert small.max() > 200
    assert large.shape[0] == pytest.approx(4 * small.shape[0], rel=0.3)
    assert printing.print_text(" ", FONT, 10).max() == 0


@pytest.mark.parametrize("seed", range(5))
def test_words_are_as_many_as_asked_for(seed: int) -> None:
    words = printing.choose_words(5, FONT, np.random.default_rng(seed))
    assert len(words.split()) == 5
    assert printing.choose_words(5, FONT, np.random.default_rng(seed)) == words


def test_words_of_another_script_are_in_that_script() -> None:
    words = printing.choose_words(3, FONTS / "noto-sans-thai.woff2", np.random.default_rng(1))
    assert all("\u0e01" <= character <= "\u0e2e" for character in words.replace(" ", ""))


def test_a_qr_code_has_its_finder_patterns() -> None:
    code = printing.qr_code(210, np.random.default_rng(1))
    assert code.shape == (210, 210) and set(np.unique(code)) == {0, 255}
    assert code[:5, :40].all() and code[:40, :5].all() and code[-5:, :40].all()


def test_a_bar_code_is_bars() -> None:
    code = printing.bar_code(20, 300, np.random.default_rng(1))
    assert code.shape == (20, 300) and (code == code[0]).all() and 0.2 < (code > 0).mean() < 0.8


def test_a_tally_has_so_many_strokes() -> None:
    one, four = (printing.tally(30, count, np.random.default_rng(1)) for count in (1, 4))
    assert four.shape[1] > one.shape[1] and four.sum() > 3 * one.sum()


@pytest.mark.parametrize("seed", range(6))
def test_scribbles_ticks_symbols_and_stamps_leave_ink(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = (
        printing.scribble(60, 200, rng),
        printing.tick(20, 2, rng),
        printing.print_symbol(FONT, 40, rng),
        printing.stamp_image(120, [FONT], rng),
    )
    assert all(0.005 < (image > 64).mean() < 0.95 for image in images)


@pytest.mark.parametrize("seed", range(6))
def test_marks_to_register_by_are_dense(seed: int) -> None:
    mark = printing.register_mark(20, np.random.default_rng(seed))
    assert mark.shape in ((20, 20), (20, 40)) and (mark > 64).mean() > 0.3
