"""Characters follow the kind of their line where the ink leaves it open."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.settings import ALPHABETS
from lettermill.worker.reading.classifier import Ranking
from lettermill.worker.reading.look_alikes import (
    CHANGE_BETWEEN_WORDS,
    CHANGE_IN_WORD,
    LEAST_OTHER_PROBABILITY,
    MIXED_PROBABILITY,
    TWINS,
    digit_probabilities,
    kind_of,
    resolve_look_alikes,
)

SURE = 0.9


def word(text: str, twin: float = 0.06) -> list[Ranking]:
    """A word as the CNN reads it: behind each look-alike its twin, behind others one of their kind."""
    return [
        ((char, SURE), (TWINS.get(char, "7" if char.isdigit() else "W"), twin), ("M", 0.01)) for char in text
    ]


def resolved(*texts: str, twin: float = 0.06) -> str:
    return " ".join(reading(one) for one in resolve_look_alikes([word(text, twin) for text in texts], True))


def reading(rankings: list[Ranking]) -> str:
    return "".join(ranking[0][0] for ranking in rankings)


@pytest.mark.parametrize(
    ("read", "followed"),
    [
        ("HELL0", "HELLO"),
        ("REALI2E", "REALIZE"),
        ("0CT0BER", "OCTOBER"),
        ("BO0K", "BOOK"),
        ("B00K", "B00K"),
        ("2O24", "2024"),
        ("I997", "1997"),
        ("34B7", "3487"),
        ("A1", "A1"),
        ("7O", "7O"),
        ("M25", "M25"),
        ("AB4158", "AB4158"),
        ("127895AB", "127895AB"),
        ("1O1", "101"),
        ("0", "0"),
        ("HELLO", "HELLO"),
        ("HEG6L", "HEG6L"),
    ],
)
def test_the_kind_of_a_word(read: str, followed: str) -> None:
    assert resolved(read) == followed


def test_on_a_page_words_differ_in_kind() -> None:
    words = [word("1"), word("MAKE"), word("A"), word("LI5T"), word("2O24")]
    read = resolve_look_alikes(words, together=False)
    assert [reading(one) for one in read] == ["1", "MAKE", "A", "LIST", "2024"]
    assert kind_of(words, together=False) == "alnum"
    assert reading(resolve_look_alikes(words[:4], together=True)[0]) == "I"


def test_on_a_page_the_word_before_counts_a_little() -> None:
    unsure = (("B", 0.7), ("8", 0.3))
    alone, beside = ([word("1947"), [unsure]], [word("MAKE"), [unsure]])
    assert [reading(one) for one in resolve_look_alikes(alone, False)] == ["1947", "8"]
    assert [reading(one) for one in resolve_look_alikes(beside, False)] == ["MAKE", "B"]


def test_an_x_says_nothing_of_the_kind_and_stays() -> None:
    crossed = (("X", 0.9), ("7", 0.06))
    assert reading(resolve_look_alikes([[crossed, *word("2O24")]], True)[0]) == "X2024"
    assert reading(resolve_look_alikes([[crossed, *word("HELL0")]], True)[0]) == "XHELLO"
    assert kind_of([[crossed, *word("47")]], True) == "alnum"


@pytest.mark.parametrize(
    ("text", "sure"), [("O", 0.5), ("0", 0.5), ("XXO", 0.5), ("HELLO", SURE), ("1940", SURE)]
)
def test_what_is_beside_an_o_or_a_0_tells_how_sure_it_is(text: str, sure: float) -> None:
    letter, confidence = resolve_look_alikes([word(text)], True)[0][-1][0]
    assert letter == text[-1] and confidence == pytest.approx(sure, abs=0.06)


def test_the_other_words_of_the_field_count() -> None:
    assert resolved("1I") == "1I"
    assert resolved("47", "1I") == "47 11"
    assert resolved("BRIDGE", "5I", "HAZEL") == "BRIDGE SI HAZEL"
    assert resolved("4763", "5I", "3944") == "4763 51 3944"
    assert resolve_look_alikes([], True) == [] and resolve_look_alikes([[], []], False) == [[], []]


def test_ink_of_the_other_kind_becomes_the_likeliest_character_of_the_line_s_kind() -> None:
    digits = [*word("4731"), (("G", 0.6), ("C", 0.2), ("6", 0.15))]
    assert reading(resolve_look_alikes([digits], True)[0]) == "47316"


def test_the_other_reading_stays_and_the_confidence_falls() -> None:
    *others, last = resolve_look_alikes([word("HELL0")], True)[0]
    assert others == word("HELL")
    (letter, sure), (twin, twin_sure), third = last
    assert (letter, twin, third) == ("O", "0", ("M", 0.01))
    assert 0.5 * (SURE + 0.06) <= sure < SURE
    assert sure + twin_sure == pytest.approx(SURE + 0.06, abs=1e-5)


def test_what_the_ink_says_counts() -> None:
    sures = [resolve_look_alikes([word("HELL0", twin)], True)[0][-1][0][1] for twin in (0.05, 0.06, 0.08)]
    assert sures == sorted(sures)
    assert sures[0] == pytest.approx(0.5)  # 20 × 0.05 against 0.9, of 0.95.


SURES = st.tuples(st.floats(LEAST_OTHER_PROBABILITY, 1), st.floats(LEAST_OTHER_PROBABILITY, 1))


@given(st.lists(st.lists(SURES, max_size=4), max_size=2))
def test_the_chain_sums_over_all_kinds_of_all_characters(words: list[list[tuple[float, float]]]) -> None:
    seen = [pair for word in words for pair in word]
    changes = [
        CHANGE_IN_WORD if place != len(words[0]) else CHANGE_BETWEEN_WORDS for place in range(1, len(seen))
    ]
    weights = dict.fromkeys(itertools.product((0, 1), repeat=len(seen)), 0.0)
    for kinds in weights:
        ink = math.prod(pair[kind] for pair, kind in zip(seen, kinds, strict=True))
        steps = [
            change if one != other else 1 - change
            for change, (one, other) in zip(changes, itertools.pairwise(kinds), strict=True)
        ]
        weights[kinds] += ink * MIXED_PROBABILITY * 0.5 * math.prod(steps)
        weights[kinds] += ink * (1 - MIXED_PROBABILITY) / 2 * (len(set(kinds)) == 1)
    expected = [
        sum(weight for kinds, weight in weights.items() if kinds[place]) / sum(weights.values())
        for place in range(len(seen))
    ]
    rankings = [[(("K", letter), ("4", digit)) for letter, digit in word] for word in words]
    assert digit_probabilities(rankings, True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["HELL0", "JOHN"], "letters"),
        (["47", "1I"], "digits"),
        (["AB4158"], "alnum"),
        (["JOHN", "25"], "alnum"),
        ([], "alnum"),
        ([""], "alnum"),
    ],
)
def test_the_kind_of_a_line(texts: list[str], kind: str) -> None:
    assert kind_of([word(text) for text in texts], True) == kind


@given(st.lists(st.text(ALPHABETS["alnum"], max_size=8), max_size=4))
def test_each_character_keeps_its_place_and_its_own_reading_second(texts: list[str]) -> None:
    before = [word(text) for text in texts]
    for old_word, new_word in zip(before, resolve_look_alikes(before, True), strict=True):
        for old, new in zip(old_word, new_word, strict=True):
            assert old[0][0] in (new[0][0], new[1][0])
            assert [sure for _, sure in new] == sorted((sure for _, sure in new), reverse=True)
