"""Look-alikes follow the kind of their word, and no other character changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.settings import ALPHABETS
from lettermill.worker.reading.classifier import Ranking
from lettermill.worker.reading.look_alikes import TWINS, resolve_look_alikes

SURE = 0.9


def word(text: str, twin: float = 0.06) -> list[Ranking]:
    """A word as the CNN reads it, look-alikes with the other one behind them."""
    return [((char, SURE), (TWINS.get(char, "W"), twin), ("M", 0.01)) for char in text]


def reading(rankings: list[Ranking]) -> str:
    return "".join(ranking[0][0] for ranking in rankings)


@pytest.mark.parametrize(
    ("read", "followed"),
    [
        ("HELL0", "HELLO"),
        ("REALI2E", "REALIZE"),
        ("0CT0BER", "OCTOBER"),
        ("5CH001", "5CH001"),  # Most of its others were read as digits.
        ("B00K", "BOOK"),
        ("2O24", "2024"),
        ("I997", "1997"),
        ("4711OO", "471100"),
        ("34B7", "3487"),
        ("A1", "A1"),
        ("7O", "7O"),
        ("M25", "M25"),
        ("AB4O", "AB4O"),
        ("1O1", "1O1"),
        ("0", "0"),
        ("HELLO", "HELLO"),
        ("2O", "2O"),
        ("HEG6L", "HEG6L"),
    ],
)
def test_the_kind_of_a_word(read: str, followed: str) -> None:
    assert reading(resolve_look_alikes(word(read))) == followed


def test_the_other_reading_stays_and_the_confidence_falls() -> None:
    *others, last = resolve_look_alikes(word("HELL0"))
    assert others == word("HELL")
    (letter, sure), (twin, twin_sure), third = last
    assert (letter, twin, third) == ("O", "0", ("M", 0.01))
    assert 0.5 * (SURE + 0.06) <= sure < SURE
    assert sure + twin_sure == pytest.approx(SURE + 0.06, abs=1e-5)


def test_what_the_ink_says_counts() -> None:
    sures = [resolve_look_alikes(word("HELL0", twin))[-1][0][1] for twin in (0.0, 0.05, 0.08)]
    assert sures == sorted(sures)
    assert sures[0] == pytest.approx(SURE / 2)


@given(st.text(ALPHABETS["alnum"], max_size=12))
def test_only_look_alikes_change_and_only_into_each_other(text: str) -> None:
    before = word(text)
    for old, new in zip(before, resolve_look_alikes(before), strict=True):
        assert new == old or (TWINS[old[0][0]] == new[0][0] and new[1][0] == old[0][0])
        assert [sure for _, sure in new] == sorted((sure for _, sure in new), reverse=True)
