"""Resolves look-alikes by their word: characters such as the letter O and the digit 0."""

from __future__ import annotations

from collections.abc import Sequence

from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading.classifier import RANKING_LENGTH, Ranking

PAIRS = {"O": "0", "I": "1", "Z": "2", "S": "5", "B": "8"}
"""Letters and the digits that look like them."""

TWINS = PAIRS | {digit: letter for letter, digit in PAIRS.items()}
"""Maps each look-alike to the other one of its pair."""

MIN_OTHER_CHARACTERS = 2
"""Other characters that decide the kind of a word: with only one, it may be a code such as A1."""

KIND_ODDS = 20.0
"""Odds that a look-alike is of its word's kind: about one in 20 is not."""

MIN_CONFIDENCE_SHARE = 0.5
"""The resolved one has at least this share of the confidence of its pair: with less it would not be best."""


def resolve_look_alikes(word: Sequence[Ranking]) -> list[Ranking]:
    """Change look-alikes of a word to the kind (letter or digit) of its other characters.

    A word has a kind, seen from one of its characters, if those other characters that are not look-alikes are
    all letters or all digits, and if most of the other characters were read as this kind. The reading of the
    CNN stays as the second choice. The confidence combines ink and word, so it is low if they disagree.

    Args:
        word: the rankings of its characters, from left to right.

    Returns:
        The same rankings, changed where a look-alike was read as the other kind.
    """
    return [_resolve(ranking, [*word[:place], *word[place + 1 :]]) for place, ranking in enumerate(word)]


def _resolve(ranking: Ranking, others: Sequence[Ranking]) -> Ranking:
    (read, confidence), *_ = ranking
    if read not in TWINS:
        return ranking
    are_letters = [other[0][0] in LETTERS for other in others]
    unambiguous = {other[0][0] in LETTERS for other in others if other[0][0] not in TWINS}
    is_letter = read in LETTERS
    of_other_kind = are_letters.count(not is_letter)
    if unambiguous != {not is_letter}:
        return ranking
    if of_other_kind < MIN_OTHER_CHARACTERS or 2 * of_other_kind <= len(are_letters):
        return ranking

    twin = TWINS[read]
    twin_confidence = dict(ranking).get(twin, 0.0)
    together = confidence + twin_confidence
    share = KIND_ODDS * twin_confidence / (KIND_ODDS * twin_confidence + confidence)
    resolved = together * max(MIN_CONFIDENCE_SHARE, share)
    rest = [choice for choice in ranking if choice[0] not in (read, twin)]
    return ((twin, round(resolved, 6)), (read, round(together - resolved, 6)), *rest)[:RANKING_LENGTH]
