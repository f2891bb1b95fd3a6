"""The character n-gram: what it expects after what, and its file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lettermill.jobs.inputs.ngram import BOUNDARY, ORDER, SYMBOLS, Ngram, followed_by, make_ngram

NAMES = {"MARIE": 5, "MARIO": 2, "MARTIN": 4, "ANNA": 3, "JEAN": 4, "JEANNE": 2, "LEA": 1, "R2D2": 1}


def history_of(text: str) -> int:
    """The history after some letters of a word."""
    history = BOUNDARY
    for symbol in text:
        history = followed_by(history, SYMBOLS.index(symbol))
    return history


@pytest.mark.parametrize("text", ["", "M", "MAR", "MARTI", "XQ", "JEANNEANN", "2"])
def test_the_probabilities_after_a_history_sum_up_to_one(text: str) -> None:
    row = make_ngram(NAMES).row(history_of(text))

    assert len(row) == len(SYMBOLS)
    assert sum(map(math.exp, row)) == pytest.approx(1, abs=0.03)  # Logarithms are rounded.


def test_what_is_in_the_list_is_likelier_than_what_is_not() -> None:
    ngram = make_ngram(NAMES)

    assert ngram.log_probability("MARIE") > ngram.log_probability("MARLE") + 1
    assert ngram.log_probability("MARIE") > ngram.log_probability("MARIO")
    # In no list, but made of what is: Kneser and Ney's point.
    assert ngram.log_probability("JEANNA") > ngram.log_probability("JZXQKA") + 5


def test_a_word_ends_where_words_of_the_list_end() -> None:
    ngram = make_ngram(NAMES)

    assert ngram.row(history_of("MARIE"))[0] > math.log(0.4)
    assert ngram.row(history_of("MART"))[0] < math.log(0.2)


def test_a_word_alone_is_smoothed_as_kneser_and_ney_have_it() -> None:
    """With one word of two letters, each n-gram is seen once: all discounts are those of short lists."""
    row = make_ngram({"AB": 1}).row(history_of("A"))

    discount, uniform = 0.6, 1 / len(SYMBOLS)
    # A, B and the end each follow one other symbol.
    unigram = (1 - discount) / 3 + discount * uniform
    bigram = 1 - discount + discount * unigram
    trigram = 1 - discount + discount * bigram
    assert math.exp(row[SYMBOLS.index("B")]) == pytest.approx(trigram, rel=0.05)
    assert math.exp(row[SYMBOLS.index("Z")]) == pytest.approx(discount**3 * uniform, rel=0.15)


def test_a_history_is_no_longer_than_the_ngram_and_ends_with_its_word() -> None:
    long = history_of("ABCDEFGHIJ")

    assert long == history_of("XXXXX" + "FGHIJ"[: ORDER - 1])
    assert followed_by(long, 0) == BOUNDARY


def test_it_says_how_well_it_expects_words_that_it_has_not_seen() -> None:
    syllables = [one + other for one in "BDFGKLMN" for other in "AEIOU"]
    regular = {one + other: 1 for one in syllables for other in syllables}
    rng = np.random.default_rng(7)
    letters = np.array(list(SYMBOLS[1:27]))
    random = {"".join(word): 1 for word in rng.choice(letters, (len(regular), 4))}

    assert make_ngram(regular).log_perplexity < make_ngram(random).log_perplexity - 0.5
    assert make_ngram(NAMES).log_perplexity == math.log(len(SYMBOLS))  # Too few to leave any out.


def test_its_file_holds_all_of_it() -> None:
    ngram = make_ngram(NAMES)

    content = ngram.to_bytes()
    again = Ngram.from_bytes(content)

    assert again.row(history_of("MAR")) == ngram.row(history_of("MAR"))
    assert again.log_perplexity == ngram.log_perplexity
    assert content == make_ngram(NAMES).to_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04 no archive", make_ngram(NAMES).to_bytes()[:-40]]
)
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        Ngram.from_bytes(content)
