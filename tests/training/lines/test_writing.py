"""Texts written by one hand, free or in cells."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.training.lines.hands import Drawn, FontHand
from lettermill.training.lines.writing import Cells, write

CAPITAL = 40


def hand() -> FontHand:
    return FontHand({letter: Drawn(np.full((20, 12), 255, np.uint8), 0) for letter in "AB"}, 20)


def test_a_free_line_is_as_high_as_its_capitals_and_keeps_its_text() -> None:
    for seed in range(20):
        line = write("AB AB", hand(), CAPITAL, None, np.random.default_rng(seed))
        assert line is not None and line.text == "ABAB" and line.cells == ()
        rows = np.flatnonzero(line.ink.any(axis=1))
        assert 0.7 * CAPITAL < rows[-1] - rows[0] < 2.5 * CAPITAL
        assert line.ink.shape[1] > 2 * CAPITAL


def test_signs_are_written_and_are_no_text() -> None:
    signed = FontHand({one: Drawn(np.full((20, 12), 255, np.uint8), 0) for one in "AB("}, 20)
    plain, line = (write(text, signed, CAPITAL, None, np.random.default_rng(1)) for text in ("AB", "(AB"))
    assert plain is not None and line is not None and line.text == plain.text == "AB"
    assert line.ink.astype(bool).sum() > 1.2 * plain.ink.astype(bool).sum()


def test_the_same_seed_writes_the_same_line() -> None:
    one, other = (write("ABBA", hand(), CAPITAL, None, np.random.default_rng(5)) for _ in range(2))
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.ink, other.ink)


def test_cells_have_walls_and_stay_empty_where_asked() -> None:
    line = write("AB", hand(), CAPITAL, Cells(1.0, (1, 2), 0.0), np.random.default_rng(1))
    assert line is not None and line.text == "AB"
    assert len(line.cells) == 1 + 2 + 2 + 1
    assert np.diff(line.cells) == pytest.approx(CAPITAL)
    first, last = round(line.cells[0]), round(line.cells[1] - 0.25 * CAPITAL)
    assert not line.ink[:, first:last].any()


def test_what_is_crossed_out_is_no_text() -> None:
    line = write("AB", hand(), CAPITAL, Cells(1.0, (0, 0), 1.0), np.random.default_rng(1))
    assert line is not None and line.text == "" and line.ink.any()


def test_a_hand_that_lacks_a_character_writes_nothing() -> None:
    assert write("AZ", hand(), CAPITAL, None, np.random.default_rng(1)) is None
