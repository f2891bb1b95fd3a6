"""Look-alikes: characters that only their word tells apart, such as the letter O and the digit 0."""

from __future__ import annotations

from collections.abc import Sequence

from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading.classifier import CHOICES, Ranking

PAIRS = {"O": "0", "I": "1", "Z": "2", "S": "5", "B": "8"}
"""Letters and the digits that are written alike."""

OTHER = PAIRS | {digit: letter for letter, digit in PAIRS.items()}
"""Of each look-alike the other one."""

LEAST_OTHERS = 2
"""Characters of a kind that tell the kind of a word: one alone may be a code such as A1."""

KIND_ODDS = 20.0
"""Odds by which the kind of a word outweighs the ink: one look-alike in so many is not of its word's kind."""

LEAST_SHARE = 0.5
"""Least share that the reported one of a pair has of their confidence: with less it would not be reported."""


def follow_kind(word: Sequence[Ranking]) -> list[Ranking]:
    """Let the look-alikes of a word follow the kind (letters or digits) of its other characters.

    The other reading stays as the second choice, and the confidence is what ink and word say together, so it
    is low where the ink says otherwise. A character's word has a kind where its other characters that are no
    look-alikes are all letters or all digits, and most of its other characters were read so.

    Args:
        word: the ranked readings of its characters, from left to right.

    Returns:
        The same, changed where a look-alike was read as the other kind.
    """
    return [_followed(ranking, [*word[:place], *word[place + 1 :]]) for place, ranking in enumerate(word)]


def _followed(ranking: Ranking, others: Sequence[Ranking]) -> Ranking:
    (read, sure), *_ = ranking
    if read not in OTHER:
        return ranking
    kinds = [other[0][0] in LETTERS for other in others]
    certain = {other[0][0] in LETTERS for other in others if other[0][0] not in OTHER}
    is_letter = read in LETTERS
    of_the_other_kind = kinds.count(not is_letter)
    if certain != {not is_letter} or of_the_other_kind < LEAST_OTHERS or 2 * of_the_other_kind <= len(kinds):
        return ranking
    twin = OTHER[read]
    twin_sure = dict(ranking).get(twin, 0.0)
    together = sure + twin_sure
    followed = together * max(LEAST_SHARE, KIND_ODDS * twin_sure / (KIND_ODDS * twin_sure + sure))
    rest = [choice for choice in ranking if choice[0] not in (read, twin)]
    return ((twin, round(followed, 6)), (read, round(together - followed, 6)), *rest)[:CHOICES]
