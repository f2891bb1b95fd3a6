"""Characters as one hand writes them."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.settings import LETTERS, MARKS
from lettermill.training.lines.hands import (
    SIGNS,
    Drawn,
    FontHand,
    GlyphHand,
    GlyphSet,
    Hand,
    StrokeHand,
    crop,
    draw_strokes,
    mark_strokes,
    sign_strokes,
)
from tests.drawn_letters import canvases

CAPITAL = 40


def hands() -> list[Hand]:
    rng = np.random.default_rng(1)
    glyphs = GlyphSet.of_images(canvases("ABab"), list("ABab"), 40)
    bar = [np.array([[3, 2], [5, 90]], np.float32)]
    fonts = {"A": Drawn(np.full((20, 10), 255, np.uint8), 0)}
    return [GlyphHand(glyphs, 0.0, rng), StrokeHand({"A": [bar]}, rng), FontHand(fonts, 20)]


@pytest.mark.parametrize("hand", hands(), ids=["glyphs", "strokes", "font"])
def test_a_capital_is_about_as_high_as_asked_for(hand: Hand) -> None:
    drawn = hand.draw("A", CAPITAL, np.random.default_rng(2))
    assert drawn is not None and drawn.ink.max() > 128
    assert 0.7 * CAPITAL <= drawn.ink.shape[0] <= 1.5 * CAPITAL
    assert -0.3 * CAPITAL <= drawn.top <= 0.3 * CAPITAL


@pytest.mark.parametrize("hand", hands(), ids=["glyphs", "strokes", "font"])
def test_a_hand_says_what_it_cannot_write(hand: Hand) -> None:
    assert hand.draw("Z", CAPITAL, np.random.default_rng(2)) is None


def test_a_hand_may_write_lower_case_which_is_lower() -> None:
    rng = np.random.default_rng(1)
    hand = GlyphHand(GlyphSet.of_images(canvases("Aa"), list("Aa"), 40), 1.0, rng)
    drawn = hand.draw("A", CAPITAL, rng)
    assert drawn is not None and drawn.ink.shape[0] < 0.75 * CAPITAL
    assert drawn.top + drawn.ink.shape[0] == CAPITAL


@pytest.mark.parametrize("mark", MARKS)
def test_marks_are_where_they_belong(mark: str) -> None:
    drawn = draw_strokes(mark_strokes(mark, np.random.default_rng(3)), CAPITAL, 3)
    middle = (drawn.top + drawn.ink.shape[0] / 2) / CAPITAL
    low, high = {"/": (0.3, 0.7), "-": (0.3, 0.75), "'": (-0.1, 0.3)}.get(mark, (0.8, 1.25))
    assert low <= middle <= high


@pytest.mark.parametrize("sign", SIGNS)
def test_signs_are_about_as_high_as_letters_at_most(sign: str) -> None:
    drawn = draw_strokes(sign_strokes(sign, np.random.default_rng(3)), CAPITAL, 3)
    assert drawn.ink.max() > 128
    assert drawn.top >= -0.4 * CAPITAL and drawn.top + drawn.ink.shape[0] <= 1.4 * CAPITAL
    assert 2 <= drawn.ink.shape[1] <= CAPITAL


def test_crop_leaves_nothing_of_an_empty_image() -> None:
    assert crop(np.zeros((5, 5), np.uint8)).shape == (1, 1)
    image = np.zeros((9, 9), np.uint8)
    image[2:5, 3:7] = 255
    assert crop(image).shape == (3, 4)


def test_style_groups_glyphs_by_label() -> None:
    glyphs = GlyphSet.of_images(canvases(LETTERS[:3] + "A"), [*LETTERS[:3], "A"], 40)
    assert glyphs.of["A"].tolist() == [0, 3]
    assert np.isfinite(glyphs.style).all()
