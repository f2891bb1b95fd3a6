"""A line weighed by its context: by trying every text, and by what it may and may not change."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lettermill.jobs.inputs.ngram import Ngram, make_ngram
from lettermill.worker.reading import context as module
from lettermill.worker.reading.context import (
    EACH_LETTER,
    FALSE_GAP,
    NGRAM_WEIGHT,
    OF_CONTEXT,
    Context,
)

CHARACTERS = "AEHIMNR"
NAMES = {"MARIE": 9, "ANNA": 5, "MARIN": 3, "RENE": 4, "MINA": 2, "IRENE": 2, "REMI": 2, "HENRI": 3}


@pytest.fixture(scope="module")
def ngram() -> Ngram:
    return make_ngram(NAMES)


def shares_of(*places: dict[str, float]) -> np.ndarray:
    """The readers' shares of each character in each place."""
    return np.array([[place.get(character, 0.0) for character in CHARACTERS] for place in places])


def text(columns: list[int]) -> str:
    return "".join(CHARACTERS[column] for column in columns)


def log_weight(ngram: Ngram, word: str) -> float:
    """The weight of a word without gaps: one of the context, or letters at random."""
    random = -math.log(27) * (len(word) + 1)
    of_context = OF_CONTEXT * math.exp(NGRAM_WEIGHT * (ngram.log_probability(word) - random))
    return math.log(of_context + 1 - OF_CONTEXT) + EACH_LETTER * len(word)


def test_an_h_before_arie_is_an_m(ngram: Ngram) -> None:
    shares = shares_of({"H": 0.6, "M": 0.4}, {"A": 1}, {"R": 1}, {"I": 1}, {"E": 0.9, "A": 0.05})

    weighed = Context(ngram, CHARACTERS).weigh(shares, [0] * 5)

    assert text(weighed.columns) == "MARIE"
    assert weighed.shares[0, CHARACTERS.index("M")] > 0.6


def test_an_m_is_not_read_where_the_ink_is_sure(ngram: Ngram) -> None:
    shares = shares_of({"H": 0.995, "M": 0.005}, {"A": 1}, {"R": 1}, {"I": 1}, {"E": 1})

    weighed = Context(ngram, CHARACTERS).weigh(shares, [0] * 5)

    assert text(weighed.columns) == "HARIE"
    assert weighed.shares == pytest.approx(shares)


def test_the_shares_are_those_of_all_texts(ngram: Ngram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward, and Viterbi, against every text by itself."""
    monkeypatch.setattr(module, "BEAM_NATS", math.inf)
    monkeypatch.setattr(module, "MOST_HISTORIES", 10_000)
    rng = np.random.default_rng(5)
    for _ in range(10):
        shares = rng.dirichlet(np.full(4, 0.6), 4)
        shares = np.where(shares < module.LEAST_SHARE, 0, shares)
        context = Context(ngram, CHARACTERS[:4])
        weighed = context.weigh(shares, [0] * 4)

        weights = {}
        for columns in itertools.product(range(4), repeat=4):
            ink = [shares[place, column] for place, column in enumerate(columns)]
            if all(ink):
                word = "".join(CHARACTERS[column] for column in columns)
                weights[columns] = math.prod(ink) * math.exp(log_weight(ngram, word))
        total = sum(weights.values())
        for place, column in itertools.product(range(4), range(4)):
            share = sum(weight for columns, weight in weights.items() if columns[place] == column) / total
            assert weighed.shares[place, column] == pytest.approx(share * shares[place].sum(), abs=1e-9)
        # The best way is either of the context or at random: within the logarithm of two of the best text.
        best = max(weights.values())
        assert math.log(weights[tuple(weighed.columns)]) > math.log(best) - math.log(2)


def test_a_code_is_left_as_the_ink_has_it(ngram: Ngram) -> None:
    rng = np.random.default_rng(3)
    context = Context(ngram, CHARACTERS)
    for _ in range(50):
        code = rng.integers(0, len(CHARACTERS), 6)
        shares = np.full((6, len(CHARACTERS)), 0.04 / (len(CHARACTERS) - 1))
        shares[np.arange(6), code] = 0.96

        assert context.weigh(shares, [0] * 6).columns == code.tolist()


def test_a_word_begins_behind_a_gap(ngram: Ngram) -> None:
    """RENE ?ARIE: the doubtful letter begins a name only if a gap lies before it."""
    doubtful = [{one: 1.0} for one in "RENE"] + [{"H": 0.6, "M": 0.4}] + [{one: 1.0} for one in "ARIE"]
    context = Context(ngram, CHARACTERS)

    apart = context.weigh(shares_of(*doubtful), [0] * 4 + [1] * 5)
    together = context.weigh(shares_of(*doubtful), [0] * 9)

    m = CHARACTERS.index("M")
    assert text(apart.columns) == "RENEMARIE"
    assert apart.shares[4, m] > together.shares[4, m]
    assert 0 < FALSE_GAP < 1


def test_the_shares_of_a_place_sum_up_to_what_they_did(ngram: Ngram) -> None:
    shares = shares_of({"H": 0.4, "M": 0.3}, {"A": 0.5, "I": 0.003}, {"R": 0.2, "N": 0.2}, {"I": 1}, {"E": 1})

    weighed = Context(ngram, CHARACTERS).weigh(shares, [0] * 5)

    assert weighed.shares.sum(axis=1) == pytest.approx(shares.sum(axis=1))
