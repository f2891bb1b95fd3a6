"""Texts that people might write into fields."""

from __future__ import annotations

import numpy as np

from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.training.lines.hands import SIGNS
from lettermill.training.lines.texts import draw_text


def texts(count: int, seed: int = 1) -> list[str]:
    rng = np.random.default_rng(seed)
    return [draw_text(["ANNA", "BERLIN"], rng) for _ in range(count)]


def test_texts_have_known_characters_alone_and_all_of_them() -> None:
    drawn = texts(2000)
    assert set("".join(drawn)) == set(LETTERS + DIGITS + MARKS + SIGNS + " ")
    assert all("  " not in text and len(text) <= 40 for text in drawn)


def test_most_texts_say_nothing_and_some_are_words() -> None:
    words = [text for text in texts(1000) if "ANNA" in text or "BERLIN" in text]
    assert 100 < len(words) < 350


def test_the_same_seed_gives_the_same_texts() -> None:
    assert texts(50) == texts(50) != texts(50, seed=2)
